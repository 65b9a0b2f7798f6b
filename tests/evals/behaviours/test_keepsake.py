import json

import numpy as np
import pytest
import soundfile

from interaction_jax.evals.behaviours import floor, keepsake
from interaction_jax.serve.backlog import Conduct
from interaction_jax.turns import clock
from interaction_jax.turns.vocabulary import Control

ROW = next(row for row in floor.ROWS if row.name == "turn_taking")


@pytest.fixture
def conduct(model):
  """Of somebody who says "red" at the beginning of the first exchange."""

  def make(record):
    num = record.num_turns
    text = [()] * num
    made = _turn(record) - 1
    text[made] = tuple(model.words.encode(" red"))
    text[0] = (model.words.id_of(Control.SAY),)
    speaks = np.zeros(num, bool)
    speaks[made : made + 2] = True
    voice = np.full(len(record.heard), 0.01, np.float32)
    return Conduct(tuple(text), speaks, np.ones(num, np.float32), voice, 2.0)

  return make


@pytest.mark.parametrize(("most", "kept"), [(0, 0), (1, 1), (-1, 3)])
def test_the_worst_are_kept(most, kept, drawn, conduct, model, tmp_path):
  records = drawn(ROW)[:3]
  conducts = [conduct(record) for record in records]
  keepsake.keep(tmp_path / "row", ROW, model, records, conducts, most=most)
  lines = (tmp_path / "row" / "items.jsonl").read_text().splitlines()
  assert len(lines) == sum(len(record.labels) for record in records)
  first = json.loads(lines[0])
  assert first["conversation"] == 0 and first["hit"] in (0, 1)
  assert first["made"]["say"] == "red"
  folders = [one for one in (tmp_path / "row").iterdir() if one.is_dir()]
  assert len(folders) == kept
  for folder in folders:
    _check(folder, records[int(folder.name)])


def _turn(record):
  """In which the word begins to be heard."""
  return clock.turn_at(record.labels[0]["start"]) + 1


def _check(folder, record):
  sound, rate = soundfile.read(folder / "stereo.wav")
  assert sound.shape == (len(record.heard), 2) and rate == 16_000
  assert len(soundfile.read(folder / "output.wav")[0]) == len(record.heard)
  told = json.loads((folder / "output.json").read_text())
  assert told["text"] == "red"
  ((begin, end),) = [one["timestamp"] for one in told["chunks"]]
  turn = _turn(record)
  assert (begin, end) == pytest.approx((0.2 * turn, 0.2 * turn + 0.4))
  ticks = (folder / "ticks.csv").read_text().splitlines()
  assert len(ticks) == record.num_turns + 1
  assert ticks[turn].startswith(f"{turn - 1},{0.2 * turn:.1f},1,1.0000,1,")
  events = (folder / "events.jsonl").read_text().splitlines()
  assert {"say", "speak_start"} <= {json.loads(x)["kind"] for x in events}
  assert json.loads((folder / "labels.json").read_text())
  assert (folder / "timeline.png").stat().st_size > 10_000
