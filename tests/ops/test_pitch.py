import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.ops import pitch

RATE = 8000
GRID = {"hop": 80, "window": 320, "sample_rate": RATE}
RANGE = {"low": 60.0, "high": 500.0}


def _voice(hertz, harmonics=12):
  """Pulses without their sharpness, at a pitch for each sample."""
  phase = 2 * np.pi * np.cumsum(hertz) / RATE
  waves = [np.cos(k * phase) / k for k in range(1, harmonics + 1)]
  return jnp.asarray(0.1 * np.sum(waves, axis=0)[None], jnp.float32)


@pytest.mark.parametrize(
  "hertz", [70.0, 123.4, 233.3, 330.0], ids="{} Hz".format
)
def test_a_steady_voice_has_its_pitch(hertz):
  found, resemblance = pitch.track(
    _voice(np.full(4000, hertz)), **GRID, **RANGE
  )
  assert found.shape == resemblance.shape == (1, 50)
  # Once the window is full. A period of 24 samples is found to a tenth.
  np.testing.assert_allclose(found[0, 4:], hertz, rtol=0.005)
  assert (resemblance[0, 4:] > 0.9).all()


def test_a_glide_is_followed_in_time():
  hertz = np.geomspace(100, 300, 8000)
  found, _ = pitch.track(_voice(hertz, harmonics=5), **GRID, **RANGE)
  # The middle of frame k's window.
  middle = (np.arange(100) + 1) * 80 - 160
  inside = slice(8, 92)
  # A window that glides by 1.1 % in each of its quarters is blurred by less.
  np.testing.assert_allclose(found[0, inside], hertz[middle[inside]], rtol=0.01)


@pytest.mark.parametrize("level", [0.0, 1e-6, 0.1], ids="level={}".format)
def test_what_has_no_pitch_resembles_itself_less(level):
  noise = level * np.random.default_rng(0).standard_normal((1, 8000))
  found, resemblance = pitch.track(
    jnp.asarray(noise, jnp.float32), **GRID, **RANGE
  )
  assert jnp.isfinite(found).all()
  assert jnp.mean(resemblance > 0.7) < 0.05


def test_rows_do_not_touch():
  voice = _voice(np.full(1600, 100.0))
  alone = pitch.track(voice, **GRID, **RANGE)
  both = pitch.track(
    jnp.concatenate([jnp.full_like(voice, jnp.nan), voice]), **GRID, **RANGE
  )
  for one, two in zip(alone, both, strict=True):
    np.testing.assert_allclose(one[0], two[1], rtol=1e-5)


@pytest.mark.parametrize(
  ("low", "high"),
  [(20.0, 500.0), (300.0, 200.0), (60.0, 5000.0)],
  ids=["low", "reversed", "high"],
)
def test_pitches_out_of_reach_are_refused(low, high):
  with pytest.raises(ValueError, match=f"low={low} and high={high}"):
    pitch.track(jnp.zeros((1, 800)), **GRID, low=low, high=high)
