import itertools

import pytest

from interaction_jax.data.synthetic import synthesiser, voices


def test_there_are_enough_of_them():
  assert len(set(voices.USERS["train"])) >= 12
  assert len(set(voices.USERS["held_out"])) >= 4


def test_nobody_is_in_two_places():
  places = [*voices.USERS.values(), voices.KLATT, (voices.ASSISTANT,)]
  variants = [{name.partition("+")[2] for name in names} for names in places]
  for one, other in itertools.combinations(variants, 2):
    assert not one & other


@pytest.mark.parametrize(
  "voice",
  [
    *voices.USERS["train"],
    *voices.USERS["held_out"],
    *voices.KLATT,
    voices.ASSISTANT,
  ],
)
def test_voice_exists(voice):
  language, _, variant = voice.partition("+")
  assert language in synthesiser.languages()
  assert variant in synthesiser.variants()
