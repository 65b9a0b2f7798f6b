import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.data.synthetic import synthesiser
from interaction_jax.ops import spectral

RATE = 16_000
DMEL = {"hop": 800, "window": 1600, "num_mels": 80, "sample_rate": RATE}
FINE = {"hop": 160, "window": 400, "num_mels": 80, "sample_rate": RATE}
LONG = {"hop": 160, "window": 640, "num_mels": 60, "sample_rate": RATE}
SHAPES = pytest.mark.parametrize(
  "numbers", [DMEL, FINE, LONG], ids=["dmel", "fine", "long"]
)
LEVELS = {"num_levels": 16, "low": -7.0, "high": 2.0}


def voice(seconds: float) -> np.ndarray:
  """A gliding pitch with falling harmonics, in syllables, over faint noise."""
  t = np.arange(int(seconds * RATE)) / RATE
  pitch = 120 + 40 * np.sin(2 * np.pi * 0.7 * t)
  phase = 2 * np.pi * np.cumsum(pitch) / RATE
  tones = [np.sin(k * phase) / k for k in range(1, 30)]
  syllables = np.clip(np.sin(2 * np.pi * 2.5 * t), 0, 1) ** 2
  noise = np.random.default_rng(3).normal(size=t.shape) * 1e-4
  return (0.2 * np.sum(tones, axis=0) * syllables + noise).astype("float32")


def hiss(seconds: float, scale: float) -> np.ndarray:
  values = np.random.default_rng(4).normal(size=int(seconds * RATE))
  return (values * scale).astype("float32")


def speech() -> np.ndarray:
  """Sentences in three of a synthesiser's voices."""
  said = [
    synthesiser.resample(
      synthesiser.speak(text, voice=voice, rate=rate, pitch=50)
    ).samples
    for voice, rate, text in (
      ("en-us", 120, "what is two plus three"),
      ("en-us-nyc+f2", 180, "say red cat and a green house"),
      ("en-gb-scotland+m1", 240, "good morning, count to nine please"),
    )
  ]
  return np.concatenate(said)


SOUNDS = {
  "speech": speech(),
  "voice": voice(12.3),
  "noise": hiss(10.01, 0.1),
  "faint": hiss(5.0, 1e-5),
  "silence": np.zeros(3 * RATE + 1, "float32"),
  "clipping": np.clip(voice(5.0) * 50, -1, 1),
  "beyond": hiss(2.0, 30.0),
  "sample": np.array([0.7], "float32"),
  "hop": hiss(0.05, 0.1),
}


def reference(sound: np.ndarray) -> np.ndarray:
  """Log-mel frames of the `transformers` package."""
  from transformers.models.inkling import feature_extraction_inkling

  extractor = feature_extraction_inkling.InklingFeatureExtractor()
  features = extractor(sound, sampling_rate=RATE, return_tensors="np")
  return features["input_features"][0]


def nearest(frames: np.ndarray) -> np.ndarray:
  """The bins of its processor: the first of the nearest centres."""
  centres = np.linspace(-7.0, 2.0, 16).astype("float32")
  clamped = np.clip(frames, np.float32(-7), np.float32(2))
  return np.abs(clamped[..., None] - centres).argmin(-1)


def on_device(sound: np.ndarray, numbers: dict) -> np.ndarray:
  return np.asarray(spectral.log_mel(jnp.asarray(sound[None]), **numbers)[0])


def on_host(sound: np.ndarray, numbers: dict) -> np.ndarray:
  state = spectral.silence(hop=numbers["hop"], window=numbers["window"])
  state, frames = spectral.push(state, sound, **numbers)
  _, last = spectral.flush(state, **numbers)
  return np.concatenate([frames, last])


