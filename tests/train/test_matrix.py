import jax
import pytest

from interaction_jax.core import settings, sharding
from interaction_jax.model import interaction
from interaction_jax.train import matrix

CASES = {
  "D F": ((), "D", "F"),
  "F D": ((), "F", "D"),
  "D N H": ((), "D", "N H"),
  "N H D": ((), "N H", "D"),
  "E D F": ("E", "D", "F"),
  "O F D": ("O", "F", "D"),
  "D E": ((), "D", "E"),
  "U D F": ((), "U D", "F"),
  "D I F": ((), "D", "I F"),
  "F Q I": ((), "F", "Q I"),
  "M F": ((), "M", "F"),
}


@pytest.mark.parametrize("axes", CASES)
def test_a_matrix_has_a_stack_inputs_and_outputs(axes):
  sides = matrix.sides(axes)
  assert sides is not None
  letters = axes.split()
  found = [
    " ".join(letters[axis] for axis in side)
    for side in (sides.stack, sides.inputs, sides.outputs)
  ]
  assert found == [side or "" for side in CASES[axes]]


@pytest.mark.parametrize("axes", ["", "D", "E", "V D", "M Q D", "Z K H", "O D"])
def test_what_is_looked_up_or_long_is_no_matrix(axes):
  assert matrix.sides(axes) is None


def test_weights_are_drawn_for_the_inputs_found_here(cfg):
  """A matrix begins with a variance of 1 over the number of its inputs."""
  cfg = settings.load("nano").model
  drawn = sharding.by_name(
    jax.jit(lambda key: interaction.init(key, cfg=cfg))(jax.random.key(0))
  )
  for name, axes in sharding.by_name(interaction.axes(cfg)).items():
    sides, leaf = matrix.sides(axes), drawn[name]
    # The vocoder is not trained here, and steering begins at zero.
    if sides is None or "vocoder" in name or not leaf.any():
      continue
    fan_in = 1
    for axis in sides.inputs:
      fan_in *= leaf.shape[axis]
    assert 0.8 < float(leaf.std()) * fan_in**0.5 < 1.25, name
