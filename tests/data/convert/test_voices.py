import numpy as np
import pytest
import soundfile

from interaction_jax.data.convert import voices


def test_channels_are_told_apart_and_resampled(tmp_path):
  both = np.stack([np.full(2205, 0.25), np.full(2205, -0.5)], axis=1)
  soundfile.write(tmp_path / "a.wav", both, 22_050)
  left, right = voices.channels(tmp_path / "a.wav", wanted=2)
  assert len(left) == len(right) == 1600
  np.testing.assert_allclose(left[400:1200], 0.25, atol=1e-3)
  np.testing.assert_allclose(right[400:1200], -0.5, atol=1e-3)


def _truncated(path):
  soundfile.write(path, np.full((9000, 2), 0.5), 16_000)
  path.write_bytes(path.read_bytes()[:20_000])


def _cut_short(path):
  """Whose header still says how long it was; its decoder says nothing."""
  soundfile.write(path, np.full((32_000, 2), 0.5), 16_000, format="MP3")
  content = path.read_bytes()
  path.write_bytes(content[: len(content) // 2])


def _long(path):
  # What a header says is enough to refuse it: 5 hours of 8 bits.
  soundfile.write(
    path, np.zeros((5 * 3600 * 100, 2), np.int16), 100, subtype="PCM_U8"
  )


@pytest.mark.parametrize(
  ("make", "message"),
  [
    (lambda p: None, "does not exist"),
    (lambda p: p.write_bytes(b""), "cannot be read as sound"),
    (lambda p: soundfile.write(p, np.zeros((0, 2)), 16_000), "is empty"),
    (_truncated, r"is truncated: data : 36000 \(should be \d+\) bytes"),
    (_cut_short, r"is truncated: it ends at \S+ s, .* it lasts 2\.00 s"),
    (lambda p: soundfile.write(p, np.ones(99), 16_000), "has 1 channels; 2"),
    (lambda p: soundfile.write(p, np.zeros((99, 2)), 16_000), "is silent"),
    (_long, "lasts 18000 s; at most 14400 s"),
    (
      lambda p: soundfile.write(
        p, np.full((99, 2), np.nan), 16_000, subtype="FLOAT"
      ),
      "NaN or infinity",
    ),
  ],
  ids=[
    "missing",
    "no-bytes",
    "empty",
    "truncated",
    "cut-short",
    "mono",
    "silent",
    "long",
    "nan",
  ],
)
def test_what_cannot_be_taken_is_refused(tmp_path, make, message):
  make(tmp_path / "a.wav")
  with pytest.raises((ValueError, OSError), match=message):
    voices.channels(tmp_path / "a.wav", wanted=2)


def test_speech_is_what_is_loud():
  rng = np.random.default_rng(1)
  samples = rng.normal(scale=1e-4, size=5 * 16_000)
  for first, last, level in (
    (0.5, 1.0, 0.1),
    (1.2, 1.6, 0.05),
    (3.0, 3.04, 0.1),
    (4.0, 4.5, 0.1),
  ):
    there = slice(round(first * 16_000), round(last * 16_000))
    samples[there] *= level / 1e-4
  spans = np.array(voices.spoken(samples.astype(np.float32))) / 16_000
  # The pause of 200 ms is bridged, the click of 40 ms is none.
  np.testing.assert_allclose(spans, [[0.5, 1.6], [4.0, 4.5]], atol=0.021)


@pytest.mark.parametrize("num", [0, 100, 16_000])
def test_silence_is_no_speech(num):
  assert voices.spoken(np.zeros(num, np.float32)) == ()


def test_times_lie_within_the_sound():
  where = {"what": "word", "num": 32_000}
  assert voices.sample(1.5, **where) == 24_000
  assert voices.sample(-0.2, **where) == 0
  assert voices.sample(2.3, **where) == 32_000
  for wrong in (2.6, -0.6):
    with pytest.raises(ValueError, match="lies outside the sound, which lasts"):
      voices.sample(wrong, **where)
  for wrong in (None, "1", float("nan")):
    with pytest.raises(ValueError, match="is no time in seconds"):
      voices.sample(wrong, **where)


def test_words_share_time_by_their_letters():
  found = voices.spread(["a", "bcd"], 100, 700)
  assert found == [("a", 100, 300), ("bcd", 300, 700)]
