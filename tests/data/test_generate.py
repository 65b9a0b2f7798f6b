import pytest

from interaction_jax.data import generate, records
from interaction_jax.data.synthetic import bank as banks


def _generate(bank, path, **change):
  given = {"num_episodes": 5, "seed": 3, "seconds": 9.9, **change}
  return generate.generate(path, bank.path, **given)


def _bytes(folder):
  return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture(scope="module")
def made(bank, tmp_path_factory):
  path = tmp_path_factory.mktemp("made") / "made"
  _generate(bank, path)
  return path


def test_episodes_have_sound_text_and_labels(made, bank):
  report = records.inspect(made)
  assert report["intact"], report["problems"]
  # 9.9 s are 50 turns.
  assert report["records"] == 5 and report["seconds"] == pytest.approx(50)
  assert report["streams"]["text_out/say"] > 0
  assert report["streams"]["labels"] > 5
  assert report["made"] == {
    "by": "generate",
    "seed": 3,
    "split": "train",
    "num_turns": 50,
    "bank": banks.digest(bank.path / banks.SUMS),
  }


@pytest.mark.parametrize(
  "change", [{"seed": 4}, {"split": "held_out"}], ids=str
)
def test_other_numbers_make_others(made, bank, tmp_path, change):
  _generate(bank, tmp_path / "other", **change)
  name = "00000.arrayrecord"
  assert _bytes(tmp_path / "other")[name] != _bytes(made)[name]


def test_the_first_of_many_are_the_same(made, bank, tmp_path):
  _generate(bank, tmp_path / "few", num_episodes=2)
  few, many = records.load(tmp_path / "few"), records.load(made)
  for place in range(2):
    assert few[place].fields == many[place].fields


def test_any_number_of_workers_makes_the_same_bytes(bank, tmp_path):
  done = []
  long = {"num_episodes": generate.EACH + 3, "seconds": 4.0}
  for num_workers in (1, 2):
    _generate(
      bank,
      tmp_path / f"by{num_workers}",
      num_workers=num_workers,
      progress=lambda *numbers: done.append(numbers),
      **long,
    )
  alone, together = _bytes(tmp_path / "by1"), _bytes(tmp_path / "by2")
  assert sorted(alone) == [
    "00000.arrayrecord",
    "00001.arrayrecord",
    "index.json",
  ]
  assert alone == together
  assert done == [(64, 67), (67, 67)] * 2


@pytest.mark.parametrize(
  ("change", "message"),
  [
    ({"num_episodes": 0}, "episodes=0 must be 1 or more"),
    ({"seconds": 3.0}, "seconds=3.0 must be 4 or more"),
    ({"num_workers": 0}, "workers=0"),
    ({"seed": -1}, "seed=-1 must lie in"),
  ],
  ids=str,
)
def test_numbers_that_make_nothing_are_refused(bank, tmp_path, change, message):
  with pytest.raises(ValueError, match=message):
    _generate(bank, tmp_path / "made", **change)
  assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_taken_stays(made, bank):
  before = _bytes(made)
  with pytest.raises(FileExistsError, match="--force replaces it"):
    _generate(bank, made, seed=9)
  assert _bytes(made) == before


def test_what_is_no_bank_is_not_one(tmp_path):
  (tmp_path / "bank").mkdir()
  (tmp_path / "bank" / "notes.txt").write_text("mine")
  with pytest.raises(FileNotFoundError, match="is not a bank"):
    generate.generate(
      tmp_path / "made", tmp_path / "bank", num_episodes=1, seed=0
    )
  assert [one.name for one in tmp_path.iterdir()] == ["bank"]
