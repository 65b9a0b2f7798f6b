"""`forward` over an episode equals `step` over its turns, gradients too.

A run makes its own text and voice; what it made is then an episode, over
which `forward` must expect the same. Positions outgrow every memory. There are
runs with everything, and runs in which nothing is seen, nothing is read or
written, or nothing is spoken.
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.model import interaction
from interaction_jax.model import step as steps
from interaction_jax.model.forward import forward
from interaction_jax.ops import spectral
from interaction_jax.train import losses
from interaction_jax.turns import clock, layout
from interaction_jax.turns.schema import Episode, Media
from interaction_jax.turns.vocabulary import Control

J = 12
START = np.asarray([0, 144_000, 77], np.int32)
NUM_TURNS = np.asarray([J, J, 8], np.int32)
NUM_PINNED = np.asarray([6, 0, 4], np.int32)
NUM_PAIRS = 4
# Which pair of frames a turn has: some rows often, some never. In turn 0 one
# `absorb` is given instructions and frames.
FRAMES_OF = np.full((3, J), -1, np.int32)
FRAMES_OF[0, [1, 4, 5]] = [0, 1, 3]
FRAMES_OF[2, [0, 1, 5]] = [3, 2, 0]


@dataclasses.dataclass(frozen=True)
class Situation:
  """What a run has."""

  seed: int = 0
  video: bool = True
  text: bool = True
  speech: bool = True


SITUATIONS = {
  "one": Situation(),
  "another": Situation(seed=1),
  "no-video": Situation(seed=2, video=False),
  "no-text": Situation(seed=3, text=False),
  "no-speech": Situation(seed=4, speech=False),
  "listening": Situation(seed=5, video=False, text=False, speech=False),
}

# Sums over tens of terms in another order, some ten of them in a row: hidden
# states of size 4 come out 2.4e-6 apart, ten ulps. Four times that is allowed.
CLOSE = {"rtol": 1e-5, "atol": 1e-5}


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Case:
  """Everything that is drawn for a run.

  Attributes:
    weigh_logits, weigh_gate, weigh_mel: the random projection whose gradient
      is taken.
  """

  turns: Any
  pinned: jax.Array
  num_pinned: jax.Array
  frames: jax.Array
  frames_of: jax.Array
  weigh_logits: jax.Array
  weigh_gate: jax.Array
  weigh_mel: jax.Array


def draw(small, situation):
  rng = np.random.default_rng(situation.seed)
  batch = len(START)
  video, vocab = small.cfg.video, small.cfg.text.vocab_size
  side = (video.rows * video.patch, video.columns * video.patch)
  turns = [small.turn(rng, batch, turn < NUM_TURNS) for turn in range(J)]
  turns = jax.tree.map(lambda *leaves: jnp.stack(leaves), *turns)
  if not situation.text:
    nothing = jnp.zeros_like(turns.num_text)
    turns = dataclasses.replace(turns, num_text=nothing)
  shape = (batch, J, small.cfg.turn.text_out + 1, vocab)
  voice = small.cfg.vocoder
  mel = (batch, J, voice.frames_per_turn, voice.num_mels)
  frames = rng.integers(0, 256, (batch, NUM_PAIRS, 2, *side, 3))
  return Case(
    turns=turns,
    pinned=small.tokens(rng, batch, 6),
    num_pinned=jnp.asarray(NUM_PINNED * situation.text),
    frames=jnp.asarray(frames, jnp.uint8),
    frames_of=jnp.asarray(np.where(situation.video, FRAMES_OF, -1)),
    weigh_logits=jnp.asarray(rng.normal(size=shape), jnp.float32),
    weigh_gate=jnp.asarray(rng.normal(size=shape[:2]), jnp.float32),
    weigh_mel=jnp.asarray(0.1 * rng.normal(size=mel), jnp.float32),
  )


def weights(small, situation):
  """Of a model that neither writes nor speaks where it is not to.

  What is heard pulls the last hidden state of a turn one way, and END lies
  there.
  """
  params = jax.tree.map(lambda leaf: leaf, small.params)
  heads = params["heads"]
  if not situation.text:
    rng = np.random.default_rng(9)
    way = jnp.asarray(rng.choice([-1.0, 1.0], small.cfg.backbone.width))
    way = way.astype(jnp.float32)
    end = small.cfg.text.first_control + Control.END
    params["embed"]["streams"]["heard"] = 6 * way
    table = heads["text"]["table"]
    scale = params["backbone"]["norm"]
    heads["text"]["table"] = table.at[end].add(4 * way * jnp.sign(scale))
  if not situation.speech:
    heads["gate"]["bias"] = jnp.full_like(heads["gate"]["bias"], -60.0)
  return params


def project(case, out, logits, gate, mel):
  """A number that hears of every choice and of every frame of the voice."""
  alive = jnp.arange(J) < NUM_TURNS[:, None]
  made = jnp.arange(logits.shape[2]) <= out.num_text[..., None]
  made = made & alive[..., None]
  logits = jnp.where(made[..., None], logits * case.weigh_logits, 0.0)
  spoken = (out.speaks & alive)[..., None, None]
  mel = jnp.where(spoken, mel * case.weigh_mel, 0.0)
  gate = jnp.where(alive, gate * case.weigh_gate, 0.0)
  return logits.sum() + gate.sum() + mel.sum()


def by_row(x):
  """From one axis J in front to one behind B."""
  return jax.tree.map(lambda leaf: jnp.moveaxis(leaf, 0, 1), x)


def media_at(case, turn, pair):
  """Instructions before the first turn, video before some of the others."""
  row = jnp.arange(len(START))
  told = jnp.where(turn == 0, case.num_pinned, 0)
  return Media(
    active=(told > 0) | (pair >= 0),
    text=case.pinned,
    num_text=told,
    pinned=jnp.ones_like(told, bool),
    frames=case.frames[row, jnp.maximum(pair, 0)],
    has_frames=pair >= 0,
  )


def run(params, case, *, small):
  """A session a row, scanned with `traced_step`, which has a gradient."""

  def body(before, now):
    index, turn, pair = now
    media = media_at(case, index, pair)
    state = steps.absorb(params, before, media, cfg=small.cfg)
    state, out, trace = steps.traced_step(
      params, state, turn, cfg=small.cfg, sampling=small.sampling, loop="scan"
    )
    return state, (jax.tree.leaves(before), out, trace)

  now = (jnp.arange(J), case.turns, case.frames_of.T)
  after, (before, out, trace) = jax.lax.scan(body, small.start(START), now)
  return before, after, by_row(out), by_row(trace)


def episode_of(case, out):
  """What a run heard and made, as a recording of it."""
  silence = jnp.zeros((len(START), 1, clock.SAMPLES))
  turns = by_row(case.turns)
  return Episode(
    start=jnp.asarray(START),
    num_turns=jnp.asarray(NUM_TURNS),
    heard=turns.heard,
    voice=jnp.concatenate([silence, out.voice[:, :-1]], axis=1),
    speaks=out.speaks,
    mel=out.mel,
    text_in=turns.text,
    num_text_in=turns.num_text,
    text_out=out.text,
    num_text_out=out.num_text,
    pinned=case.pinned,
    num_pinned=case.num_pinned,
    frames=case.frames,
    frames_of=case.frames_of,
    lost=turns.lost,
  )


def voice_of(params, hidden, episode, *, small):
  """The frames that `step` would make of these hidden states.

  All turns of all rows are made at once, and what a turn has of its own past
  is what training says of it.
  """
  cfg = small.cfg
  model = interaction.bind(params, cfg=cfg)
  target = losses._normalized(episode.mel, cfg)
  past = losses._past(target, episode.speaks, cfg)

  def flat(x):
    return x.reshape(-1, *x.shape[2:])

  turns = jnp.asarray(START)[:, None] + jnp.arange(J)
  seeds = jnp.broadcast_to(small.start(START).seed[:, None], turns.shape)
  state = dataclasses.replace(
    small.start(flat(turns)), seed=flat(seeds), mel=flat(past)
  )
  none = jnp.zeros_like(flat(turns))
  writing = steps._Writing(
    memory=state.memory,
    token=none,
    going=none > 0,
    last=flat(hidden),
    text=flat(episode.text_out),
    num_text=flat(episode.num_text_out),
    num_passes=none[0],
    logits=None,
  )
  speaks = flat(episode.speaks)
  mel = steps._speak(model, state, writing, speaks, cfg, small.sampling)
  return steps._denormalized(mel, cfg).reshape(episode.mel.shape)


@dataclasses.dataclass(frozen=True)
class Compared:
  """Both ways, and the gradients of both.

  Attributes:
    before: the leaves of the state before each turn, axis J in front.
    after: the state after the last one.
  """

  situation: Situation
  params: Any
  case: Case
  before: Any
  after: Any
  out: Any
  trace: Any
  by_step: Any
  seen: Any
  mel: Any
  by_forward: Any


@pytest.fixture(scope="module")
def programs(small, quick):
  def stepped(params, case):
    before, after, out, trace = run(params, case, small=small)
    value = project(case, out, trace.logits, out.gate, out.mel)
    return value, (before, after, out, trace)

  def seen(params, case, out, episode):
    seen = forward(params, episode, cfg=small.cfg)
    mel = voice_of(params, seen.hidden, episode, small=small)
    return project(case, out, seen.logits, seen.gate, mel), (seen, mel)

  return tuple(
    jax.jit(jax.grad(program, has_aux=True), compiler_options=quick)
    for program in (stepped, seen)
  )


@pytest.fixture(
  scope="module", params=SITUATIONS.values(), ids=SITUATIONS.keys()
)
def compared(request, small, programs):
  stepped, seen = programs
  situation = request.param
  case, params = draw(small, situation), weights(small, situation)
  by_step, (before, after, out, trace) = stepped(params, case)
  episode = episode_of(case, out)
  by_forward, (predictions, mel) = seen(params, case, out, episode)
  return Compared(
    situation, params, case, before, after, out, trace, by_step, predictions,
    mel, by_forward,
  )  # fmt: skip


def alive():
  return np.arange(J) < NUM_TURNS[:, None]


def test_the_run_is_a_hard_one(small, compared):
  """And it has what it is to have, and nothing else."""
  out, after, has = compared.out, compared.after, compared.situation
  memory, here = small.cfg.memory, alive()
  written = set(np.asarray(out.num_text)[here].tolist())
  counts = np.asarray(after.memory.counts)
  if has.text:
    assert written == set(range(small.cfg.turn.text_out + 1))
    assert not np.asarray(out.ended)[here].all()
    assert (counts[:, 1] > memory.text).all()
    assert (counts[:, 0] == NUM_PINNED).all()
  else:
    assert written == {0}
    assert not counts[:, :2].any()
  spoken = set(np.asarray(out.speaks)[here].tolist())
  assert spoken == ({False, True} if has.speech else {False})
  assert (counts[:, 2] > memory.media).all()
  if has.video and has.text and has.speech:
    assert (counts[:, 2] > memory.media + memory.block).all()
  assert (np.asarray(compared.case.frames_of) >= 0).any() == has.video
  # Sounds that are all alike would hide an error in how they are heard.
  sounds = [by_row(compared.case.turns).heard, out.voice]
  for sound in sounds if has.speech else sounds[:1]:
    sound = sound.reshape(len(START), -1)
    audio = small.cfg.audio
    tail = spectral.initial_tail(3, hop=audio.hop, window=audio.window)
    _, levels = interaction.listen(tail, sound, cfg=small.cfg)
    assert len(np.unique(levels)) > 3


def test_no_position_is_dropped(compared):
  assert compared.seen.dropped.tolist() == [0, 0, 0]
  here = alive()
  counted = int(compared.seen.load[0].sum())
  assert counted == 2 * int(compared.after.memory.length.sum())
  assert compared.after.turn.tolist() == (START + here.sum(axis=1)).tolist()


@pytest.mark.parametrize("what", ["hidden", "gate"])
def test_turns_end_alike(compared, what):
  stepped = compared.trace.hidden if what == "hidden" else compared.out.gate
  np.testing.assert_allclose(
    np.asarray(getattr(compared.seen, what))[alive()],
    np.asarray(stepped)[alive()],
    **CLOSE,
  )


def test_every_choice_of_text_is_alike(compared):
  places = compared.trace.logits.shape[2]
  made = np.asarray(layout.upto(compared.out.num_text + 1, places))
  made = made & alive()[..., None]
  assert made.sum() >= (50 if compared.situation.text else NUM_TURNS.sum())
  np.testing.assert_allclose(
    np.asarray(compared.seen.logits)[made],
    np.asarray(compared.trace.logits)[made],
    **CLOSE,
  )


def test_gradients_are_alike(compared):
  """Relative to the largest of each parameter: small ones are differences.

  Sums over all positions, in another order than those of a scan backwards,
  come out up to 2e-5 of the largest number apart.
  """
  named = jax.tree_util.tree_leaves_with_path(compared.by_step)
  moved = 0
  for (path, one), other in zip(
    named, jax.tree.leaves(compared.by_forward), strict=True
  ):
    name = jax.tree_util.keystr(path)
    one, other = np.asarray(one), np.asarray(other)
    largest = np.abs(other).max()
    moved += largest > 1e-3
    np.testing.assert_allclose(
      one, other, rtol=0, atol=1e-4 * largest + 1e-6, err_msg=name
    )
  assert moved > 40


def test_the_voice_is_alike(compared):
  """It is made from the hidden state, the text and the past of a turn.

  Guidance takes differences, which makes what is apart a few times larger.
  """
  here = alive()
  np.testing.assert_allclose(
    np.asarray(compared.mel)[here],
    np.asarray(compared.out.mel)[here],
    rtol=0,
    atol=2e-4,
  )


def test_the_voice_is_learned_and_the_feedback_is_not(compared):
  """What a model hears of itself is data: its vocoder learns nothing of it."""
  heads, has = compared.by_step["heads"], compared.situation
  learns = {name: np.any(leaf) for name, leaf in heads["flow"].items()}
  learns |= {"mixers": np.any(heads["flow"]["mixers"]["0"]["steer"])}
  idle = {name for name, some in learns.items() if not some}
  assert idle == (
    set(learns) if not has.speech else set() if has.text else {"text_in"}
  )
  for leaf in jax.tree.leaves(heads["vocoder"]):
    assert not np.asarray(leaf).any()


def test_turn_by_turn_is_the_same(small, compared, same_bits):
  """`step` as it is served: its loop stops when all rows have ended.

  Each turn begins where the scanned one began. Left to themselves the two
  drift apart: a voice that differs in its last digits is heard in whole levels
  of dMel, and one of thousands lies close enough to the next to be taken for
  it.
  """
  case, out = compared.case, compared.out
  last, form = jax.tree.flatten(compared.after)
  for index in range(J):
    now = form.unflatten([leaf[index] for leaf in compared.before])
    if index + 1 < J:
      then = [leaf[index + 1] for leaf in compared.before]
    else:
      then = last
    media = media_at(case, index, case.frames_of[:, index])
    turn = jax.tree.map(lambda leaf, index=index: leaf[index], case.turns)
    state, made = small.step(
      small.absorb(now, media, compared.params), turn, compared.params
    )
    for name in ("text", "num_text", "speaks", "ended"):
      same_bits(getattr(made, name), getattr(out, name)[:, index])
    np.testing.assert_allclose(made.gate, out.gate[:, index], **CLOSE)
    # Guidance takes differences, which makes what is apart a few times larger.
    np.testing.assert_allclose(made.mel, out.mel[:, index], rtol=0, atol=2e-4)
    # What is remembered, and all that is whole. A vocoder drawn at random
    # makes the last digits of a mel loud.
    for (path, one), other in zip(
      jax.tree_util.tree_leaves_with_path(state), then, strict=True
    ):
      name = f"turn {index}: {jax.tree_util.keystr(path)}"
      if not jnp.issubdtype(one.dtype, jnp.floating):
        same_bits(one, other)
      elif path[0] == jax.tree_util.GetAttrKey("memory"):
        # What a convolution keeps is of size 20, and its elements are sums in
        # which as much cancels: as many ulps, of the largest.
        size = max(np.abs(other).max() / 4.0, 1.0)
        bounds = CLOSE | {"atol": CLOSE["atol"] * size}
        np.testing.assert_allclose(one, other, **bounds, err_msg=name)


def test_no_video_at_all_is_video_that_is_never_shown(small, quick):
  """Programs without a place for pictures, beside those that have one."""
  rng = np.random.default_rng(8)
  drawn = small.episode(rng, 2, 3)
  unseen = dataclasses.replace(
    drawn, frames_of=jnp.full_like(drawn.frames_of, -1)
  )
  without = dataclasses.replace(drawn, frames=None, frames_of=None)
  see = jax.jit(
    functools.partial(forward, cfg=small.cfg), compiler_options=quick
  )
  one, other = see(small.params, unseen), see(small.params, without)
  for name in ("logits", "gate", "hidden"):
    np.testing.assert_allclose(
      getattr(one, name), getattr(other, name), **CLOSE, err_msg=name
    )
  np.testing.assert_array_equal(one.load, other.load)
  media = dataclasses.replace(
    small.media(rng, 3), has_frames=jnp.zeros((3,), bool)
  )
  bare = dataclasses.replace(media, frames=None, has_frames=None)
  take = jax.jit(
    functools.partial(steps.absorb, cfg=small.cfg), compiler_options=quick
  )
  states = [take(small.params, small.start(START), m) for m in (media, bare)]
  assert states[0].memory.counts.any()
  for one, other in zip(*map(jax.tree.leaves, states), strict=True):
    np.testing.assert_allclose(one, other, **CLOSE)
