"""Training the vocoder, by itself, on sound alone.

It hears what it should have said only as spectra, at three resolutions: no
sample has to match, since the ear does not hear phases either. Its pitch is
taught apart, by what `ops/pitch.py` finds in the sound. If asked for, judges
learn beside it to tell what it makes from recordings, and it learns to
convince them; `train/discriminator.py` says how.

The folder of a run holds `checkpoint`, with all that resuming needs, and
`metrics.jsonl`, a line a step, with how far it is from sounds it never heard
wherever a checkpoint was written. Killed and started again, a run goes on
with the same numbers.
"""

import dataclasses
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jaxtyping import Array, Float, Int

from interaction_jax.core import checkpoint, params, settings
from interaction_jax.core.checkpoint import Checkpoint
from interaction_jax.core.params import Params
from interaction_jax.data.synthetic import bank as banks
from interaction_jax.data.synthetic.bank import Bank
from interaction_jax.data.synthetic.voices import Split
from interaction_jax.model.config import VocoderConfig
from interaction_jax.model.heads import vocoder
from interaction_jax.ops import pitch, spectral, waveform
from interaction_jax.train import discriminator

# What is fainter than this in a bin of a spectrum counts as equally faint.
_FAINT = 1e-3
# From this resemblance on, a frame is surely of a voice with a pitch.
_VOICED = 0.7


@dataclasses.dataclass(frozen=True)
class VocoderTraining:
  """How the vocoder is trained.

  Attributes:
    num_steps: updates in all, counted from the first start.
    save_every: updates from one checkpoint to the next.
    seed: of everything random.
    batch: stretches of sound in an update.
    frames: length of a stretch.
    learning_rate: at its highest, after `warmup` updates; from there it falls
      as a cosine to a twentieth.
    warmup: updates.
    weight_decay: of AdamW.
    max_norm: longer gradients are shortened to it.
    quietest_db: stretches get a random gain from it to 0 dB.
    mel_noise: standard deviation of what is added to the mel, whose makers
      are not exact either.
    judges: weight of convincing them; 0: there are none.
    features: weight of being like the recording in every layer of theirs.
    judges_from: updates after which they count; they learn from the first on.
    judges_width: channels of their layers.
    judges_rate: their learning rate, at all times.
  """

  num_steps: int = 4000
  save_every: int = 500
  seed: int = 0
  batch: int = 8
  frames: int = 83
  learning_rate: float = 3e-3
  warmup: int = 100
  weight_decay: float = 0.01
  max_norm: float = 5.0
  quietest_db: float = -20.0
  mel_noise: float = 0.03
  judges: float = 0.0
  features: float = 1.0
  judges_from: int = 0
  judges_width: int = 16
  judges_rate: float = 1e-3

  def __post_init__(self):
    for name in ("num_steps", "save_every", "batch", "warmup", "judges_width"):
      if getattr(self, name) < 1:
        raise ValueError(
          f"vocoder_training.{name}={getattr(self, name)} must be 1 or more."
        )
    for name in ("judges", "features", "judges_from", "judges_rate"):
      if not 0 <= getattr(self, name) < float("inf"):
        raise ValueError(
          f"vocoder_training.{name}={getattr(self, name)} must be 0 or more."
        )
    # A frame whose sound is out before the stretch ends, and one to compare.
    if self.frames < 4:
      raise ValueError(
        f"vocoder_training.frames={self.frames} must be 4 or more; 83, which "
        "are 830 ms, are usual."
      )
    if self.warmup >= self.num_steps:
      raise ValueError(
        f"vocoder_training.warmup={self.warmup} must be less than "
        f"num_steps={self.num_steps}."
      )


class State(NamedTuple):
  """What an update changes; what belongs to judges is None without any."""

  params: Params
  optimizer: optax.OptState
  step: Int[Array, ""]
  judges: Any = None
  judges_optimizer: Any = None


def build(cfg: VocoderConfig) -> Any:
  """The function from a random key to a vocoder, for `core.params`."""
  return lambda key: vocoder.Vocoder(cfg, rngs=nnx.Rngs(key))


def fine_mel(
  samples: Float[Array, "B W"], cfg: VocoderConfig
) -> Float[Array, "B A M"]:
  """The frames that a vocoder of `cfg` takes."""
  mel = spectral.log_mel(
    samples,
    hop=cfg.hop,
    window=cfg.window,
    num_mels=cfg.num_mels,
    sample_rate=cfg.sample_rate,
  )
  return jnp.maximum(mel, cfg.floor)


