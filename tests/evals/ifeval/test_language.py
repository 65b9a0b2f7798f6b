import pytest

from interaction_jax.evals.ifeval import language

ENGLISH = "The cat sat on the mat, and the dog was not amused about that."
SPANISH = "El gato duerme en la casa y el perro come pescado con su amigo."


@pytest.mark.parametrize(
  ("text", "found"),
  [
    (ENGLISH, "en"),
    (SPANISH, "es"),
    ("Der Hund schläft, und die Katze frisst den Fisch im Garten.", "de"),
    ("12 + 3", None),
    ("", None),
  ],
)
def test_a_language_is_made_out(text, found):
  assert language.detect(text) == found


def test_the_same_text_has_always_the_same_language():
  assert len({language.detect("no la casa table") for _ in range(20)}) == 1


@pytest.mark.parametrize(
  ("reply", "wanted", "official", "exact"),
  [
    (ENGLISH, "en", True, True),
    (ENGLISH, "es", False, False),
    (SPANISH, "es", True, True),
    ("12 + 3", "es", True, False),
    ("?!", "en", True, False),
  ],
)
def test_all_is_in_one_language(reply, wanted, official, exact):
  assert language.language(reply, language=wanted) == official
  assert language.exact_language(reply, language=wanted) == exact


@pytest.mark.parametrize(
  ("reply", "exact"),
  [
    (ENGLISH.upper(), True),
    (ENGLISH, False),
    (SPANISH.upper(), False),
    ("12 + 3", False),
    (ENGLISH.lower(), False),
  ],
)
def test_capitals(reply, exact):
  assert language.exact_capital(reply) == exact


@pytest.mark.parametrize(
  ("reply", "official"),
  [
    ("12 + 3", False),  # no letter at all, so none in capitals
    (ENGLISH, False),
    (SPANISH.upper(), False),
    (SPANISH, False),
    (ENGLISH.lower(), False),
  ],
)
def test_what_the_official_rule_does_not_take_for_capitals(reply, official):
  assert language.capital(reply) == official


@pytest.mark.parametrize(
  ("reply", "official", "exact"),
  [
    (ENGLISH.lower(), True, True),
    (ENGLISH, False, False),
    (SPANISH.lower(), False, False),
    ("http://a.org/b", True, False),  # letters, but no language
    ("12 + 3", False, False),
  ],
)
def test_small_letters(reply, official, exact):
  assert language.lowercase(reply) == official
  assert language.exact_lowercase(reply) == exact


@pytest.mark.parametrize(
  ("reply", "num"),
  [
    ("GO home NOW", 2),
    ("I know", 1),
    ("DON'T", 2),  # DO, N'T
    ("a WELL-KNOWN B2 man", 2),
    ("none 3", 0),
  ],
)
def test_words_in_capitals_are_counted(reply, num):
  for wanted, follows in ((num, True), (num + 1, False)):
    found = language.capital_words(
      reply, capital_frequency=wanted, capital_relation="at least"
    )
    assert found == follows
