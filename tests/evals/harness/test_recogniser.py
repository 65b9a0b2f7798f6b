import numpy as np
import pytest

from interaction_jax.evals.harness import narrator, recogniser
from interaction_jax.evals.harness.output import Word
from interaction_jax.evals.harness.recogniser import Recogniser


def test_each_stretch_is_heard_for_itself():
  parts = []

  def hear(sound):
    parts.append(len(sound))
    return [Word("x", 0.0, 0.1)]

  one = Recogniser("lengths", "tells lengths", hear)
  sound = np.zeros(32_000, np.float32)
  words = recogniser.listen(one, sound, [(0.1, 0.5), (1.0, 1.9)])
  # 0.2 s around each: from 0.0 to 0.7, and from 0.8 to the end.
  assert parts == [11_200, 19_200]
  assert [word.start for word in words] == [0.0, pytest.approx(0.8)]
  assert recogniser.listen(one, sound, []) == []


def test_pocketsphinx_hears_clear_words_whatever_it_heard_before():
  line = narrator.Line("the answer is twenty three, and hello my friend")
  other = narrator.Line("green seven blue dog")
  said, before = narrator.speak([line, other])
  hear = recogniser.find("pocketsphinx").hear
  words = hear(said.sound)
  place = [word.text for word in words].index("twenty")
  assert words[place + 1].text == "three"
  # The synthesiser says when "twenty" begins; 100 ms are ten of its frames.
  truth = said.words[3]
  assert truth.text == "twenty"
  assert words[place].start == pytest.approx(truth.start, abs=0.1)
  hear(before.sound)
  assert hear(said.sound) == words


def test_a_wrong_name_is_told():
  with pytest.raises(ValueError, match="mean whisper"):
    recogniser.find("wisper")
