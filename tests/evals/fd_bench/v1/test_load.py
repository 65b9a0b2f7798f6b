import json
import shutil

import pytest

from interaction_jax.evals.fd_bench.v1 import load
from interaction_jax.evals.harness.inventory import Inventory


@pytest.fixture(scope="module")
def items(v1_folder):
  inventory = Inventory(v1_folder)
  found = load.load(inventory)
  assert inventory.problems == []
  return {item.key: item for item in found}


def test_an_item_a_folder(items):
  assert len(items) == 20
  assert [key for key in items if key.startswith(load.TURNS)] == [
    f"{load.TURNS}/{n}" for n in range(4)
  ]
  for key, item in items.items():
    record = item.open((0, 0))
    assert record.seconds == pytest.approx(item.seconds) and item.name == key


def test_what_an_oracle_does(items):
  assert items[f"{load.PAUSES[0]}/0"].wanted == ()
  turn = items[f"{load.TURNS}/0"]
  (answer,) = turn.wanted
  assert answer.at == pytest.approx(turn.truth["end"] + 0.4)
  asked = items[f"{load.INTERRUPTIONS}/1"]
  start, end = asked.truth["span"]
  before, answer = asked.wanted
  # It is interrupted while it speaks, and stops two turns later.
  assert before.at < start and before.until == pytest.approx(start + 0.4)
  assert answer.at == pytest.approx(end + 0.4)
  assert answer.text == asked.truth["answer"]
  nods = items[f"{load.NODS}/2"]
  assert len(nods.wanted) == 3
  width = nods.seconds / len(nods.truth["people"])
  for act in nods.wanted:
    assert nods.truth["people"][int(act.at / width)] > 0.1


@pytest.mark.parametrize(
  ("spread", "times"),
  [
    # Windows of 1 s; a nod begins a fifth into one.
    ((0, 0, 1, 0, 0, 0, 0, 0), (2.2,)),
    # Of neighbours the higher one, of equals far apart both.
    ((0, 0.6, 1, 0, 0, 0, 1, 0), (2.2, 6.2)),
    # 0.4 is less than half of the highest.
    ((0.4, 0, 0, 1, 0, 0, 0.4, 0), (3.2,)),
  ],
)
def test_nods_come_where_most_people_nod(spread, times):
  made = load._peaks([float(one) for one in spread], 8.0)
  assert [act.at for act in made] == pytest.approx(times)


def test_official_files_have_no_fields_of_the_twin(v1_folder, tmp_path):
  shutil.copytree(v1_folder, tmp_path / "data")
  for name in (load.TURNS, load.INTERRUPTIONS):
    for path in (tmp_path / "data" / name).rglob("*.json"):
      plain = json.loads(path.read_bytes())
      if "timestamp" in plain[0]:
        plain = [
          {k: v for k, v in one.items() if not k.endswith("answer")}
          for one in plain
        ]
        path.write_text(json.dumps(plain))
  inventory = Inventory(tmp_path / "data")
  found = {item.key: item for item in load.load(inventory)}
  assert len(found) == 20 and not inventory.problems
  asked = found[f"{load.INTERRUPTIONS}/0"]
  assert asked.truth["answer"] is None
  assert asked.wanted[-1].text == f"Yes. {asked.truth['interrupt']}"


def test_what_is_wrong_with_the_data_is_named(v1_folder, tmp_path):
  data = tmp_path / "data"
  shutil.copytree(v1_folder, data)
  (data / "protocol.json").unlink()
  shutil.rmtree(data / load.PAUSES[1])
  place = data / load.PAUSES[0]
  (place / "0/pause.json").unlink()
  (place / "1/input.wav").write_bytes(b"no sound")
  (place / "2/transcription.json").write_text('[{"text": "a"}]')
  sound = (place / "3/input.wav").read_bytes()
  (place / "3/input.wav").write_bytes(sound[:2000])
  (data / load.INTERRUPTIONS / "0/context.wav").unlink()
  (data / load.INTERRUPTIONS / "1/interrupt.json").write_text("[{}]")
  people = json.loads((data / load.PEOPLE).read_bytes())
  del people["0"]
  people["1"] = [0.0, 0.0]
  people["2"] = "none"
  # It may as well lie among the folders.
  (data / load.PEOPLE).unlink()
  (data / load.NODS / load.PEOPLE).write_text(json.dumps(people))
  inventory = Inventory(data)
  found = load.load(inventory)
  assert len(found) == 1 + 4 + 2
  told = "\n".join(inventory.problems)
  for line in (
    "synthetic_pause_handling: missing, 4 of 137 are there",
    "synthetic_pause_handling/0/pause.json: missing",
    "synthetic_pause_handling/1/input.wav: corrupt",
    "synthetic_pause_handling/2/transcription.json: corrupt",
    "synthetic_pause_handling/3/input.wav: truncated",
    "icc_backchannel: missing, 4 of 55 are there",
    "icc_gt_distribution.json: has no distribution for 0, but None",
    "icc_gt_distribution.json: has no distribution for 1, but [0.0, 0.0]",
    "icc_gt_distribution.json: has no distribution for 2, but 'none'",
    "candor_turn_taking: missing, 4 of 119 are there",
    "synthetic_user_interruption: missing, 4 of 200 are there",
    "synthetic_user_interruption/0/context.wav: missing",
    "synthetic_user_interruption/1/interrupt.json: has no context, interrupt",
  ):
    assert line in told
  assert len(inventory.problems) == 13
  assert len(inventory.left_out) == 9
