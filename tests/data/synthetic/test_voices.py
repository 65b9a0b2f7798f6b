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


def test_tracts_of_those_who_train_differ_and_those_who_test_have_none():
  low, high = voices.TRACTS
  tracts = {voices.tract(name, "train") for name in voices.USERS["train"]}
  assert len(tracts) == len(voices.USERS["train"])
  assert low <= min(tracts) < 0.92 and 1.08 < max(tracts) <= high
  assert {voices.tract(n, "held_out") for n in voices.USERS["held_out"]} == {1}


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
