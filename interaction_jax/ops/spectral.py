"""Log-mel frames of sound, and their rounding to a few levels (dMel).

A frame looks at `window` samples, the last `hop` of them new, so it is known
as soon as they are: a recording begins with `window - hop` samples of silence
and its last frame is filled up with silence.

```
silence | recording                    | silence      hop 2, window 4
  . .   | a b c d e                    | .
 [. .     a b]                                         frame 0
         [a b c d]                                     frame 1
             [c d e                      .]            frame 2
```

`log_mel` and `stream` are for arrays on a device; `push` and `flush` cut a
sound that arrives in pieces of any length on the host.
"""

import dataclasses
import functools
import math
from typing import Any, overload

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int, Num

FLOOR = 1e-10
"""Of a bin's power, and of a channel's magnitude."""


@functools.cache
def mel_filters(
  *, window: int, num_mels: int, sample_rate: int
) -> Float[np.ndarray, "I M"]:
  """Triangles that sum the bins of a spectrum into mel channels.

  They span 0 to `sample_rate / 2`, evenly on Slaney's scale (linear below
  1 kHz, 27 steps for each factor of 6.4 above); each has area 1 in Hz.

  Reference: Slaney 1998, Auditory Toolbox version 2, Interval technical
  report 1998-010.
  """
  if num_mels < 1:
    raise ValueError(f"num_mels={num_mels} must be 1 or more.")
  bins = np.linspace(0, sample_rate / 2, window // 2 + 1)[:, None]
  top = _mel(sample_rate / 2)
  edges = _hertz(np.linspace(0, top, num_mels + 2))
  low, peak, high = edges[:-2], edges[1:-1], edges[2:]
  rise = (bins - low) / (peak - low)
  fall = (high - bins) / (high - peak)
  filters = np.maximum(0, np.minimum(rise, fall)) * (2 / (high - low))
  filters = filters.astype(np.float32)
  filters.flags.writeable = False
  return filters


def initial_tail(batch: int, *, hop: int, window: int) -> Float[Array, "B I"]:
  """The silence that every sound begins with."""
  _check(hop, window)
  return jnp.zeros((batch, window - hop), jnp.float32)


def log_mel(
  samples: Float[Array, "B W"],
  *,
  hop: int,
  window: int,
  num_mels: int,
  sample_rate: int,
) -> Float[Array, "B A M"]:
  """Returns the frames of whole recordings, ⌈samples / hop⌉ of them.

  m = log10(max(10⁻¹⁰, √max(10⁻¹⁰, |rfft(hann · samples)|²) · filters)).

  Raises:
    ValueError: `window` is shorter than `hop`, or `hop` is not positive.
  """
  _check(hop, window)
  batch, length = samples.shape
  tail = initial_tail(batch, hop=hop, window=window)
  samples = jnp.pad(samples, ((0, 0), (0, -length % hop)))
  _, frames = stream(
    tail,
    samples,
    hop=hop,
    window=window,
    num_mels=num_mels,
    sample_rate=sample_rate,
  )
  return frames


def stream(
  tail: Float[Array, "B I"],
  samples: Float[Array, "B W"],
  *,
  hop: int,
  window: int,
  num_mels: int,
  sample_rate: int,
) -> tuple[Float[Array, "B I"], Float[Array, "B A M"]]:
  """Returns the next tail and the frames of the next piece of a sound.

  Args:
    tail: the last `window - hop` samples before the piece.
    samples: a whole number of hops.

  Raises:
    ValueError: a piece or a tail of the wrong length.
  """
  _check(hop, window)
  if samples.shape[1] % hop:
    raise ValueError(
      f"samples.shape={samples.shape}: a piece must be a whole number of "
      f"hops of {hop} samples; {samples.shape[1] % hop} are left over."
    )
  if tail.shape != (samples.shape[0], window - hop):
    raise ValueError(
      f"tail.shape={tail.shape} must be "
      f"{(samples.shape[0], window - hop)}: window={window}, hop={hop}."
    )
  sound = jnp.concatenate([tail, samples.astype(jnp.float32)], axis=1)
  frames = _windows(sound, hop, window) * hann(window)
  spectrum = jnp.fft.rfft(frames)
  power = jnp.square(spectrum.real) + jnp.square(spectrum.imag)
  filters = mel_filters(
    window=window, num_mels=num_mels, sample_rate=sample_rate
  )
  # Without this a TPU multiplies in bfloat16, coarser than the levels need.
  magnitude = jnp.matmul(
    jnp.sqrt(jnp.maximum(power, FLOOR)),
    filters,
    precision=lax.Precision.HIGHEST,
  )
  start = sound.shape[1] - tail.shape[1]
  return sound[:, start:], jnp.log10(jnp.maximum(magnitude, FLOOR))


@functools.cache
def hann(window: int) -> Float[np.ndarray, " I"]:
  """The periodic Hann window: its copies, half a window apart, add up to 1."""
  phase = 2 * np.pi * np.arange(window) / window
  values = (0.5 - 0.5 * np.cos(phase)).astype(np.float32)
  values.flags.writeable = False
  return values


# Levels.


@overload
def quantize(
  frames: Float[np.ndarray, "..."], *, num_levels: int, low: float, high: float
) -> Int[np.ndarray, "..."]: ...
@overload
def quantize(
  frames: Float[Array, "..."], *, num_levels: int, low: float, high: float
) -> Int[Array, "..."]: ...
def quantize(frames: Any, *, num_levels: int, low: float, high: float) -> Any:
  """Returns the nearest level of each value, 0 to `num_levels - 1`.

  Halfway between two levels the lower one wins; NaN has the lowest. A NumPy
  array stays one, so that the host need not wait for a device.

  Args:
    low, high: values of the first and the last level.
  """
  bounds = boundaries(num_levels=num_levels, low=low, high=high)
  if isinstance(frames, np.ndarray):
    levels = np.searchsorted(bounds, frames)
    return np.where(np.isnan(frames), 0, levels).astype(np.int32)
  # Comparing with every boundary fuses into one pass without a gather.
  return (frames[..., None] > bounds).sum(axis=-1, dtype=jnp.int32)


def dequantize(
  levels: Int[Array, "..."], *, num_levels: int, low: float, high: float
) -> Float[Array, "..."]:
  """Returns the value of each level."""
  values = level_values(num_levels=num_levels, low=low, high=high)
  return jnp.asarray(values)[levels]


@functools.cache
def level_values(
  *, num_levels: int, low: float, high: float
) -> Float[np.ndarray, " Q"]:
  """The values of the levels, evenly spaced in float64 and then rounded."""
  if num_levels < 2 or low >= high:
    raise ValueError(
      f"num_levels={num_levels} from low={low} to high={high} are not "
      "levels; 16 from -7.0 to 2.0 are usual."
    )
  values = np.linspace(low, high, num_levels).astype(np.float32)
  values.flags.writeable = False
  return values


@functools.cache
def boundaries(
  *, num_levels: int, low: float, high: float
) -> Float[np.ndarray, " I"]:
  """The largest float32 that still rounds to each level but the last.

  Nearest is what float32 distances say. Those only grow away from a level,
  so each boundary is one number, found by halving, and comparing with it
  gives the nearest level bit for bit.
  """
  values = level_values(num_levels=num_levels, low=low, high=high)
  nearer, farther = values[:-1], values[1:]
  while True:
    middle = ((nearer.astype(np.float64) + farther) / 2).astype(np.float32)
    if ((middle == nearer) | (middle == farther)).all():
      break
    rest = np.abs(middle - values[:-1]) <= np.abs(middle - values[1:])
    nearer = np.where(rest, middle, nearer)
    farther = np.where(rest, farther, middle)
  nearer.flags.writeable = False
  return nearer


# A sound in pieces of any length, on the host.


@dataclasses.dataclass(frozen=True, eq=False)
class Pending:
  """What is remembered of a sound between two pieces.

  Attributes:
    tail: the last `window - hop` samples that belong to frames.
    rest: the beginning of the next hop, less than `hop` samples.
  """

  tail: Float[np.ndarray, " I"]
  rest: Float[np.ndarray, " W"]


def silence(*, hop: int, window: int) -> Pending:
  """The state before the first sample."""
  _check(hop, window)
  return Pending(
    tail=np.zeros(window - hop, np.float32), rest=np.zeros(0, np.float32)
  )


def push(
  state: Pending,
  samples: Num[np.ndarray, "..."],
  *,
  hop: int,
  window: int,
  num_mels: int,
  sample_rate: int,
) -> tuple[Pending, Float[np.ndarray, "A M"]]:
  """Returns the next state and the frames that became complete.

  The same sound gives the same bits however it is cut: no operation here
  depends on how many frames it handles at once. (XLA's do.)

  Args:
    samples: any number of them, none included.

  Raises:
    ValueError: `samples` has more than one channel, or is not of floats.
  """
  if samples.ndim != 1 or not np.issubdtype(samples.dtype, np.floating):
    raise ValueError(
      f"samples of shape {samples.shape} and dtype {samples.dtype} must be "
      "one channel of floats from -1 to 1."
    )
  sound = np.concatenate([state.tail, state.rest, samples], dtype=np.float32)
  num_frames = (len(sound) - (window - hop)) // hop
  filters = _sparse_filters(window, num_mels, sample_rate)
  frames = np.empty((num_frames, num_mels), np.float32)
  for first in range(0, num_frames, _BLOCK):
    last = min(first + _BLOCK, num_frames)
    block = sound[first * hop : (last - 1) * hop + window]
    frames[first:last] = _log_mel_on_host(block, hop, window, filters)
  # Copies, so that a state does not keep a whole recording alive.
  used = num_frames * hop
  middle = used + window - hop
  return Pending(sound[used:middle].copy(), sound[middle:].copy()), frames


def flush(
  state: Pending, *, hop: int, window: int, num_mels: int, sample_rate: int
) -> tuple[Pending, Float[np.ndarray, "A M"]]:
  """Fills the unfinished hop up with silence; no frame if there is none."""
  missing = np.zeros(-len(state.rest) % hop, np.float32)
  return push(
    state,
    missing,
    hop=hop,
    window=window,
    num_mels=num_mels,
    sample_rate=sample_rate,
  )


# Frames for which the intermediate arrays stay in a core's cache.
_BLOCK = 256


def _log_mel_on_host(
  sound: np.ndarray, hop: int, window: int, filters: Any
) -> np.ndarray:
  import scipy.fft

  # Overlapping windows of one buffer; `as_strided` takes ten times as long.
  frames = np.ndarray(
    ((len(sound) - window) // hop + 1, window),
    np.float32,
    sound,
    strides=(hop * sound.itemsize, sound.itemsize),
  )
  spectrum = np.asarray(scipy.fft.rfft(frames * hann(window)))
  magnitude = np.maximum(np.abs(spectrum), math.sqrt(FLOOR))
  # A dense product sums in an order that depends on the number of frames;
  # the sparse one adds channel by channel, bin by bin, and is as fast.
  mel = filters @ magnitude.T
  return np.log10(np.maximum(mel, FLOOR)).T


@functools.cache
def _sparse_filters(window: int, num_mels: int, sample_rate: int) -> Any:
  import scipy.sparse

  filters = mel_filters(
    window=window, num_mels=num_mels, sample_rate=sample_rate
  )
  return scipy.sparse.csr_array(filters.T)


def _windows(
  sound: Float[Array, "B W"], hop: int, window: int
) -> Float[Array, "B A I"]:
  """Every window of `sound`, by slices: a gather would be slower."""
  num_frames = (sound.shape[1] - (window - hop)) // hop
  unit = math.gcd(hop, window)
  units = sound.reshape(sound.shape[0], -1, unit)
  stride = hop // unit
  span = max(num_frames - 1, 0) * stride + min(num_frames, 1)
  parts = [
    units[:, first : first + span : stride] for first in range(window // unit)
  ]
  return jnp.concatenate(parts, axis=-1)


def _mel(hertz: float) -> float:
  if hertz < 1000:
    return hertz * 3 / 200
  return 15 + 27 * math.log(hertz / 1000) / math.log(6.4)


def _hertz(mel: np.ndarray) -> np.ndarray:
  above = 1000 * np.exp(math.log(6.4) / 27 * (mel - 15))
  return np.where(mel < 15, mel * 200 / 3, above)


def _check(hop: int, window: int) -> None:
  if not 1 <= hop <= window:
    raise ValueError(
      f"hop={hop} and window={window}: a hop must be 1 or more and no longer "
      f"than the window, or samples between frames would be lost."
    )
