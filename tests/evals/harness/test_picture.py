import numpy as np

from interaction_jax.evals.harness import item as items
from interaction_jax.evals.harness import output, picture
from interaction_jax.evals.harness.item import Item
from interaction_jax.evals.harness.output import Output
from interaction_jax.evals.harness.suite import Row, Score

ROWS = (Row("free", "neither", better=None), Row("late", "s", better="less"))


def given():
  def opened(canvas):
    return items.listening(np.zeros(12_800))

  return {name: Item(name, "p", 0.8, opened) for name in ("x/1", "x/2", "x/3")}


SCORES = (
  Score("free", "x/1", 5.0),
  Score("late", "x/1", 0.3),
  Score("late", "x/2", None),
  Score("late", "x/3", 0.9),
)


def test_the_worst_come_first_and_misses_before_them():
  assert picture.worst(ROWS, SCORES, given()) == {"p": ["x/2", "x/3", "x/1"]}


def test_what_is_kept_has_sound_and_a_picture(tmp_path):
  for name in given():
    made = Output(np.full(12_800, 0.1, np.float32), turn_ms=(1.0,) * 4)
    output.write(tmp_path / "outputs" / name, "", made)
  picture.draw(
    tmp_path / "worst",
    ROWS,
    SCORES,
    given(),
    tmp_path / "outputs",
    keep=1,
    name="somebody",
  )
  (kept,) = (tmp_path / "worst" / "p").iterdir()
  assert kept.name == "x_2"
  assert (kept / "timeline.png").read_bytes()[:4] == b"\x89PNG"
  assert (kept / "stereo.wav").stat().st_size > 12_800
