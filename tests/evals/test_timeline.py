import json

import matplotlib.image
import numpy as np
import pytest
import soundfile

from interaction_jax.evals import timeline
from interaction_jax.evals.timeline import Label


def event(t, text, kind="say"):
  return {"t": t, "turn": round(5 * t), "kind": kind, "payload": {"text": text}}


@pytest.fixture
def folder(tmp_path):
  """Makes the folder of a session that never was, of any length."""

  def make(seconds, events, rate=2000):
    rng = np.random.default_rng(0)
    num_turns = max(1, round(5 * seconds))
    samples = rng.normal(0, 0.1, (round(seconds * rate), 2))
    soundfile.write(tmp_path / "stereo.wav", samples, rate)
    lines = [json.dumps(one) + "\n" for one in events]
    (tmp_path / "events.jsonl").write_text("".join(lines))
    told = {
      "input": {"name": "said.wav", "seconds": seconds},
      "checkpoint": {"name": "small"},
      "sampling": {"speak_bias": 0.5},
      "turns": {
        "gate": rng.normal(0, 2, num_turns).tolist(),
        "saw": [turn % 3 == 0 for turn in range(num_turns)],
        "compute_ms": rng.uniform(20, 250, num_turns).tolist(),
      },
    }
    (tmp_path / "session.json").write_text(json.dumps(told))
    return tmp_path

  return make


@pytest.mark.parametrize("seconds", [0.1, 2.0, 3600.0], ids=str)
def test_any_length_is_drawn(folder, seconds):
  events = [
    event(0.0, "what is $x$ \u0007 猫", "user_text"),
    event(0.2, " hello"),
    {"t": 0.2, "turn": 0, "kind": "speak_start", "payload": {}},
    event(0.4, "ask", "delegate"),
    event(0.6, "told", "background"),
  ]
  path = timeline.draw(folder(seconds, events))
  picture = matplotlib.image.imread(path)
  assert path.name == "timeline.png"
  assert picture.shape[1] == 1800 and picture.shape[0] > 800
  # Blue for the user, orange for the model: both are there.
  for colour in ((0, 0x72, 0xB2), (0xD5, 0x5E, 0)):
    near = np.abs(picture[..., :3] * 255 - colour).max(axis=-1) < 3
    assert near.sum() > 100


def test_an_empty_session_is_drawn(folder, tmp_path):
  out = tmp_path / "other.png"
  assert timeline.draw(folder(1.0, []), out) == out and out.exists()


@pytest.mark.parametrize("cost", [231.585, 4.618, 200.0, 0.0], ids=str)
def test_one_turn_of_any_cost_is_drawn(folder, cost):
  # Limits that are found from a single value have no width.
  path = folder(0.2, [])
  told = json.loads((path / "session.json").read_text())
  told["turns"]["compute_ms"] = [cost]
  (path / "session.json").write_text(json.dumps(told))
  assert timeline.draw(path).exists()


def test_no_session_is_an_error(tmp_path):
  with pytest.raises(FileNotFoundError):
    timeline.draw(tmp_path)


def test_words_are_put_together():
  pieces = [
    event(0.2, " he"), event(0.4, "llo"), event(0.6, " cat"),
    event(3.0, " dog"), event(3.1, " bird"),
  ]  # fmt: skip
  assert timeline.labels(pieces, 5.0) == [
    Label(0.2, "hello"), Label(0.6, "cat"), Label(3.0, "dog"),
    Label(3.1, "bird"),
  ]  # fmt: skip
  assert timeline.labels(pieces, 500.0) == [
    Label(0.2, "hello cat"), Label(3.0, "dog bird"),
  ]  # fmt: skip


def test_what_prints_nothing_is_shown_and_what_is_long_is_cut():
  (label,) = timeline.labels([event(0.0, "a\u0007b\n" + 99 * "c")], 1.0)
  assert label.text.startswith("a\ufffdb ccc") and label.text.endswith("...")
  assert len(label.text) == 60


def test_utterances_are_what_was_said(folder):
  events = [
    event(0.0, "typed", "user_text"), event(0.2, " one"), event(0.6, " two"),
    event(9.0, " three"),
  ]  # fmt: skip
  assert timeline.utterances(folder(10.0, events)) == [
    Label(0.2, "one two"), Label(9.0, "three"),
  ]  # fmt: skip


def test_labels_never_cover_one_another():
  items = [Label(t, "four") for t in (0.0, 1.0, 2.0, 3.0, 6.5)]
  placed, left_out = timeline.lanes(items, per_letter=1.0, num_lanes=2)
  assert [(lane, label.t) for lane, label in placed] == [
    (0, 0.0), (1, 1.0), (0, 6.5),
  ]  # fmt: skip
  assert left_out == 2


def test_an_envelope_keeps_extremes():
  values = np.zeros(200_000)
  values[77_777], values[99_999] = 5.0, -3.0
  drawn = timeline.envelope(values)
  assert len(drawn.t) <= 1500
  assert drawn.high.max() == 5.0 and drawn.low.min() == -3.0
  assert drawn.mid.max() == pytest.approx(5.0 / 134)
  few = timeline.envelope(np.array([1.0, 4.0]))
  np.testing.assert_array_equal(few.t, [0.0, 0.2])
  np.testing.assert_array_equal(few.low, few.high)
