"""From spectra back to samples: overlap-add, and phases by Griffin-Lim.

A spectrum covers `window` samples, and each begins `hop` samples after the
one before. In a stream, a sample is out once the last spectrum that touches
it is known, so a spectrum's first hop is out at once and the rest waits.

```
          hop 2, window 4
 [a b c d]                     spectrum 0: a b are out
     [e f g h]                 spectrum 1: c+e d+f are out
         [i j k l]             spectrum 2: g+i h+j are out, k l wait
```
"""

import functools

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Complex, Float

from interaction_jax.ops import spectral


def initial_tail(batch: int, *, hop: int, window: int) -> Float[Array, "B I"]:
  """The silence before the first sample, and what waits of it."""
  _check(hop, window)
  return jnp.zeros((batch, window - hop), jnp.float32)


def analyze(
  tail: Float[Array, "B I"],
  samples: Float[Array, "B W"],
  *,
  hop: int,
  window: int,
) -> tuple[Float[Array, "B I"], Complex[Array, "B A _"]]:
  """Returns the next tail and the spectra of the next piece of a sound.

  s = rfft(hann · samples), one for each hop; the last `hop` samples that a
  spectrum looks at are new.

  Args:
    tail: the last `window - hop` samples before the piece.
    samples: a whole number of hops.

  Raises:
    ValueError: a piece or a tail of the wrong length.
  """
  spectra = jnp.fft.rfft(frames(tail, samples, hop=hop, window=window))
  sound = jnp.concatenate([tail, samples], axis=1)
  return sound[:, samples.shape[1] :], spectra