def distances(
  made: Float[Array, "B W"], wanted: Float[Array, "B W"], cfg: VocoderConfig
) -> dict[str, Float[Array, ""]]:
  """How far one sound is from another, both in time with each other.

  Returns:
    `mel`, the mean absolute difference of fine mel, in log10; of three
    resolutions the mean `convergence` ‖S - S'‖ / ‖S‖ and the mean `log`
    |ln S - ln S'| of magnitudes; `log_spectral_db`, the root mean square over
    bins of the difference in dB, averaged over frames.

  Reference: Yamamoto et al. 2020, arXiv:1910.11480, eq. 4 to 6.
  """
  convergence, log, decibels = [], [], []
  for hops in discriminator.RESOLUTIONS:
    grid = {"hop": hops * cfg.hop // 2, "window": 2 * hops * cfg.hop}
    a, b = (waveform.absolute(sound, **grid) for sound in (made, wanted))
    error = jnp.sum(jnp.square(a - b), axis=(1, 2))
    energy = jnp.sum(jnp.square(b), axis=(1, 2))
    convergence.append(jnp.mean(jnp.sqrt((error + 1e-9) / (energy + 1e-3))))
    apart = jnp.log(jnp.maximum(a, _FAINT)) - jnp.log(jnp.maximum(b, _FAINT))
    log.append(jnp.mean(jnp.abs(apart)))
    square = jnp.mean(jnp.square(apart), axis=-1)
    decibels.append(jnp.mean(jnp.sqrt(square + 1e-9)) * (20 / np.log(10)))
  mels = jnp.abs(fine_mel(made, cfg) - fine_mel(wanted, cfg))
  return {
    "mel": jnp.mean(mels),
    "convergence": jnp.mean(jnp.stack(convergence)),
    "log": jnp.mean(jnp.stack(log)),
    "log_spectral_db": jnp.mean(jnp.stack(decibels)),
  }


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Said:
  """What a vocoder makes of sounds, and what it should have made, in time.

  Attributes:
    made, wanted: as long as the sounds, but for the vocoder's delay.
    parts: of the loss, by name, `loss` among them.
  """

  made: Float[Array, "B W"]
  wanted: Float[Array, "B W"]
  parts: dict[str, Float[Array, ""]]


def loss(
  weights: Params,
  samples: Float[Array, "B W"],
  *,
  cfg: VocoderConfig,
  mel_noise: Float[Array, "B A M"] | float = 0.0,
) -> tuple[Float[Array, ""], Said]:
  """The loss of saying `samples` again, without judges, and what was said.

  What is made comes `cfg.delay` samples late and is compared with what was
  to be said then. Where the voice has a pitch the hum gets the right one, so
  that magnitudes are learnt from the first step on.
  """
  model = params.bind(build(cfg), weights)
  mel = fine_mel(samples, cfg)
  state = model.start(samples.shape[0])
  mel = mel + mel_noise
  controls, state = model.listen(mel, state)
  hertz, resemblance = pitch.track(
    samples,
    hop=cfg.hop,
    window=cfg.window,
    sample_rate=cfg.sample_rate,
    low=cfg.pitch_low,
    high=cfg.pitch_high,
  )
  voiced = (resemblance > _VOICED).astype(jnp.float32)
  guess = jax.lax.stop_gradient(vocoder.decode_pitch(controls.pitch, cfg))
  hummed = jnp.where(voiced > 0, hertz, guess)
  made, _ = model.sing(mel, controls, hummed, state)
  made, wanted = _in_time(made, samples, cfg)
  parts = distances(made, wanted, cfg)
  parts["pitch"] = _pitch_loss(controls.pitch, hertz, voiced, cfg)
  off = jnp.abs(jnp.log2(guess / hertz)) > 0.05
  parts["pitch_off"] = _mean(off.astype(jnp.float32), voiced)
  # The mel is a decimal logarithm, the log a natural one.
  heard = parts["convergence"] + parts["log"] + 3.0 * parts["mel"]
  parts["loss"] = heard + 0.5 * parts["pitch"]
  return parts["loss"], Said(made, wanted, parts)


@jax.jit(static_argnames="cfg")
def measure(
  weights: Params, samples: Float[Array, "B W"], *, cfg: VocoderConfig
) -> dict[str, Float[Array, ""]]:
  """How far a vocoder is from sounds, as `distances`, all by its own means.

  It hums at the pitch that it reads from the frames, as it does in a session.
  """
  model = params.bind(build(cfg), weights)
  made, _ = model(fine_mel(samples, cfg), model.start(samples.shape[0]))
  return distances(*_in_time(made, samples, cfg), cfg)


def _in_time(
  made: Float[Array, "B W"], samples: Float[Array, "B W"], cfg: VocoderConfig
) -> tuple[Float[Array, "B _"], Float[Array, "B _"]]:
  """What is made and what was to be made, without what only one of them has."""
  return made[:, cfg.delay :], samples[:, : samples.shape[1] - cfg.delay]


def fit(
  clips: Sequence[Float[np.ndarray, " _"]],
  *,
  cfg: VocoderConfig,
  training: VocoderTraining,
  workdir: str | os.PathLike[str],
  held_out: Sequence[Float[np.ndarray, " _"]] = (),
  start: Params | None = None,
  on_step: Callable[[Mapping[str, Any]], object] = lambda line: None,
) -> Params:
  """Trains a vocoder, or goes on training the one in `workdir`.

  Args:
    clips: recordings at `cfg.sample_rate`, from -1 to 1, of any length.
    held_out: recordings that it is measured by, and does not learn from.
    start: what a new run begins with; None: drawn ones.
    on_step: told what `metrics.jsonl` says of every step.

  Raises:
    ValueError: there are no clips, or `workdir` holds another vocoder.
  """
  if not clips:
    raise ValueError("clips=[] is empty; a minute of speech is the least.")
  workdir = Path(workdir)
  state = _start(workdir, cfg, training, start)
  metrics = _Metrics(workdir / "metrics.jsonl", keep=int(state.step))
  unheard = exam(held_out, cfg=cfg, training=training) if held_out else None
  for step in range(int(state.step), training.num_steps):
    samples = stretches(clips, step, cfg=cfg, training=training)
    state, parts = _update(
      state, jnp.array(samples), cfg=cfg, training=training
    )
    saves = (step + 1) % training.save_every == 0
    saves |= step + 1 == training.num_steps
    if saves and unheard is not None:
      found = measure(state.params, unheard, cfg=cfg)
      parts |= {f"held_out/{name}": value for name, value in found.items()}
    on_step(metrics.write(step, parts))
    if saves:
      _save(workdir, state, cfg, training)
  return state.params


def exam(
  clips: Sequence[Float[np.ndarray, " _"]],
  *,
  cfg: VocoderConfig,
  training: VocoderTraining,
) -> Float[Array, "B W"]:
  """Stretches of recordings by which vocoders are measured, always the same.

  Four batches of them, as loud as they were recorded.
  """
  plain = dataclasses.replace(
    training, seed=0, batch=4 * training.batch, quietest_db=0.0
  )
  return jnp.array(stretches(clips, 0, cfg=cfg, training=plain))


def stretches(
  clips: Sequence[Float[np.ndarray, " _"]],
  step: int,
  *,
  cfg: VocoderConfig,
  training: VocoderTraining,
) -> Float[np.ndarray, "B W"]:
  """What update number `step` hears: a function of it and the seed alone.

  A clip that is too short is heard with silence around it.
  """
  rng = np.random.default_rng((training.seed, step))
  length = training.frames * cfg.hop
  out = np.zeros((training.batch, length), np.float32)
  for row in out:
    clip = clips[int(rng.integers(len(clips)))]
    spare = len(clip) - length
    first = int(rng.integers(min(0, spare), max(0, spare) + 1))
    piece = clip[max(first, 0) : max(first, 0) + length]
    gain = 10 ** (rng.uniform(training.quietest_db, 0) / 20)
    row[max(-first, 0) : max(-first, 0) + len(piece)] = gain * piece
  return out


def read(
  folder: str | os.PathLike[str], *, sample_rate: int
) -> list[Float[np.ndarray, " _"]]:
  """The recordings of a folder, in the order of their names, mixed to one
  channel.

  Raises:
    FileNotFoundError: there are none.
    ValueError: one has another sample rate.
  """
  import soundfile

  clips = []
  for path in sorted(Path(folder).rglob("*")):
    if path.suffix.lower() not in {".wav", ".flac", ".ogg"}:
      continue
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    if rate != sample_rate:
      raise ValueError(
        f"{path} has {rate} samples a second; the vocoder works at "
        f"{sample_rate}, so resample it first."
      )
    clips.append(samples.mean(axis=1))
  if not clips:
    raise FileNotFoundError(f"{folder} holds no .wav, .flac or .ogg file.")
  return clips


def spoken(
  bank: Bank, split: Split, *, most: int = 2000
) -> list[Float[np.ndarray, " _"]]:
  """What users of a split say in a speech bank, as recordings to learn from.

  For training, the words of the assistant too, so often that they are half of
  all: theirs is the voice that a model has.

  Args:
    most: of the users' clips, evenly drawn from all.
  """
  users = [
    clip
    for clip in bank.clips
    if clip.split == split and clip.phrase != banks.ASSISTANT
  ]
  clips = [bank.samples(clip) for clip in users[:: -(-len(users) // most) or 1]]
  if split == "train":
    words = [
      bank.samples(clip)
      for clip in bank.clips
      if clip.phrase == banks.ASSISTANT
    ]
    clips += words * max(1, len(clips) // max(1, len(words)))
  return clips


def of_model(model: Checkpoint, cfg: VocoderConfig) -> Params:
  """The weights of a model's own vocoder.

  Raises:
    ValueError: the model makes mel of another kind, or has another vocoder.
  """
  plain = model.config.get("model", model.config)
  known = settings.from_dict(VocoderConfig, plain.get("vocoder", {}))
  if known != cfg:
    raise ValueError(
      f"the model has {known}, which is not {cfg}; train a vocoder of the "
      "model's config."
    )
  return model.params["heads"]["vocoder"]


def given_to(model: Checkpoint, weights: Params, cfg: VocoderConfig) -> Params:
  """The weights of a model that gets this vocoder.

  Raises:
    ValueError: as `of_model`.
  """
  made = jax.tree.map(
    lambda new, leaf: jnp.asarray(new, leaf.dtype),
    weights,
    of_model(model, cfg),
  )
  return {**model.params, "heads": {**model.params["heads"], "vocoder": made}}


@jax.jit(donate_argnums=0, static_argnames=("cfg", "training"))
def _update(
  state: State,
  samples: Float[Array, "B W"],
  *,
  cfg: VocoderConfig,
  training: VocoderTraining,
) -> tuple[State, dict[str, Float[Array, ""]]]:
  key = jax.random.fold_in(jax.random.key(training.seed), state.step)
  shape = (training.batch, training.frames, cfg.num_mels)
  noise = training.mel_noise * jax.random.normal(key, shape)
  counts = (state.step >= training.judges_from).astype(jnp.float32)

  def whole(weights: Params) -> tuple[Float[Array, ""], Said]:
    total, said = loss(weights, samples, cfg=cfg, mel_noise=noise)
    if state.judges is None:
      return total, said
    # They are only asked here; what they are is no matter of this gradient.
    recorded = _features(state.judges, said.wanted, cfg, training)
    made = _features(state.judges, said.made, cfg, training)
    more = {
      "convince": discriminator.convince(made),
      "features": discriminator.match(recorded, made),
    }
    total += counts * training.judges * more["convince"]
    total += counts * training.features * more["features"]
    return total, dataclasses.replace(said, parts=said.parts | more)

  gradient, said = jax.grad(whole, has_aux=True)(state.params)
  updates, optimizer = _optimizer(training).update(
    gradient, state.optimizer, state.params
  )
  weights: Any = optax.apply_updates(state.params, updates)
  after = state._replace(
    params=weights, optimizer=optimizer, step=state.step + 1
  )
  if state.judges is None:
    return after, said.parts
  after, told = _teach(after, said, cfg, training)
  return after, said.parts | {"tell": told}


def _teach(
  state: State, said: Said, cfg: VocoderConfig, training: VocoderTraining
) -> tuple[State, Float[Array, ""]]:
  """Shows the judges what was recorded and what was made; tells their loss."""

  def whole(judges: Params) -> Float[Array, ""]:
    return discriminator.tell(
      _features(judges, said.wanted, cfg, training),
      _features(judges, said.made, cfg, training),
    )

  told, gradient = jax.value_and_grad(whole)(state.judges)
  updates, optimizer = _judges_optimizer(training).update(
    gradient, state.judges_optimizer, state.judges
  )
  judges: Any = optax.apply_updates(state.judges, updates)
  return state._replace(judges=judges, judges_optimizer=optimizer), told


def _features(
  judges: Params,
  sound: Float[Array, "B W"],
  cfg: VocoderConfig,
  training: VocoderTraining,
) -> discriminator.Features:
  width = training.judges_width
  return discriminator.features(judges, sound, cfg=cfg, width=width)


def _pitch_loss(
  logits: Float[Array, "B A I"],
  hertz: Float[Array, "B A"],
  voiced: Float[Array, "B A"],
  cfg: VocoderConfig,
) -> Float[Array, ""]:
  """Cross entropy with a bell of one step's width around the pitch."""
  steps = np.log(cfg.pitch_high / cfg.pitch_low) / (cfg.num_pitches - 1)
  distance = jnp.log(vocoder.pitches(cfg) / hertz[..., None]) / steps
  wanted = jax.nn.softmax(-0.5 * jnp.square(distance))
  entropy = -jnp.sum(wanted * jax.nn.log_softmax(logits), axis=-1)
  return _mean(entropy, voiced)


def _mean(x: Float[Array, "B A"], mask: Float[Array, "B A"]) -> jax.Array:
  return jnp.sum(x * mask) / jnp.maximum(jnp.sum(mask), 1.0)


def _optimizer(training: VocoderTraining) -> optax.GradientTransformation:
  rate = optax.warmup_cosine_decay_schedule(
    0.0,
    training.learning_rate,
    training.warmup,
    training.num_steps,
    end_value=training.learning_rate / 20,
  )
  return optax.chain(
    optax.clip_by_global_norm(training.max_norm),
    optax.adamw(rate, b2=0.99, weight_decay=training.weight_decay),
  )


def _judges_optimizer(
  training: VocoderTraining,
) -> optax.GradientTransformation:
  # A long memory would lag behind a vocoder that changes meanwhile.
  return optax.chain(
    optax.clip_by_global_norm(training.max_norm),
    optax.adamw(training.judges_rate, b1=0.8, b2=0.99),
  )


def _start(
  workdir: Path,
  cfg: VocoderConfig,
  training: VocoderTraining,
  start: Params | None = None,
) -> State:
  """The state of a new run, or the one that was saved."""
  key = jax.random.key(training.seed)
  weights = params.to_dict(build(cfg)(key)) if start is None else start
  # Updates use up what they are given, which belongs to others.
  weights = jax.tree.map(lambda leaf: jnp.array(leaf, jnp.float32), weights)
  optimizer = _optimizer(training).init(weights)
  state = State(weights, optimizer, jnp.zeros((), jnp.int32))
  if training.judges:
    make = discriminator.build(cfg, training.judges_width)
    judges = params.to_dict(make(jax.random.fold_in(key, 1)))
    state = state._replace(
      judges=judges, judges_optimizer=_judges_optimizer(training).init(judges)
    )
  if not (workdir / "checkpoint").exists():
    # Where a checkpoint puts it too, so that both take one compiled update.
    return jax.device_put(state, jax.local_devices()[0])
  saved = checkpoint.load(workdir / "checkpoint")
  if saved.config != {"vocoder": dataclasses.asdict(cfg)}:
    raise ValueError(
      f"workdir={workdir} holds another vocoder, {saved.config}; choose "
      "another folder."
    )
  progress = _progress(state)
  leaves = [leaf for _, leaf in sorted(saved.params["progress"].items())]
  wanted = [leaf.shape for leaf in jax.tree.leaves(progress)]
  if [leaf.shape for leaf in leaves] != wanted:
    raise ValueError(
      f"workdir={workdir} holds a run with other judges: judges="
      f"{training.judges} and judges_width={training.judges_width} do not fit "
      "it; choose another folder."
    )
  rest = jax.tree.unflatten(jax.tree.structure(progress), leaves)
  return State(saved.params["params"], *rest)


def _save(
  workdir: Path,
  state: State,
  cfg: VocoderConfig,
  training: VocoderTraining,
) -> None:
  leaves = jax.tree.leaves(_progress(state))
  checkpoint.save(
    workdir / "checkpoint",
    {
      "params": state.params,
      "progress": {f"{index:04d}": leaf for index, leaf in enumerate(leaves)},
    },
    config={"vocoder": dataclasses.asdict(cfg)},
    extra={"step": int(state.step), "training": dataclasses.asdict(training)},
    overwrite=True,
  )


def _progress(state: State) -> tuple[Any, ...]:
  """All that an update changes but the weights, in the order of `State`."""
  return tuple(state)[1:]


class _Metrics:
  """A file with a line of JSON for each step."""

  def __init__(self, path: Path, *, keep: int):
    """Keeps the first `keep` lines of what is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    path.write_text("".join(lines[:keep]))
    self._path = path

  def write(self, step: int, parts: Mapping[str, jax.Array]) -> dict[str, Any]:
    line = {"step": step, **{name: float(x) for name, x in parts.items()}}
    with self._path.open("a") as file:
      file.write(json.dumps(line) + "\n")
    return line
