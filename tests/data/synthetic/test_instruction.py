import numpy as np

from interaction_jax.data.synthetic import instruction, perform, world
from interaction_jax.data.synthetic.scenarios import SCENARIOS


def test_instructions_speak_of_the_world():
  rng = np.random.default_rng(0)
  kinds = set()
  for _ in range(60):
    told = instruction.draw(rng)
    assert set(told.text.split()) <= set(world.WORDS)
    kinds.update(told.memory)
    for value in told.memory.values():
      # What is to be remembered is what the text says.
      assert value is True or value in SCENARIOS or value in told.text.split()
  assert kinds == {"next", "foreign", "city", "word"}


def test_they_are_as_short_as_they_say():
  rng = np.random.default_rng(0)
  for _ in range(60):
    text = instruction.draw(rng).text
    # And a marker of who speaks.
    assert len(world.vocabulary().encode(text)) + 1 <= perform.PINNED