def frames(
  tail: Float[Array, "B I"],
  samples: Float[Array, "B W"],
  *,
  hop: int,
  window: int,
) -> Float[Array, "B A _"]:
  """The Hann windows that `analyze` takes the spectra of.

  Raises:
    ValueError: a piece or a tail of the wrong length.
  """
  _check(hop, window)
  if samples.shape[1] % hop or tail.shape[1] != window - hop:
    raise ValueError(
      f"samples.shape={samples.shape} and tail.shape={tail.shape}: a piece "
      f"must be whole hops of {hop} samples, a tail {window - hop} samples."
    )
  sound = jnp.concatenate([tail, samples], axis=1)
  num_frames = samples.shape[1] // hop
  hops = sound.reshape(sound.shape[0], -1, hop)
  parts = [hops[:, r : r + num_frames] for r in range(window // hop)]
  return jnp.concatenate(parts, axis=-1) * spectral.hann(window)


def synthesize(
  tail: Float[Array, "B I"],
  spectra: Complex[Array, "B A _"],
  *,
  hop: int,
  window: int,
) -> tuple[Float[Array, "B I"], Float[Array, "B W"]]:
  """Returns the next tail and the samples that are complete, a hop a frame.

  The sound whose spectra are nearest to these:
  x = Σ hann · irfft(s) / Σ hann², sums over the frames that overlap. After
  `analyze` it is the same sound, `window - hop` samples later.

  Args:
    tail: sums of the samples that wait for more frames.

  Raises:
    ValueError: spectra or a tail of the wrong size.

  Reference: Griffin and Lim 1984, doi:10.1109/TASSP.1984.1164317, eq. 6.
  """
  _check(hop, window)
  batch, num_frames, num_bins = spectra.shape
  overlap = window // hop
  if num_bins != window // 2 + 1 or tail.shape != (batch, window - hop):
    raise ValueError(
      f"spectra.shape={spectra.shape} and tail.shape={tail.shape}: a spectrum "
      f"must have {window // 2 + 1} bins, a tail {window - hop} samples."
    )
  pieces = jnp.fft.irfft(spectra, window) * _synthesis_window(hop, window)
  hops = pieces.reshape(batch, num_frames, overlap, hop)
  waiting = tail.reshape(batch, overlap - 1, hop)
  total = jnp.pad(waiting, ((0, 0), (0, num_frames), (0, 0)))
  for r in range(overlap):
    total += jnp.pad(hops[:, :, r], ((0, 0), (r, overlap - 1 - r), (0, 0)))
  total = total.reshape(batch, -1)
  return total[:, num_frames * hop :], total[:, : num_frames * hop]


def absolute(
  sound: Float[Array, "B W"], *, hop: int, window: int
) -> Float[Array, "B A _"]:
  """The size of every bin of a whole sound, kept from zero.

  |s| = √(re² + im² + 1e-10): the root has no gradient at zero, and digital
  silence is zero. Silence is added until there are whole hops.
  """
  sound = jnp.pad(sound, ((0, 0), (0, -sound.shape[1] % hop)))
  tail = initial_tail(sound.shape[0], hop=hop, window=window)
  _, spectra = analyze(tail, sound, hop=hop, window=window)
  power = jnp.square(spectra.real) + jnp.square(spectra.imag)
  return jnp.sqrt(power + 1e-10)


def magnitudes(
  mel: Float[Array, "B A M"],
  *,
  window: int,
  sample_rate: int,
  num_steps: int = 60,
) -> Float[Array, "B A I"]:
  """Magnitudes of the bins that explain a log-mel spectrogram.

  Non-negative least squares, which a pseudo-inverse is not: from a smooth
  start, x ← x · (mel Fᵀ) / (x F Fᵀ) with the mel filters F.

  Reference: Lee and Seung 2000, Algorithms for non-negative matrix
  factorization.
  """
  filters = spectral.mel_filters(
    window=window, num_mels=mel.shape[-1], sample_rate=sample_rate
  )
  product = functools.partial(jnp.matmul, precision=lax.Precision.HIGHEST)
  wanted = product(10.0**mel, filters.T)
  gram = filters @ filters.T
  area = filters.sum(axis=1) + spectral.FLOOR

  def improve(_, x):
    return x * wanted / (product(x, gram) + spectral.FLOOR)

  return lax.fori_loop(0, num_steps, improve, wanted / area)


def griffin_lim(
  mel: Float[Array, "B A M"],
  *,
  hop: int,
  window: int,
  sample_rate: int,
  num_steps: int = 32,
  momentum: float = 0.99,
) -> Float[Array, "B W"]:
  """Sound of a whole log-mel spectrogram: the reference nobody trained.

  Phases start at random, the same ones every time. In each step they become
  those of the sound that the spectra give, and overshoot by `momentum`. The
  last `window - hop` samples fade, since no frame after them is known.

  Reference: Perraudin et al. 2013, doi:10.1109/WASPAA.2013.6701851.
  """
  size = magnitudes(mel, window=window, sample_rate=sample_rate)
  shape = size.shape
  turns = np.random.default_rng(0).random(shape[1:], np.float32)
  grid = {"hop": hop, "window": window}
  zeros = initial_tail(shape[0], **grid)

  def sound(spectra):
    tail, samples = synthesize(zeros, spectra, **grid)
    return jnp.concatenate([samples, tail], axis=1)

  def improve(_, carry):
    spectra, last = carry
    heard = sound(spectra)
    _, new = analyze(heard[:, : window - hop], heard[:, window - hop :], **grid)
    ahead = new + momentum * (new - last)
    unit = ahead / jnp.maximum(jnp.abs(ahead), spectral.FLOOR)
    return size * unit, new

  start = size * jnp.exp(2j * np.pi * turns)
  spectra, _ = lax.fori_loop(
    0, num_steps, improve, (start, jnp.zeros(shape, start.dtype))
  )
  return sound(spectra)[:, window - hop :]


@functools.cache
def _synthesis_window(hop: int, window: int) -> Float[np.ndarray, " I"]:
  hann = spectral.hann(window)
  power = np.square(hann).reshape(-1, hop).sum(axis=0)
  values = hann / np.tile(power, window // hop)
  values.flags.writeable = False
  return values


def _check(hop: int, window: int) -> None:
  if hop < 1 or window < 2 * hop or window % hop:
    raise ValueError(
      f"hop={hop} and window={window}: a window must be two hops or more, "
      f"and whole ones, or samples cannot be had back; {4 * max(hop, 1)} is "
      "usual."
    )