@pytest.mark.parametrize("front_end", [on_device, on_host])
@pytest.mark.parametrize("name", SOUNDS)
def test_bins_equal_those_of_transformers(name, front_end):
  sound = SOUNDS[name]
  theirs = reference(sound)
  ours = front_end(sound, DMEL)
  assert ours.shape == theirs.shape == (-(-len(sound) // 800), 80)
  # Two FFTs in float32, 24 bits of the loudest bin, and a logarithm.
  np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-4)
  bins, wanted = spectral.quantize(ours, **LEVELS), nearest(theirs)
  differ = bins != wanted
  # A bin may differ only where the value sits on a boundary, and few do.
  bounds = spectral.boundaries(**LEVELS)
  to_bound = np.abs(theirs[..., None] - bounds).min(-1)
  assert differ.mean() <= 1e-4
  assert (to_bound[differ] < 2e-4).all()


def test_no_sound_has_as_many_frames_as_in_transformers():
  """By itself it is refused there; beside another sound it has none."""
  from transformers.models.inkling import feature_extraction_inkling

  extractor = feature_extraction_inkling.InklingFeatureExtractor()
  sounds = [np.zeros(0, "float32"), hiss(0.1, 0.1)]
  found = extractor(sounds, sampling_rate=RATE, return_tensors="np")
  real = found["input_features_mask"]
  assert real.sum(axis=1).tolist() == [0, 2]
  assert on_host(sounds[0], DMEL).shape == (0, 80)
  assert on_device(sounds[0], DMEL).shape == (0, 80)


@pytest.mark.parametrize("front_end", [on_device, on_host])
def test_what_is_not_a_number_has_the_level_it_has_in_transformers(front_end):
  sound = hiss(0.25, 0.1)
  sound[1700] = np.nan
  ours, theirs = front_end(sound, DMEL), reference(sound)
  # The sample lies in the windows of two frames.
  assert np.isnan(theirs).all(axis=1).tolist() == [
    False,
    False,
    True,
    True,
    False,
  ]
  levels = spectral.quantize(ours, **LEVELS)
  np.testing.assert_array_equal(levels, nearest(theirs))
  assert (levels[2:4] == 0).all()


@pytest.mark.parametrize("window", [400, 640, 1600])
def test_filters_equal_those_of_transformers(window):
  from transformers import audio_utils

  theirs = audio_utils.mel_filter_bank(
    num_frequency_bins=window // 2 + 1,
    num_mel_filters=80,
    min_frequency=0.0,
    max_frequency=8000.0,
    sampling_rate=RATE,
    norm="slaney",
    mel_scale="slaney",
  )
  ours = spectral.mel_filters(window=window, num_mels=80, sample_rate=RATE)
  # Both are float64 arithmetic in different orders, rounded to float32.
  np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)


def test_a_tone_is_loudest_in_its_channel():
  t = np.arange(RATE) / RATE
  frames = on_device(np.sin(2 * np.pi * 1000 * t).astype("float32"), DMEL)
  filters = spectral.mel_filters(window=1600, num_mels=80, sample_rate=RATE)
  assert frames[5].argmax() == filters[100].argmax()


@SHAPES
@pytest.mark.parametrize("front_end", [on_device, on_host])
def test_no_sound_has_no_frames(front_end, numbers):
  frames = front_end(np.zeros(0, "float32"), numbers)
  assert frames.shape == (0, numbers["num_mels"])


@SHAPES
def test_host_and_device_agree(numbers):
  sound = voice(2.0)
  # Two FFTs in float32; the logarithm magnifies what is near the floor.
  np.testing.assert_allclose(
    on_host(sound, numbers), on_device(sound, numbers), rtol=0, atol=2e-4
  )


@SHAPES
def test_streaming_equals_the_whole(numbers):
  hop, window = numbers["hop"], numbers["window"]
  sound = jnp.stack([voice(2.0), hiss(2.0, 0.1), jnp.zeros(2 * RATE)])
  step = jax.jit(lambda tail, piece: spectral.stream(tail, piece, **numbers))
  tail, frames = spectral.initial_tail(3, hop=hop, window=window), []
  for piece in jnp.split(sound, 10, axis=1):
    tail, part = step(tail, piece)
    frames.append(part)
  whole = spectral.log_mel(sound, **numbers)
  # The same sums, grouped by XLA according to the number of frames.
  np.testing.assert_allclose(
    np.concatenate(frames, axis=1), whole, rtol=0, atol=5e-6
  )
  np.testing.assert_array_equal(tail, sound[:, 2 * RATE - (window - hop) :])


def test_rows_do_not_touch_each_other():
  sound = np.stack([voice(0.4), np.full(6400, np.nan, "float32")])
  frames = spectral.log_mel(jnp.asarray(sound), **DMEL)
  alone = spectral.log_mel(jnp.asarray(np.stack([sound[0]] * 2)), **DMEL)
  np.testing.assert_array_equal(frames[0], alone[0])
  assert np.isnan(frames[1]).all()


def test_frames_do_not_see_the_future():
  sound = voice(1.0)
  changed = sound.copy()
  changed[8 * 800 :] += 1
  before, after = on_device(sound, DMEL), on_device(changed, DMEL)
  np.testing.assert_array_equal(before[:8], after[:8])
  assert np.abs(before[8] - after[8]).max() > 0.1


def cuts(seed: int, length: int) -> list[int]:
  """Pieces of very different sizes, empty ones among them."""
  numbers, sizes = np.random.default_rng(seed), []
  while sum(sizes) < length:
    limit = int(numbers.choice([1, 2, 300, 3200, 20_000]))
    sizes.append(min(int(numbers.integers(0, limit + 1)), length - sum(sizes)))
  return sizes


