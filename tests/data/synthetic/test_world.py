import subprocess
import sys

import pytest

from interaction_jax.data.synthetic import world


def test_words_are_few_and_differ():
  assert 250 <= len(world.WORDS) <= 350
  assert len(set(world.WORDS)) == len(world.WORDS)
  for words in (world.THINGS, world.EXPECTANT, world.LEXICON.values()):
    assert set(words) <= set(world.WORDS)


@pytest.mark.parametrize("before", ["", " "], ids=["first", "after_a_space"])
def test_every_word_is_one_token(before):
  vocab = world.vocabulary()
  for word in world.WORDS:
    tokens = vocab.encode(before + word)
    assert len(tokens) == 1, word
    assert vocab.decode(tokens) == before + word


def test_a_sentence_is_its_words():
  vocab = world.vocabulary()
  tokens = vocab.encode("what is two plus three")
  assert [vocab.decode([token]) for token in tokens] == [
    "what",
    " is",
    " two",
    " plus",
    " three",
  ]


def test_another_process_learns_the_same_tokens(root):
  code = (
    "from interaction_jax.data.synthetic import world; "
    "print(world.vocabulary().tokenizer.to_str())"
  )
  done = subprocess.run(
    [sys.executable, "-c", code],
    cwd=root,
    capture_output=True,
    text=True,
    check=True,
    env={"RAYON_NUM_THREADS": "1", "PYTHONHASHSEED": "7"},
  )
  assert done.stdout.strip() == world.vocabulary().tokenizer.to_str()


def test_every_number_has_words_and_they_its_value():
  for value in range(1, 60):
    words = world.number(value)
    assert set(words) <= set(world.WORDS)
    assert world.value(*words) == value
  assert world.number(40) == ("forty",)
  assert world.number(57) == ("fifty", "seven")


@pytest.mark.parametrize("value", [0, 60])
def test_no_word_for_a_number(value):
  with pytest.raises(ValueError, match=f"value={value} must be from 1 to 59"):
    world.number(value)


@pytest.mark.parametrize("words", ["red", "two three", "five seconds"])
def test_no_number_for_words(words):
  with pytest.raises(ValueError, match="are no number"):
    world.value(*words.split())


def test_translations_are_no_words_of_the_user():
  foreign = set(world.LEXICON.values())
  assert len(foreign) == len(world.LEXICON)
  assert not foreign & {*world.THINGS, *world.NAMES, *world.EXPECTANT}


def test_json_has_no_spaces_and_keeps_its_order():
  made = world.compact({"tool": "timer", "minutes": 7})
  assert made == '{"tool":"timer","minutes":7}'


def test_json_takes_few_tokens():
  chart = world.compact({"chart": "bar", "data": {"lemon": 3, "red": 9}})
  # Three turns of six, besides what is said.
  assert len(world.vocabulary().encode(chart)) <= 18
