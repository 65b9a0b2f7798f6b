"""The voice: frames of fine mel in, samples out, frame by frame.

A source hums at the pitch that the network reads from the frames, and hisses;
the mel says how loud the sum is, and the network corrects it and says how much
of it hums, for each bin of each frame. Phases follow from the hum, so none has
to be guessed, and a small network learns the rest in minutes.

```
mel -> causal blocks -> pitch -> hum -- rfft -- x periodic -----+
  |         |                   hiss -- rfft -- x (1 - periodic) +
  |         +-> periodic, gain                                   |
  +-------------> size ----------------------------------------- x
                                                                 |
                         samples <- overlap-add <- irfft --------+
```
"""

import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import lax
from jaxtyping import Array, Complex, Float, Int, UInt32

from interaction_jax.core import params
from interaction_jax.model.config import VocoderConfig
from interaction_jax.ops import conv, linear, norm, spectral, waveform

# A faint frame stays faint whatever the network says: it can change the
# loudness that the frame itself has by this factor at most, e^3.
_MOST_GAIN = 3.0
# Around it lies the mel of speech at a usual level, with a deviation of 1.
_USUAL = -3.0


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class VocoderState:
  """What the voice remembers of each session.

  Attributes:
    tails: the last inputs of each block's convolution.
    index: frames so far; the hiss is a function of it.
    phase: of the hum in the middle of the last frame's window, in periods.
    pitch: there, in Hz.
    hiss: its last samples.
    sound: sums of samples that wait for more frames.
  """

  tails: tuple[Float[Array, "B _ D"], ...]
  index: Int[Array, " B"]
  phase: Float[Array, " B"]
  pitch: Float[Array, " B"]
  hiss: Float[Array, "B I"]
  sound: Float[Array, "B I"]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Controls:
  """What the network says of each frame.

  Attributes:
    pitch: logits of the pitches of `pitches`.
    gain: of each bin, as a natural logarithm, over what the mel suggests.
    periodic: the part of each bin that hums, 0 to 1.
  """

  pitch: Float[Array, "B A _"]
  gain: Float[Array, "B A _"]
  periodic: Float[Array, "B A _"]


class Block(nnx.Module):
  """x + W gelu(V norm(conv x)), the convolution causal and by channel.

  Reference: Liu et al. 2022, arXiv:2201.03545.
  """

  def __init__(self, cfg: VocoderConfig, *, param_dtype: str, rngs: nnx.Rngs):
    width, wide = cfg.width, cfg.expansion * cfg.width
    sizes = {"Z": cfg.taps, "D": width, "F": wide}
    draw = functools.partial(params.normal, rngs, dtype=param_dtype)
    self.eps = cfg.norm_eps
    self.taps = draw("Z D", sizes, std=cfg.taps**-0.5)
    self.norm = params.constant(1.0, "D", sizes, dtype=param_dtype)
    self.into = draw("D F", sizes, std=width**-0.5)
    # Small, so that a deep stack begins close to the identity.
    self.out = draw("F D", sizes, std=0.3 * wide**-0.5)

  def __call__(
    self, x: Float[Array, "B A D"], tail: Float[Array, "B I D"]
  ) -> tuple[Float[Array, "B A D"], Float[Array, "B I D"]]:
    """Applies the block; returns its output and the next tail."""
    y = conv.short(x, self.taps[...], tail=tail)
    y = norm.rms(y, self.norm[...], eps=self.eps)
    y = jax.nn.gelu(linear.contract("BAD,DF->BAF", y, self.into[...]))
    y = linear.contract("BAF,FD->BAD", y, self.out[...])
    seen = jnp.concatenate([tail, x], axis=1)
    return x + y, seen[:, x.shape[1] :]


