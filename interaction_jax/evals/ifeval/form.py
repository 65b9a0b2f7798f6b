"""Instructions about what a reply looks like."""

import json
import re
from typing import Final

OPTIONS: Final = ("My answer is yes.", "My answer is no.",
                  "My answer is maybe.")  # fmt: skip
"""What a reply that may choose has to be."""

_POSTSCRIPTS: Final = {
  "P.S.": r"\s*p\.\s?s\..*$",
  "P.P.S": r"\s*p\.\s?p\.\s?s.*$",
}


def placeholders(reply: str, *, num_placeholders: int) -> bool:
  """At least so many of [this kind]."""
  return len(re.findall(r"\[.*?\]", reply)) >= num_placeholders


def postscript(reply: str, *, postscript_marker: str) -> bool:
  """There is a postscript; its mark may stand anywhere."""
  marker = postscript_marker.strip()
  pattern = _POSTSCRIPTS.get(marker, rf"\s*{marker.lower()}.*$")
  return bool(re.search(pattern, reply.lower(), re.MULTILINE))


def exact_postscript(reply: str, *, postscript_marker: str) -> bool:
  """A line begins with the mark and goes on."""
  letters = re.findall(r"\w", postscript_marker)
  marker = r"\s?".join(rf"{letter}\.?" for letter in letters)
  return bool(re.search(rf"(?im)^[\W_]*{marker}[\W_]*\w", reply))


def bullets(reply: str, *, num_bullets: int) -> bool:
  """Exactly so many lines that begin with an asterisk or a dash."""
  stars = re.findall(r"^\s*\*[^\*].*$", reply, re.MULTILINE)
  dashes = re.findall(r"^\s*-.*$", reply, re.MULTILINE)
  return len(stars) + len(dashes) == num_bullets


def exact_bullets(reply: str, *, num_bullets: int) -> bool:
  """The same, but rules across the page and negative numbers are none."""
  points = re.findall(r"(?m)^[ \t]*[*-][ \t]+[^\s*-].*$", reply)
  return len(points) == num_bullets


def choice(reply: str) -> bool:
  """One of the options is somewhere in it."""
  return any(option in reply for option in OPTIONS)


def exact_choice(reply: str) -> bool:
  """It is one of the options."""
  return reply.strip().strip("\"'*") in OPTIONS


def highlights(reply: str, *, num_highlights: int) -> bool:
  """At least so many passages *between asterisks*, single or double."""
  single = re.findall(r"\*([^\n\*]*)\*", reply)
  double = re.findall(r"\*\*([^\n\*]*)\*\*", reply)
  filled = [one for one in (*single, *double) if one.strip()]
  return len(filled) >= num_highlights


def sections(reply: str, *, section_spliter: str, num_sections: int) -> bool:
  """At least so many marks of sections, with a number, wherever they are."""
  mark = rf"\s?{section_spliter.strip()}\s?\d+\s?"
  return len(re.split(mark, reply)) - 1 >= num_sections


def exact_sections(
  reply: str, *, section_spliter: str, num_sections: int
) -> bool:
  """So many different ones, each at the beginning of a line."""
  mark = rf"(?m)^[\s#*_]*{re.escape(section_spliter.strip())}\s?(\d+)"
  return len(set(re.findall(mark, reply))) >= num_sections


def is_json(reply: str) -> bool:
  """All of it is JSON, in a fence or without."""
  text = reply.strip()
  for fence in ("```json", "```Json", "```JSON", "```"):
    text = text.removeprefix(fence)
  try:
    json.loads(text.removesuffix("```").strip())
  except ValueError:
    return False
  return True


def title(reply: str) -> bool:
  """There is a <<title>>."""
  found = re.findall(r"<<[^\n]+>>", reply)
  return any(one.lstrip("<").rstrip(">").strip() for one in found)


def no_comma(reply: str) -> bool:
  """There is no comma."""
  return "," not in reply


def two_replies(reply: str) -> bool:
  """Two different ones, with six asterisks between them."""
  parts = [part.strip() for part in reply.split("******")]
  if not all(parts[1:-1]):
    return False
  filled = [part for part in parts if part]
  return len(filled) == 2 and filled[0] != filled[1]


def repeats(reply: str, *, prompt_to_repeat: str) -> bool:
  """It begins with the request."""
  return reply.strip().lower().startswith(prompt_to_repeat.strip().lower())


def ends(reply: str, *, end_phrase: str) -> bool:
  """It ends with a phrase; a quotation mark may follow."""
  text = reply.strip().strip('"').lower()
  return text.endswith(end_phrase.strip().lower())


def quoted(reply: str) -> bool:
  """All of it stands between double quotation marks."""
  text = reply.strip()
  return len(text) > 1 and text[0] == text[-1] == '"'
