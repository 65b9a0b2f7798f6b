import pytest

from interaction_jax.core import settings
from interaction_jax.train.config import DataConfig, Experiment, TrainConfig


@pytest.mark.parametrize(
  ("change", "message"),
  [
    ({"num_steps": 0}, r"train\.num_steps=0 must be 1 or more"),
    ({"save_every": -2}, r"train\.save_every=-2 must be 1 or more"),
    ({"seed": -1}, r"train\.seed=-1 must lie in 0 to 4294967295"),
    ({"seed": 2**32}, r"train\.seed=4294967296"),
  ],
  ids=["steps", "save", "negative", "large"],
)
def test_a_wrong_number_is_refused_by_name(change, message):
  with pytest.raises(ValueError, match=message):
    TrainConfig(**change)


@pytest.mark.parametrize(
  ("change", "message"),
  [
    ({"positions": None}, "give a row no end; positions=640 are usual"),
    ({"positions": 0}, r"data\.positions=0 must be 1 or more"),
    ({"num_turns": 0}, r"data\.num_turns=0 must be 1 or more"),
    ({"workers": -1}, r"data\.workers=-1 must be 0 or more"),
  ],
  ids=["endless", "positions", "turns", "workers"],
)
def test_rows_without_an_end_are_refused(change, message):
  with pytest.raises(ValueError, match=message):
    DataConfig(**change)


@pytest.mark.parametrize("name", sorted(settings.shipped()))
def test_a_shipped_experiment_bears_its_name_and_survives_json(name):
  experiment = settings.load(name)
  assert experiment.name == name
  plain = settings.to_dict(experiment)
  assert settings.from_dict(Experiment, plain) == experiment


def test_the_line_of_a_command_changes_an_experiment():
  experiment = settings.override(
    settings.load("tiny"), ["train.num_steps=7", "model.backbone.width=96"]
  )
  assert experiment.train.num_steps == 7
  assert experiment.model.backbone.width == 96


def test_an_experiment_without_a_name_is_refused():
  with pytest.raises(ValueError, match="name='' is empty"):
    Experiment(name="", model=settings.load("tiny").model)
