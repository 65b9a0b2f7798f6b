"""The 25 kinds of instructions, and what checks each of them.

A new one is a function of a reply and a line below.

Reference: Zhou et al. 2023, IFEval, arXiv:2311.07911.
"""

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from interaction_jax.core import settings
from interaction_jax.evals.ifeval import form, keyword, language, length

Edition = Literal["official", "corrected"]
"""`official` does what the field's scorer does, `corrected` what the
instruction says; most checkers are the same in both."""

Rule = Callable[..., bool]


@dataclasses.dataclass(frozen=True)
class Checker:
  """What checks one kind of instruction.

  Attributes:
    official: a function of a reply and of the instruction's arguments.
    exact: the same where the official one is odd; None: it is not.
  """

  official: Rule
  exact: Rule | None = None

  @property
  def arguments(self) -> tuple[str, ...]:
    """The names of the instruction's arguments; all are needed."""
    _, *names = inspect.signature(self.official).parameters
    return tuple(names)

  def rule(self, edition: Edition) -> Rule:
    """The function of an edition."""
    exact = edition == "corrected" and self.exact is not None
    return self.exact if exact and self.exact else self.official


CHECKERS: Final = {
  "keywords:existence": Checker(keyword.existence, keyword.exact_existence),
  "keywords:frequency": Checker(keyword.frequency, keyword.exact_frequency),
  "keywords:forbidden_words": Checker(
    keyword.forbidden, keyword.exact_forbidden
  ),
  "keywords:letter_frequency": Checker(keyword.letter_frequency),
  "language:response_language": Checker(
    language.language, language.exact_language
  ),
  "length_constraints:number_sentences": Checker(length.sentences),
  "length_constraints:number_paragraphs": Checker(length.paragraphs),
  "length_constraints:number_words": Checker(length.words),
  "length_constraints:nth_paragraph_first_word": Checker(
    length.first_word, length.exact_first_word
  ),
  "detectable_content:number_placeholders": Checker(form.placeholders),
  "detectable_content:postscript": Checker(
    form.postscript, form.exact_postscript
  ),
  "detectable_format:number_bullet_lists": Checker(
    form.bullets, form.exact_bullets
  ),
  "detectable_format:constrained_response": Checker(
    form.choice, form.exact_choice
  ),
  "detectable_format:number_highlighted_sections": Checker(form.highlights),
  "detectable_format:multiple_sections": Checker(
    form.sections, form.exact_sections
  ),
  "detectable_format:json_format": Checker(form.is_json),
  "detectable_format:title": Checker(form.title),
  "combination:two_responses": Checker(form.two_replies),
  "combination:repeat_prompt": Checker(form.repeats),
  "startend:end_checker": Checker(form.ends),
  "startend:quotation": Checker(form.quoted),
  "change_case:capital_word_frequency": Checker(language.capital_words),
  "change_case:english_capital": Checker(
    language.capital, language.exact_capital
  ),
  "change_case:english_lowercase": Checker(
    language.lowercase, language.exact_lowercase
  ),
  "punctuation:no_comma": Checker(form.no_comma),
}
"""All there are, by the names of the data."""


@dataclasses.dataclass(frozen=True)
class Instruction:
  """One instruction of a prompt.

  Attributes:
    name: that of its checker.
    arguments: of the checker.

  Raises:
    ValueError: there is no such checker, or it wants other arguments.
  """

  name: str
  arguments: Mapping[str, Any] = dataclasses.field(default_factory=dict)

  def __post_init__(self):
    if self.name not in CHECKERS:
      near = settings.near(self.name, CHECKERS)
      raise ValueError(f"instruction {self.name!r} is not known{near}.")
    wanted = set(CHECKERS[self.name].arguments)
    if set(self.arguments) != wanted:
      raise ValueError(
        f"instruction {self.name!r} has arguments {sorted(self.arguments)}; "
        f"it wants {sorted(wanted)}."
      )

  def followed(self, reply: str, *, edition: Edition = "official") -> bool:
    """Whether a reply follows it; one of nothing but space follows none."""
    rule = CHECKERS[self.name].rule(edition)
    return bool(reply.strip()) and rule(reply, **self.arguments)


def instruction(name: str, arguments: Mapping[str, Any]) -> Instruction:
  """An instruction as the data has it, where what is not meant is None.

  Raises:
    ValueError: there is no such checker, or an argument is missing.
  """
  wanted = CHECKERS[name].arguments if name in CHECKERS else ()
  given = {
    key: list(value) if isinstance(value, tuple) else value
    for key, value in arguments.items()
    if value is not None and key in wanted
  }
  return Instruction(name, given)
