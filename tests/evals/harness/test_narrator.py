import numpy as np
import pytest

from interaction_jax.evals.harness import narrator
from interaction_jax.evals.harness.narrator import Line


def test_equal_lines_are_equal_sounds_in_any_process():
  first = narrator.speak([Line("one two"), Line("three"), Line("one two")])
  again = narrator.speak([Line("one two"), Line("three")])
  assert first[0].sound is first[2].sound
  for one, other in zip(first, again, strict=False):
    np.testing.assert_array_equal(one.sound, other.sound)
  words = first[0].words
  assert [word.text for word in words] == ["one", "two"]
  assert words[0].end <= words[1].start < words[1].end <= first[0].seconds


def test_nothing_to_say_and_nobody_to_say_it():
  assert narrator.speak([]) == []
  with pytest.raises(ValueError, match="nothing was said"):
    narrator.speak([Line("one", voice="xx-none")])
