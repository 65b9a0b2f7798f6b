"""How high a voice is, heard in the sound itself."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from interaction_jax.ops import waveform


def track(
  samples: Float[Array, "B W"],
  *,
  hop: int,
  window: int,
  sample_rate: int,
  low: float,
  high: float,
  octave_cost: float = 0.1,
) -> tuple[Float[Array, "B A"], Float[Array, "B A"]]:
  """Returns the pitch of each frame, in Hz, and how periodic it is, 0 to 1.

  Frames lie as those of `ops/spectral.py` do. A period is the lag at which
  the sound resembles itself most; of lags that do about equally well the
  shortest wins, since a multiple of a period is no period. The resemblance
  of a windowed sound is divided by that of the window.

  Args:
    low, high: of the pitches looked for, in Hz. Two periods of the lowest
      should fit into `window`.
    octave_cost: what doubling a period costs in resemblance.

  Raises:
    ValueError: no lag, or none within half a window, has such a pitch.

  Reference: Boersma 1993, Accurate short-term analysis of the fundamental
  frequency, Proceedings of the Institute of Phonetic Sciences 17.
  """
  first, last = int(sample_rate / high), int(np.ceil(sample_rate / low))
  if not 2 <= first < last or last > 3 * window // 4:
    raise ValueError(
      f"low={low} and high={high}: periods of {first} to {last} samples must "
      f"grow from 2 to at most {3 * window // 4}, three quarters of window="
      f"{window}."
    )
  length = samples.shape[1]
  samples = jnp.pad(samples, ((0, 0), (0, -length % hop)))
  tail = waveform.initial_tail(samples.shape[0], hop=hop, window=window)
  hann = waveform.frames(tail, samples, hop=hop, window=window)
  resemblance = _autocorrelation(hann, last + 2)
  shape = np.hanning(window + 1)[:-1]
  own = np.fft.irfft(np.abs(np.fft.rfft(shape, 2 * window)) ** 2)[: last + 2]
  own = (own / own[0]).astype(np.float32)
  # A faint hum must not pass for a voice, nor silence divide by zero.
  energy = resemblance[..., :1] + 1e-6 * window
  curve = resemblance / energy / own
  lags = np.arange(first, last + 1)
  cost = octave_cost * np.log2(lags / first)
  found = jnp.argmax(curve[..., first : last + 1] - cost, axis=-1) + first
  before, peak, after = (
    jnp.take_along_axis(curve, found[..., None] + step, axis=-1)[..., 0]
    for step in (-1, 0, 1)
  )
  # The top of the parabola through three points lies between the lags.
  bend = jnp.minimum(before - 2 * peak + after, -1e-9)
  shift = jnp.clip(0.5 * (before - after) / bend, -0.5, 0.5)
  return sample_rate / (found + shift), jnp.clip(peak, 0.0, 1.0)


def _autocorrelation(
  frames: Float[Array, "B A I"], num_lags: int
) -> Float[Array, "B A _"]:
  """The correlation of each frame with itself at lags from zero on."""
  frames = frames - jnp.mean(frames, axis=-1, keepdims=True)
  spectra = jnp.fft.rfft(frames, 2 * frames.shape[-1])
  power = jnp.square(spectra.real) + jnp.square(spectra.imag)
  return jnp.fft.irfft(power)[..., :num_lags]
