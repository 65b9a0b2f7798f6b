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
  assert timeline.labels(pieces, 0.0) == [
    Label(0.2, "hello"), Label(0.6, "cat"), Label(3.0, "dog"),
    Label(3.1, "bird"),
  ]  # fmt: skip
  assert timeline.labels(pieces, 1.0) == [
    Label(0.2, "hello cat"), Label(3.0, "dog bird"),
  ]  # fmt: skip


def covered(placed):
  """Pairs of labels that lie on one another, or a stem behind a label."""
  found = []
  for one in placed:
    for other in placed:
      if other is one:
        continue
      if one.lane == other.lane and one.left <= other.left < one.right:
        found.append(("label", one, other))
      if one.lane < other.lane and one.left < other.label.t < one.right:
        found.append(("stem", one, other))
  return found


def letters(n, t):
  """A label that is so many seconds wide in a picture of 100 s."""
  return Label(t, "w" * (round(n / 0.54) - 2))


def test_an_earlier_label_lies_above_what_begins_under_it():
  items = [letters(5, t) for t in (0.0, 1.5, 3.0, 20.0)]
  placed = timeline.stairs(items, 100.0)
  assert {one.label.t: one.lane for one in placed} == {
    0.0: 2, 1.5: 1, 3.0: 0, 20.0: 0,
  }  # fmt: skip
  assert covered(placed) == []


@pytest.mark.parametrize("seed", range(20))
def test_labels_never_cover_one_another(seed):
  rng = np.random.default_rng(seed)
  times = np.sort(rng.uniform(0, 100, rng.integers(1, 90)))
  items = [letters(rng.integers(3, 9), t) for t in times]
  placed = timeline.stairs(items, 100.0)
  assert placed and max(one.lane for one in placed) < 6
  # Only where labels are pushed back from the right edge may a stem be hidden.
  hidden = [one for _, one, _ in covered(placed)]
  assert all(one.right == pytest.approx(100.0) for one in hidden)
  placed = timeline.packed(items, 100.0, num_lanes=4)
  assert not any(kind == "label" for kind, *_ in covered(placed))
  assert all(one.left >= 0 and one.right <= 100.001 for one in placed)


def test_what_has_no_room_is_left_out():
  items = [letters(5, t) for t in (0.0, 1.5, 3.0, 4.0, 30.0)]
  placed = timeline.packed(items, 100.0, num_lanes=2)
  assert [(one.lane, one.label.t) for one in placed] == [
    (1, 0.0), (0, 1.5), (0, 30.0),
  ]  # fmt: skip


@pytest.mark.parametrize("seed", range(10))
def test_all_are_placed_if_there_is_a_way(seed):
  """As many lanes as labels lie over one another somewhere are enough."""
  rng = np.random.default_rng(seed)
  times = np.sort(rng.uniform(0, 100, 60))
  items = [letters(rng.integers(3, 9), t) for t in times]
  spans = timeline.packed(items, 100.0, num_lanes=60)
  deep = max(
    int(sum(one.left <= at.left < one.right for one in spans)) for at in spans
  )
  assert len(timeline.packed(items, 100.0, num_lanes=deep)) == 60
  assert len(timeline.packed(items, 100.0, num_lanes=deep - 1)) < 60


def test_a_label_at_the_end_ends_with_the_picture():
  (one,) = timeline.stairs([letters(20, 99.0)], 100.0)
  assert one.right == pytest.approx(100.0) and one.left < 81
  (long,) = timeline.stairs([letters(200, 50.0)], 100.0)
  assert long.left == 0.0


def test_words_stand_alone_where_there_is_room():
  few = [event(t, " word") for t in (1.0, 1.4, 9.0)]
  alone = timeline.words(few, 20.0)
  assert [one.label.t for one in alone.placed] == [9.0, 1.4, 1.0]
  many = [event(0.2 * n, " word") for n in range(200)]
  joined = timeline.words(many, 40.0)
  assert 10 < len(joined.times) < 40
  texts = [one.label.text for one in joined.placed]
  assert sum(38 <= len(text) <= 60 for text in texts) >= len(texts) - 1


def test_of_many_words_some_of_the_longest_are_shown():
  events = [
    event(2.0 * n, " yes" if n % 9 else " it was a dark and stormy night")
    for n in range(5000)
  ]
  found = timeline.words(events, 10_000.0)
  assert len(found.times) == 5000
  assert found.left_out == 5000 - len(found.placed) > 4900
  assert {one.label.text[:6] for one in found.placed} == {"it was"}
  assert {one.lane for one in found.placed} == {0, 1, 2}


def test_what_is_typed_is_not_put_together():
  typed = [event(0.0, "one", "user_text"), event(0.5, "two", "user_text")]
  assert [one.text for one in timeline.labels(typed, 1.0)] == ["one", "two"]


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