class Vocoder(nnx.Module):
  """Turns fine mel into sound, any number of frames at a time.

  The sound comes `cfg.delay` samples later than the frames describe it. It is
  a source filtered frame by frame, as in DDSP (Engel et al. 2020,
  arXiv:2001.04643), in the spectrum, as in HiFTNet (Li et al. 2023,
  arXiv:2309.09493).

  Raises:
    ValueError: there are more mel channels than the window tells apart.
  """

  def __init__(
    self,
    cfg: VocoderConfig,
    *,
    param_dtype: str = "float32",
    rngs: nnx.Rngs,
  ):
    self.cfg = cfg
    _tables(cfg)  # What no vocoder can be made of is refused here.
    sizes = {"M": cfg.num_mels, "D": cfg.width}
    draw = functools.partial(params.normal, rngs, dtype=param_dtype)
    self.into = draw("M D", sizes, std=cfg.num_mels**-0.5)
    self.blocks = nnx.List(
      [
        Block(cfg, param_dtype=param_dtype, rngs=rngs)
        for _ in range(cfg.num_layers)
      ]
    )
    self.norm = params.constant(1.0, "D", sizes, dtype=param_dtype)
    std = 0.1 * cfg.width**-0.5
    num_bins = cfg.window // 2 + 1
    self.pitch = draw("D I", sizes | {"I": cfg.num_pitches}, std=std)
    self.gain = draw("D I", sizes | {"I": num_bins}, std=std)
    self.periodic = draw("D I", sizes | {"I": num_bins}, std=std)

  def start(self, batch: int) -> VocoderState:
    """The state of sessions that have not begun."""
    return start(self.cfg, batch)

  def __call__(
    self, mel: Float[Array, "B A M"], state: VocoderState
  ) -> tuple[Float[Array, "B W"], VocoderState]:
    """Returns the samples of the next frames, `cfg.hop` of them a frame.

    Longer sounds are made turn by turn, with the arithmetic of one turn: so
    whole turns get, bit for bit, the samples that a session makes of them.
    Otherwise the pitch would be rounded in another way, and the phase of the
    hum carries on whatever it is off.

    Args:
      mel: log10 magnitudes, as `spectral.log_mel` gives them.
    """
    batch, frames, num_mels = mel.shape
    size = self.cfg.frames_per_turn
    turns = frames // size
    if turns < 2:
      return self._piece(mel, state)

    def turn(state, frames):
      sound, state = self._piece(frames, state)
      return state, sound

    whole = mel[:, : turns * size].reshape(batch, turns, size, num_mels)
    state, sound = lax.scan(turn, state, jnp.moveaxis(whole, 1, 0))
    sound = jnp.moveaxis(sound, 0, 1).reshape(batch, -1)
    if turns * size < frames:
      rest, state = self._piece(mel[:, turns * size :], state)
      sound = jnp.concatenate([sound, rest], axis=1)
    return sound, state

  def _piece(
    self, mel: Float[Array, "B A M"], state: VocoderState
  ) -> tuple[Float[Array, "B W"], VocoderState]:
    controls, state = self.listen(mel, state)
    hertz = decode_pitch(controls.pitch, self.cfg)
    return self.sing(mel, controls, hertz, state)

  def listen(
    self, mel: Float[Array, "B A M"], state: VocoderState
  ) -> tuple[Controls, VocoderState]:
    """Runs the network alone: what each frame is to sound like."""
    cfg = self.cfg
    loud = jnp.maximum(mel.astype(jnp.float32), cfg.floor)
    x = linear.contract("BAM,MD->BAD", loud - _USUAL, self.into[...])
    tails = []
    for block, tail in zip(self.blocks, state.tails, strict=True):
      x, tail = block(x, tail)
      tails.append(tail)
    x = norm.rms(x, self.norm[...], eps=cfg.norm_eps)
    heads = (self.pitch[...], self.gain[...], self.periodic[...])
    pitch, gain, periodic = (
      linear.contract("BAD,DI->BAI", x, head) for head in heads
    )
    controls = Controls(
      pitch=pitch,
      gain=_MOST_GAIN * jnp.tanh(gain / _MOST_GAIN),
      periodic=jax.nn.sigmoid(periodic),
    )
    return controls, dataclasses.replace(state, tails=tuple(tails))

  def sing(
    self,
    mel: Float[Array, "B A M"],
    controls: Controls,
    hertz: Float[Array, "B A"],
    state: VocoderState,
  ) -> tuple[Float[Array, "B W"], VocoderState]:
    """Makes the sound of frames whose controls are known.

    Args:
      hertz: the pitch in the middle of the window that each frame looks at.

    Returns:
      The samples, and a state whose `tails` are still those of `state`.
    """
    cfg = self.cfg
    grid = {"hop": cfg.hop, "window": cfg.window}
    phase, hum = _hum(hertz, state.phase, state.pitch, cfg)
    hiss = _hiss(state.index, mel.shape[1], cfg.hop)
    hiss_tail, hiss = waveform.analyze(state.hiss, hiss, **grid)
    # A wave of amplitude 1, and noise of variance 1, in a Hann window.
    hums = controls.periodic * (4 / cfg.window)
    hisses = (1 - controls.periodic) / math.sqrt(0.3 * cfg.window)
    spectra = _shaped(hums * hum + hisses * hiss, mel, controls.gain, cfg)
    tail, sound = waveform.synthesize(state.sound, spectra, **grid)
    state = dataclasses.replace(
      state,
      index=state.index + mel.shape[1],
      phase=phase,
      pitch=hertz[:, -1],
      hiss=hiss_tail,
      sound=tail,
    )
    return sound, state


