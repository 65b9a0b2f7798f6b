"""A reply that follows instructions, for an oracle: sense is not asked of it.

It is put together from what each instruction needs, and tried; where two of
them cannot both be met this way, or one is unknown to it, there is none.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Final

from interaction_jax.evals.ifeval import form, score
from interaction_jax.evals.ifeval.checker import Instruction

_SENTENCE: Final = "this is what we have to say about it"
_SPANISH: Final = "el perro y el gato duermen en la casa de su amigo"
_TEXTS: Final = {
  "en": _SENTENCE,
  "es": _SPANISH,
  "de": "der hund und die katze schlafen heute lange in dem kleinen haus",
  "fr": "le chien et le chat dorment dans la maison de leur vieil ami",
}

_Arguments = Mapping[str, Any]


def reply(instructions: Sequence[Instruction]) -> str | None:
  """A reply that follows all of them strictly, in both editions."""
  asked = {one.name: one.arguments for one in instructions}
  for casing, stops in itertools.product(
    (str, str.lower, str.upper), (5, 0, 30)
  ):
    text = _finished(casing(_body(asked, stops)), asked)
    verdicts = [
      score.judge(instructions, text, edition=edition).strict
      for edition in ("official", "corrected")
    ]
    if all(map(all, verdicts)):
      return text
  return None


def _body(asked: Mapping[str, _Arguments], stops: int) -> str:
  """Everything but what has to stand at the very beginning or end.

  Args:
    stops: sentences, where nothing says how many; 0: only what is needed.
  """
  if "detectable_format:json_format" in asked:
    return '{"answer": "' + " ".join(_words(asked)) + '"}'
  if "detectable_format:constrained_response" in asked:
    return form.OPTIONS[0]
  sentence = _sentence(asked)
  lines = []
  if "detectable_format:title" in asked:
    lines.append("<<what we say>>")
  lines += _marked(asked, sentence)
  words = " ".join(_words(asked))
  if words:
    lines.append(f"we say {words}.")
  need = _most(asked, "length_constraints:number_words", "num_words")
  size = len(sentence.split())
  per_line = max(-(-need // size), _sentences(asked, stops))
  if per_line or not lines:
    lines.append(" ".join([f"{sentence}."] * max(per_line, 1)))
  return _divided("\n".join(lines), asked)


def _sentence(asked: Mapping[str, _Arguments]) -> str:
  language = asked.get("language:response_language", {}).get("language", "en")
  return _TEXTS.get(str(language), _SENTENCE)


def _sentences(asked: Mapping[str, _Arguments], stops: int) -> int:
  wanted = asked.get("length_constraints:number_sentences")
  if wanted is None:
    few = asked.get("length_constraints:number_words", {})
    return min(stops, 1) if few.get("relation") == "less than" else stops
  number = int(wanted["num_sentences"])
  return number if wanted["relation"] == "at least" else 1


def _most(asked: Mapping[str, _Arguments], name: str, key: str) -> int:
  """A number that is wanted at least; 0 where there is none."""
  arguments = asked.get(name, {})
  relations = [v for k, v in arguments.items() if k.endswith("relation")]
  return int(arguments[key]) if relations == ["at least"] else 0


def _words(asked: Mapping[str, _Arguments]) -> list[str]:
  """Words that have to be there."""
  found = list(asked.get("keywords:existence", {}).get("keywords", ()))
  often = _most(asked, "keywords:frequency", "frequency")
  found += (
    [str(asked["keywords:frequency"]["keyword"])] * often if often else []
  )
  letters = _most(asked, "keywords:letter_frequency", "let_frequency")
  if letters:
    found += [str(asked["keywords:letter_frequency"]["letter"]).lower()] * (
      letters
    )
  capitals = _most(
    asked, "change_case:capital_word_frequency", "capital_frequency"
  )
  found += ["GO"] * capitals
  return found


def _marked(asked: Mapping[str, _Arguments], sentence: str) -> list[str]:
  """Lines with marks: sections, points, highlights and placeholders."""
  lines = []
  sections = asked.get("detectable_format:multiple_sections", {})
  for number in range(1, int(sections.get("num_sections", 0)) + 1):
    lines.append(f"{sections['section_spliter']} {number}\n{sentence}.")
  points = asked.get("detectable_format:number_bullet_lists", {})
  lines += [f"* {sentence}"] * int(points.get("num_bullets", 0))
  high = asked.get("detectable_format:number_highlighted_sections", {})
  lines += ["so *we say* this."] * int(high.get("num_highlights", 0))
  blanks = asked.get("detectable_content:number_placeholders", {})
  lines += ["so says [name]."] * int(blanks.get("num_placeholders", 0))
  return lines


def _divided(text: str, asked: Mapping[str, _Arguments]) -> str:
  """The text in as many paragraphs as are wanted."""
  stars = asked.get("length_constraints:number_paragraphs", {})
  if stars:
    parts = [text] + [_SENTENCE] * (int(stars["num_paragraphs"]) - 1)
    text = "\n***\n".join(parts)
  numbered = asked.get("length_constraints:nth_paragraph_first_word", {})
  if numbered:
    parts = [text] + [_SENTENCE] * (int(numbered["num_paragraphs"]) - 1)
    place = int(numbered["nth_paragraph"]) - 1
    parts[place] = f"{numbered['first_word']} {parts[place]}"
    text = "\n\n".join(parts)
  if "combination:two_responses" in asked:
    text = f"{text}\n******\n{text} really."
  return text


def _finished(text: str, asked: Mapping[str, _Arguments]) -> str:
  """With what has to stand at the beginning or the end."""
  prompt = asked.get("combination:repeat_prompt", {}).get("prompt_to_repeat")
  if prompt:
    text = f"{prompt}\n{text}"
  after = asked.get("detectable_content:postscript", {}).get(
    "postscript_marker"
  )
  if after:
    text = f"{text}\n{after} so it is"
  end = asked.get("startend:end_checker", {}).get("end_phrase")
  if end:
    text = f"{text}\n{end}"
  if "startend:quotation" in asked:
    text = f'"{text}"'
  return text
