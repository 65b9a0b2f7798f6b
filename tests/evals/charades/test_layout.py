import pytest

from interaction_jax.evals.charades import layout
from interaction_jax.evals.charades.layout import Moment
from interaction_jax.evals.harness.inventory import Inventory


@pytest.fixture
def inventory(tmp_path):
  (tmp_path / layout.CLASSES).write_text(
    "c092 Looking out of a window\nc147 Standing up\n"
  )
  (tmp_path / layout.ACTIONS).write_text(
    "id,subject,actions,length\n"
    "AAAAA,X,c092 11.90 21.20;c147 0.00 12.60;c092 1.00 2.50,30.1\n"
    "BBBBB,X,,12.0\n"
    "CCCCC,X,c147 5.00 5.00,9.0\n"
  )
  (tmp_path / layout.SENTENCES).write_text(
    "AAAAA 24.3 30.4##person turn a light on.\nBBBBB 0 1##a person sits\n"
  )
  return Inventory(tmp_path)


def test_actions_of_a_video_are_put_together(inventory):
  assert layout.actions(inventory) == [
    Moment("AAAAA/c092", "AAAAA", "Looking out of a window",
           ((1.0, 2.5), (11.9, 21.2))),
    Moment("AAAAA/c147", "AAAAA", "Standing up", ((0.0, 12.6),)),
  ]  # fmt: skip
  assert not inventory.problems


def test_each_sentence_is_one(inventory):
  assert layout.sentences(inventory) == [
    Moment("AAAAA/1", "AAAAA", "person turn a light on", ((24.3, 30.4),)),
    Moment("BBBBB/2", "BBBBB", "a person sits", ((0.0, 1.0),)),
  ]
  assert not inventory.problems


def test_what_cannot_be_read_is_noted(inventory):
  root = inventory.root
  (root / layout.ACTIONS).write_text("id,actions\nAAAAA,c999 1 2;c092 1\n")
  (root / layout.SENTENCES).write_text("AAAAA 24.3##nothing\n")
  assert layout.actions(inventory) == layout.sentences(inventory) == []
  assert inventory.problems == [
    "Charades_v1_test.csv: AAAAA has the unknown action 'c999 1 2'",
    "Charades_v1_test.csv: AAAAA has the unknown action 'c092 1'",
    "charades_sta_test.txt:1: corrupt: 'AAAAA 24.3##nothing'",
  ]


def test_either_variant_is_enough(inventory):
  (inventory.root / layout.SENTENCES).unlink()
  assert layout.sentences(inventory) == []
  assert not inventory.problems
  (inventory.root / layout.CLASSES).unlink()
  layout.actions(inventory)
  assert inventory.problems[0] == "Charades_v1_classes.txt: missing"


def test_videos_lie_in_one_of_two_folders(inventory):
  assert layout.videos(inventory) == "Charades_v1_480"
  (inventory.root / "Charades_v1").mkdir()
  assert layout.videos(inventory) == "Charades_v1"