@SHAPES
@pytest.mark.parametrize("seed", range(4))
def test_cuts_do_not_change_a_bit(numbers, seed):
  sound = voice(2.5)[: 39_000 + 37 * seed]
  state = spectral.silence(hop=numbers["hop"], window=numbers["window"])
  frames, start = [], 0
  for size in cuts(seed, len(sound)):
    state, part = spectral.push(state, sound[start : start + size], **numbers)
    frames.append(part)
    start += size
  _, part = spectral.flush(state, **numbers)
  ours = np.concatenate([*frames, part])
  np.testing.assert_array_equal(ours, on_host(sound, numbers))


def test_samples_one_by_one():
  sound = hiss(0.03, 0.1)
  state, frames = spectral.silence(hop=160, window=400), []
  for sample in sound:
    state, part = spectral.push(state, sample[None], **FINE)
    frames.append(part)
  np.testing.assert_array_equal(np.concatenate(frames), on_host(sound, FINE))
  assert len(state.rest) == 0


def test_a_state_is_not_changed_by_its_use():
  start = spectral.silence(hop=160, window=400)
  state, _ = spectral.push(start, hiss(0.015, 0.1), **FINE)
  first = spectral.push(state, hiss(0.2, 0.1), **FINE)[1]
  second = spectral.push(state, hiss(0.2, 0.1), **FINE)[1]
  np.testing.assert_array_equal(first, second)
  assert len(start.rest) == 0
  assert len(state.rest) == 80


def test_samples_in_float64_are_rounded_first():
  sound = np.random.default_rng(5).normal(size=1600)
  np.testing.assert_array_equal(
    on_host(sound, FINE), on_host(sound.astype("float32"), FINE)
  )


@pytest.mark.parametrize(
  ("num_levels", "low", "high"),
  [(16, -7.0, 2.0), (2, -1.0, 1.0), (7, -7.0, 2.0), (256, -7.0, 2.0)],
)
def test_levels_are_the_nearest_to_the_last_bit(num_levels, low, high):
  scale = {"num_levels": num_levels, "low": low, "high": high}
  centres = np.linspace(low, high, num_levels).astype("float32")
  # Five steps of float32 to either side of every boundary, and the rest.
  x = [spectral.boundaries(**scale), centres]
  for way in (-np.inf, np.inf):
    step = x[0]
    for _ in range(5):
      step = np.nextafter(step, np.float32(way))
      x.append(step)
  x.append(np.linspace(low - 1, high + 1, 20_001).astype("float32"))
  x = np.concatenate(x)
  clamped = np.clip(x, centres[0], centres[-1])
  wanted = np.abs(clamped[:, None] - centres).argmin(-1)
  on_device = jax.jit(lambda x: spectral.quantize(x, **scale))(x)
  np.testing.assert_array_equal(spectral.quantize(x, **scale), wanted)
  np.testing.assert_array_equal(on_device, wanted)
  assert on_device.dtype == spectral.quantize(x, **scale).dtype == "int32"


def test_levels_of_infinite_values():
  x = np.array([-np.inf, -1e30, 1e30, np.inf], "float32")
  np.testing.assert_array_equal(spectral.quantize(x, **LEVELS), [0, 0, 15, 15])


def test_levels_survive_the_way_back():
  levels = jnp.arange(16).reshape(2, 8)
  values = spectral.dequantize(levels, **LEVELS)
  np.testing.assert_array_equal(spectral.quantize(values, **LEVELS), levels)
  assert values[0, 0] == -7.0
  assert values[1, 7] == 2.0


def test_the_hann_window_adds_up():
  values = spectral.hann(1600)
  # Float32 rounding of either half.
  np.testing.assert_allclose(values[:800] + values[800:], 1.0, atol=1e-6)
  assert values[0] == 0


def test_errors_name_what_is_wrong():
  tail = jnp.zeros((1, 800))
  with pytest.raises(ValueError, match=r"samples\.shape=\(1, 900\).*100 are"):
    spectral.stream(tail, jnp.zeros((1, 900)), **DMEL)
  with pytest.raises(ValueError, match=r"tail\.shape=\(1, 3\)"):
    spectral.stream(tail[:, :3], jnp.zeros((1, 800)), **DMEL)
  with pytest.raises(ValueError, match="hop=900 and window=800"):
    spectral.log_mel(tail, **DMEL | {"hop": 900, "window": 800})
  with pytest.raises(ValueError, match="num_mels=0"):
    spectral.mel_filters(window=400, num_mels=0, sample_rate=RATE)
  with pytest.raises(ValueError, match="num_levels=1"):
    spectral.quantize(tail, num_levels=1, low=0.0, high=1.0)
  state = spectral.silence(hop=800, window=1600)
  with pytest.raises(ValueError, match=r"shape \(2, 8\)"):
    spectral.push(state, np.zeros((2, 8), "float32"), **DMEL)
  with pytest.raises(ValueError, match="dtype int16"):
    spectral.push(state, np.zeros(8, "int16"), **DMEL)
