import numpy as np
import pytest

from interaction_jax.data.synthetic import world
from interaction_jax.data.synthetic.scenario import Scenario
from interaction_jax.data.synthetic.scenarios import PHRASES, SCENARIOS


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario_is_listed_and_speaks_of_the_world(name):
  scenario = SCENARIOS[name]
  assert scenario.name == name and scenario.share > 0
  rng = np.random.default_rng(3)
  for phrase in scenario.phrases.values():
    for split in ("train", "held_out"):
      for _ in range(25):
        assert set(phrase.request(rng, split).words) <= set(world.WORDS)


def test_no_two_phrases_have_one_name():
  names = [name for one in SCENARIOS.values() for name in one.phrases]
  assert sorted(names) == sorted(PHRASES)


def test_a_scenario_fits_unless_it_says_otherwise():
  scenario = Scenario("plain", 1.0, lambda stage: None)
  assert scenario.fits({}) and scenario.fits({"word": "cat"})


def test_a_pause_never_comes_where_a_request_may_end():
  rng = np.random.default_rng(5)
  drawn = [phrase.draw(rng) for phrase in PHRASES.values() for _ in range(60)]
  whole = {request.words for request in drawn}
  begun = {one.words[:pause] for one in drawn for pause in one.pauses}
  assert len(begun) > 10 and not begun & whole