def start(cfg: VocoderConfig, batch: int) -> VocoderState:
  """The state of sessions that have not begun."""

  def silence():
    return waveform.initial_tail(batch, hop=cfg.hop, window=cfg.window)

  # Arrays of their own, all of them: a donated buffer must not occur twice.
  return VocoderState(
    tails=tuple(
      jnp.zeros((batch, cfg.taps - 1, cfg.width)) for _ in range(cfg.num_layers)
    ),
    index=jnp.zeros((batch,), jnp.int32),
    phase=jnp.zeros((batch,)),
    # A number without a type is weak, and a step would be compiled twice.
    pitch=jnp.full((batch,), cfg.pitch_low, jnp.float32),
    hiss=silence(),
    sound=silence(),
  )


def pitches(cfg: VocoderConfig) -> Float[np.ndarray, " I"]:
  """The pitches that the network tells apart, in Hz."""
  values = np.geomspace(cfg.pitch_low, cfg.pitch_high, cfg.num_pitches)
  return values.astype(np.float32)


def decode_pitch(
  logits: Float[Array, "B A I"], cfg: VocoderConfig
) -> Float[Array, "B A"]:
  """The pitch in Hz: the likeliest one, averaged with those beside it.

  The phase of the hum sums up every error of it. So the mean is taken of
  steps from the likeliest one, which are small and so are their errors.

  Reference: Kim et al. 2018, arXiv:1802.06182, section 2.
  """
  best = jnp.argmax(logits, axis=-1, keepdims=True)
  steps = jnp.arange(cfg.num_pitches) - best
  near = jnp.where(jnp.abs(steps) <= 2, logits, -jnp.inf)
  mean = jnp.sum(jax.nn.softmax(near) * steps, axis=-1)
  step = math.log(cfg.pitch_high / cfg.pitch_low) / (cfg.num_pitches - 1)
  return jnp.asarray(pitches(cfg))[best[..., 0]] * jnp.exp(step * mean)


def _hum(
  hertz: Float[Array, "B A"],
  phase: Float[Array, " B"],
  before: Float[Array, " B"],
  cfg: VocoderConfig,
) -> tuple[Float[Array, " B"], Complex[Array, "B A _"]]:
  """Spectra of all harmonics below half the sample rate, of amplitude 1.

  Each frame hums its whole window by itself, at the pitch of the window's
  middle and gliding on as it came: what overlaps agrees where the pitch goes
  straight. So no frame needs a pitch that lies ahead of what it knows.
  """
  start = jnp.concatenate([before[:, None], hertz[:, :-1]], axis=1)
  # One by one: of the same pitch, any pieces make the same phase.
  advance = (start + hertz) * (cfg.hop / 2 / cfg.sample_rate)

  def step(phase, advance):
    phase = (phase + advance) % 1.0
    return phase, phase

  phase, phases = lax.scan(step, phase, advance.T)
  # A jump to another octave is none of the voice, and must not go on.
  most = 0.1 * hertz
  glide = jnp.clip(hertz - start, -most, most)[..., None] / cfg.hop
  n = np.arange(cfg.window, dtype=np.float32) - cfg.window / 2
  now = hertz[..., None] + glide * n
  cycles = (hertz[..., None] + glide / 2 * n) * n / cfg.sample_rate
  sound = _pulses(phases.T[..., None] + cycles, cfg.sample_rate / 2 / now)
  return phase, jnp.fft.rfft(sound * spectral.hann(cfg.window))


