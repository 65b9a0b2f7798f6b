import numpy as np

from interaction_jax.evals.harness import item
from interaction_jax.evals.harness.item import Item


def test_a_key_tells_takes_apart():
  def opened(canvas):
    return item.listening(np.zeros(3200))

  assert Item("a/1", "a", 0.2, opened).key == "a/1"
  assert Item("a/1", "a", 0.2, opened, take="clean_").key == "a/1/clean_"


def test_who_listens_says_nothing():
  record = item.listening(np.ones(6400))
  assert record.num_turns == 2 and record.heard.dtype == np.float32
  assert not record.voice.any() and len(record.voice) == 6400


def test_who_is_recorded_does_not_react():
  partner = item.Recorded(np.arange(4000.0))
  first, last = partner.speak(np.ones(3200)), partner.speak(np.zeros(3200))
  np.testing.assert_array_equal(first, np.arange(3200))
  np.testing.assert_array_equal(last[:800], np.arange(3200, 4000))
  assert not last[800:].any() and partner.speak(np.zeros(3200)) is None
  assert partner.wants() is None and not partner.said()
