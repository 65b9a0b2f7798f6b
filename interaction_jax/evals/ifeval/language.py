"""Instructions about the language of a reply, and its large and small letters.

The field's scorer lets an instruction pass as followed where no language can
be made out, as in a reply of digits; the exact rules do not.
"""

import functools
from types import ModuleType

from interaction_jax.evals.ifeval import token
from interaction_jax.evals.ifeval.keyword import compare


def detect(text: str) -> str | None:
  """The language of a text by ISO 639-1, or None where it has none.

  What the detector draws is drawn from a fixed seed: elsewhere it may say
  another language of a short text each time.

  Raises:
    ModuleNotFoundError: the detector is not installed.
  """
  detector = _detector()
  try:
    return str(detector.detect(text))
  except detector.LangDetectException:
    return None


@functools.cache
def _detector() -> ModuleType:
  try:
    import langdetect
  except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
      "languages are told apart with langdetect, which comes with "
      "pip install 'interaction-jax[eval]'."
    ) from error
  langdetect.DetectorFactory.seed = 0
  return langdetect


def language(reply: str, *, language: str) -> bool:
  """All of it is in a language."""
  return detect(reply) in (language, None)


def exact_language(reply: str, *, language: str) -> bool:
  """The same, and it can be made out."""
  return detect(reply) == language


def capital(reply: str) -> bool:
  """English, in capitals."""
  return reply.isupper() and detect(reply) in ("en", None)


def exact_capital(reply: str) -> bool:
  """The same; the detector, who has read small letters, is given these."""
  return reply.isupper() and detect(reply.lower()) == "en"


def lowercase(reply: str) -> bool:
  """English, in small letters."""
  return reply.islower() and detect(reply) in ("en", None)


def exact_lowercase(reply: str) -> bool:
  """The same, and it can be made out."""
  return reply.islower() and detect(reply) == "en"


def capital_words(
  reply: str, *, capital_frequency: int, capital_relation: str
) -> bool:
  """So many words in capitals; "I" is one."""
  found = sum(one.isupper() for one in token.tokens(reply))
  return compare(found, capital_relation, capital_frequency)
