import numpy as np
import pytest

from interaction_jax.core import settings
from interaction_jax.data.record import Record, TextOut
from interaction_jax.evals import intelligibility
from interaction_jax.evals.bench import subject
from interaction_jax.evals.intelligibility import Judge, Spoken
from interaction_jax.turns import clock

RATE = clock.SAMPLE_RATE
# Two harmonics that move, each word its own way, in Hz.
WORDS = {
  "ba": ((300, 700), (900, 1300)),
  "di": ((300, 250), (1900, 2300)),
  "gu": ((350, 300), (1500, 800)),
  "mo": ((250, 500), (1000, 900)),
}


def spoken(word, seconds=0.3):
  """A word, as long as one likes."""
  t = np.linspace(0, 1, round(seconds * RATE))
  tones = [np.cumsum(a + (b - a) * t) / RATE for a, b in WORDS[word]]
  envelope = np.sin(np.pi * t) ** 0.5
  sound = envelope * sum(np.sin(2 * np.pi * tone) for tone in tones) / 4
  return sound.astype(np.float32)


def quiet(seconds):
  return np.zeros(round(seconds * RATE), np.float32)


@pytest.fixture(scope="module")
def judge():
  return Judge.of((word, spoken(word)) for word in WORDS)


def test_words_are_heard_in_order_and_in_their_place(judge):
  parts = [
    quiet(0.25), spoken("di"), quiet(0.4), spoken("ba"), spoken("mo"),
    quiet(0.02), spoken("gu"), spoken("gu"), quiet(0.3),
  ]  # fmt: skip
  heard = judge.hear(np.concatenate(parts))
  assert [one.word for one in heard] == ["di", "ba", "mo", "gu", "gu"]
  starts = [0.25, 0.95, 1.25, 1.57, 1.87]
  for one, start in zip(heard, starts, strict=True):
    # A window of 40 ms hears a word a little early, and its fading late.
    assert one.start == pytest.approx(start, abs=0.05)
    assert one.end == pytest.approx(start + 0.3, abs=0.08)


@pytest.mark.parametrize("seconds", [0.2, 0.45])
def test_a_word_may_be_fast_or_slow(judge, seconds):
  words = ["mo", "di", "gu", "ba"]
  sound = np.concatenate([spoken(word, seconds) for word in words])
  assert [one.word for one in judge.hear(sound)] == words


def test_a_little_noise_does_no_harm(judge):
  words = ["gu", "ba", "di"]
  sound = np.concatenate([spoken(word) for word in words])
  noise = np.random.default_rng(0).normal(0, 2e-3, len(sound))
  heard = judge.hear((sound + noise).astype(np.float32))
  assert [one.word for one in heard] == words


@pytest.mark.parametrize("seconds", [0.0, 0.5])
def test_silence_has_no_words(judge, seconds):
  assert judge.hear(quiet(seconds)) == []


def test_a_word_costs(judge):
  """With a price on words, a pair of short ones is no longer worth it."""
  sound = np.concatenate([spoken("ba"), spoken("di")])
  dear = Judge.of(((word, spoken(word)) for word in WORDS), penalty=1e5)
  assert len(judge.hear(sound)) == 2
  assert len(dear.hear(sound)) == 0


def test_templates_are_needed():
  with pytest.raises(ValueError, match="no templates"):
    Judge.of([])
  with pytest.raises(ValueError, match=r"'ba' has 3 samples; one frame, 160"):
    Judge.of([("ba", np.zeros(3, np.float32))])


def test_errors_are_counted_beside_chance(judge):
  rng = np.random.default_rng(1)
  lines = [tuple(rng.choice(list(WORDS), 4)) for _ in range(6)]
  sounds = [np.concatenate([spoken(w) for w in line]) for line in lines]
  pairs = list(zip(sounds, lines, strict=True))
  rows = {
    "right": [Spoken(*pair) for pair in pairs],
    # Of each line the last word is left out: one error in five words.
    "short": [Spoken(sound, (*line, "ba")) for sound, line in pairs],
    "none": [],
  }
  found = intelligibility.report(judge, rows, seed=3)
  assert found["right"]["wer"] == 0 and found["right"]["n"] == 24
  assert found["right"]["ci"][0] == 0 < found["right"]["ci"][1]
  assert found["right"]["chance"] > 0.5
  assert found["short"]["wer"] == pytest.approx(0.2)
  assert found["short"]["errors"] == 6
  assert found["none"] == {
    "wer": None, "ci": [None, None], "errors": 0, "n": 0, "chance": None,
  }  # fmt: skip
  assert intelligibility.report(judge, rows, seed=3) == found


def test_a_model_is_judged_beside_its_controls(judge, root):
  cfg = settings.load(root / "tests" / "small.py").model
  model = subject.drawn(cfg, name="small")
  words = ["di", "ba"]
  voice = np.concatenate([quiet(0.4), *(spoken(w) for w in words), quiet(0.2)])
  record = Record(
    heard=np.zeros(len(voice), np.float32),
    voice=voice,
    speech=((6400, 16000),),
    text_out=(TextOut(6400, "say", " di"), TextOut(11200, "say", " ba")),
  )
  found = intelligibility.measure(model, [record], judge, batch=1)
  assert set(found) == {
    "recorded", "griffin_lim", "vocoder", "as_written", "as_wanted",
  }  # fmt: skip
  assert found["recorded"]["wer"] == 0
  # Mel keeps these words; what was drawn at random cannot say them.
  assert found["griffin_lim"]["wer"] == 0
  assert found["as_wanted"]["wer"] > 0
  assert found["as_wanted"]["n"] == found["vocoder"]["n"] == 2