def _pulses(
  cycles: Float[Array, "B A I"], room: Float[Array, "B A I"]
) -> Float[Array, "B A I"]:
  """The sum of as many harmonics as there is room for.

  With θ the phase and K harmonics, Σ cos kθ = (sin((K + ½) θ) / sin(θ / 2)
  - 1) / 2. The next one fades in as the pitch makes room for it, so that
  nothing jumps.
  """
  cycles = cycles - jnp.round(cycles)
  # So close to the pulse the sum is K, and the quotient would be 0 / 0.
  cycles = jnp.where(jnp.abs(cycles) < 1e-5, 1e-5, cycles)
  theta = 2 * np.pi * cycles
  whole = jnp.floor(room)
  total = jnp.sin((whole + 0.5) * theta) / jnp.sin(theta / 2) - 1
  return total / 2 + (room - whole) * jnp.cos((whole + 1) * theta)


def _hiss(
  index: Int[Array, " B"], num_frames: int, hop: int
) -> Float[Array, "B W"]:
  """White noise of variance 1, a function of the number of the sample.

  So every session hisses alike, on every machine, and no key is needed.
  """
  number = jnp.arange(num_frames * hop, dtype=jnp.uint32)
  number = number + (index.astype(jnp.uint32) * np.uint32(hop))[:, None]
  bits = _scramble(number) >> 8
  return bits.astype(jnp.float32) * (2 * math.sqrt(3) / 2**24) - math.sqrt(3)


def _scramble(x: UInt32[Array, "..."]) -> UInt32[Array, "..."]:
  """A fixed one-to-one map of the integers that looks random.

  Reference: Wellons 2018, Prospecting for hash functions ("lowbias32").
  """
  x = (x ^ (x >> 16)) * np.uint32(0x7FEB352D)
  x = (x ^ (x >> 15)) * np.uint32(0x846CA68B)
  return x ^ (x >> 16)


def _shaped(
  source: Complex[Array, "B A I"],
  mel: Float[Array, "B A M"],
  gain: Float[Array, "B A I"],
  cfg: VocoderConfig,
) -> Complex[Array, "B A I"]:
  """Makes each spectrum as loud as its mel frame says, and resonate like it.

  size = exp(level (log mel - log mel(source)) + gain): the network only has
  to say what the mel does not.
  """
  filters, level, phase_of = _tables(cfg)
  product = functools.partial(jnp.matmul, precision=lax.Precision.HIGHEST)
  loud = jnp.maximum(mel.astype(jnp.float32), cfg.floor)
  # Measured from the floor up, so that a silent frame makes no sound.
  above = 10.0**loud - 10.0**cfg.floor + spectral.FLOOR
  power = jnp.square(source.real) + jnp.square(source.imag)
  own = product(jnp.sqrt(power + spectral.FLOOR), filters)
  missing = jnp.log10(above / (own + spectral.FLOOR))
  size = jnp.exp(product(missing, level) + gain)
  phase = product(loud, phase_of)
  return source * lax.complex(size * jnp.cos(phase), size * jnp.sin(phase))


@functools.cache
def _tables(
  cfg: VocoderConfig,
) -> tuple[
  Float[np.ndarray, "I M"], Float[np.ndarray, "M I"], Float[np.ndarray, "M I"]
]:
  """From magnitudes to mel, and from log-mel to levels and to phases.

  Between the centres of two channels the level, a natural logarithm, is
  interpolated. Phases are those of a resonance, which sounds when the pulse
  comes and then dies away: the cepstrum of the level, folded to the right.

  Reference: Oppenheim and Schafer 2010, Discrete-Time Signal Processing,
  section 13.5.
  """
  filters = spectral.mel_filters(
    window=cfg.window, num_mels=cfg.num_mels, sample_rate=cfg.sample_rate
  )
  area = filters.sum(axis=0)
  if not area.all():
    raise ValueError(
      f"vocoder.num_mels={cfg.num_mels} are so many that channel "
      f"{int(np.argmin(area))} holds no bin of vocoder.window={cfg.window}; "
      "80 and 640 are usual."
    )
  bins = np.linspace(0, cfg.sample_rate / 2, cfg.window // 2 + 1)
  centres = bins @ filters / area
  level = np.stack(
    [np.interp(bins, centres, row) for row in np.eye(cfg.num_mels)]
  )
  level *= math.log(10)
  cepstra = np.fft.irfft(level)
  # Of the ripples that a pitch leaves in the level no resonance is to come.
  lag = np.arange(cfg.window)
  reach = cfg.sample_rate // 400
  fold = 2 * np.cos(np.pi / 2 * np.minimum(lag / reach, 1)) ** 2
  fold[0] = 1
  phase_of = np.fft.rfft(cepstra * fold).imag
  return filters, level.astype(np.float32), phase_of.astype(np.float32)
