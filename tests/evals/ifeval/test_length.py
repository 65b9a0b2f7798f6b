import pytest

from interaction_jax.evals.ifeval import length


@pytest.mark.parametrize(
  ("reply", "num", "relation", "follows"),
  [
    ("one two three", 3, "at least", True),
    ("one two three", 4, "at least", False),
    ("one two three", 4, "less than", True),
    ("one-two three", 3, "less than", False),  # one, two, three
    ("", 1, "less than", True),
  ],
)
def test_words_are_counted(reply, num, relation, follows):
  assert length.words(reply, num_words=num, relation=relation) == follows


@pytest.mark.parametrize(
  ("reply", "num", "relation", "follows"),
  [
    ("One. Two. Three.", 3, "at least", True),
    ("One. Two. Three.", 3, "less than", False),
    ("Mr. Smith left.", 2, "less than", True),
    ("Mr. Smith left.", 2, "at least", False),
    ("no stop", 1, "at least", True),
  ],
)
def test_sentences_are_counted(reply, num, relation, follows):
  found = length.sentences(reply, num_sentences=num, relation=relation)
  assert found == follows


@pytest.mark.parametrize(
  ("reply", "num", "follows"),
  [
    ("a\n***\nb", 2, True),
    ("a *** b *** c", 2, False),
    ("*** a *** b", 2, True),  # the empty one before it does not count
    ("a *** *** b", 2, False),  # an empty one within
    ("a *** *** b", 3, False),
    ("a", 1, True),
    ("a ***", 1, True),
  ],
)
def test_paragraphs_are_counted(reply, num, follows):
  assert length.paragraphs(reply, num_paragraphs=num) == follows


@pytest.mark.parametrize(
  ("reply", "nth", "word", "official", "exact"),
  [
    ("Once upon\n\nthen, so\n\nend", 2, "then", True, True),
    ("Once upon\n\nthen, so\n\nend", 2, "so", False, False),
    ("\"Once\" upon\n\nb\n\nc", 1, "once", True, True),
    ("a\n\nb", 1, "a", False, False),  # two of three
    ("a\n\nb\n\nc", 4, "c", False, False),
    # Three with text, but the second by number is empty.
    ("a\n\n\n\nb\n\nc", 2, "b", False, True),
    ("a\n\n\n\nb\n\nc", 3, "b", True, False),
    ("don't\n\nb\n\nc", 1, "don", True, True),
    ("'' x\n\nb\n\nc", 1, "x", False, False),  # nothing but quotation marks
  ],
)  # fmt: skip
def test_a_paragraph_begins_with_a_word(reply, nth, word, official, exact):
  wanted = {"num_paragraphs": 3, "nth_paragraph": nth, "first_word": word}
  assert length.first_word(reply, **wanted) == official
  assert length.exact_first_word(reply, **wanted) == exact
