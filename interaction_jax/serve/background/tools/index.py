"""Passages of text, found by the words of a question.

    passages   0 "anna: red box"    1 "the key of the box"
    words      anna {0: 1}   red {0: 1}   box {0: 1, 1: 1}   key {1: 1}

score(q, p) = sum over words w of q of
  ln(1 + (N - n_w + 1/2) / (n_w + 1/2))
  * f_wp (k + 1) / (f_wp + k (1 - b + b |p| / mean |p|))

Reference: Robertson and Zaragoza 2009, The Probabilistic Relevance Framework,
equation 3.15, with the 1 in the logarithm that keeps it positive.
"""

import dataclasses
import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

_K: Final = 1.2
_B: Final = 0.75

_LINES: Final = 12
_LETTERS: Final = 800
"""What a passage holds at most."""


@dataclasses.dataclass(frozen=True)
class Passage:
  """Some lines that belong together.

  Attributes:
    source: where it is from: a file, or an address.
    line: the number of its first line, from 1 on.
  """

  source: str
  line: int
  text: str

  def best_line(self, wanted: Iterable[str]) -> int:
    """The number of the line that has most of the words."""
    wanted = set(wanted)
    counts = [len(wanted & set(words(line))) for line in self.text.split("\n")]
    return self.line + counts.index(max(counts))


@dataclasses.dataclass(frozen=True)
class Hit:
  """A passage that was found, and how well it fits.

  Attributes:
    share: of the words that were asked for, how many it has.
  """

  passage: Passage
  score: float
  share: float


class Index:
  """An inverted index of passages, which come and go by their source."""

  def __init__(self):
    self._passages: dict[int, tuple[Passage, Counter[str]]] = {}
    self._of: dict[str, list[int]] = {}
    self._places: dict[str, dict[int, int]] = {}
    self._number = self._length = 0

  def __len__(self) -> int:
    return len(self._passages)

  def put(self, source: str, text: str, *, title: str = "") -> None:
    """Takes in a text, in place of what the source had before.

    Args:
      title: by whose words each of its passages is found, too, as by those of
        the last part of the source's name.
    """
    self.drop(source)
    name = Counter(words(title) + words(source.rpartition("/")[2]))
    for passage in passages(source, text):
      counts = Counter(words(passage.text)) + name
      number, self._number = self._number, self._number + 1
      self._passages[number] = (passage, counts)
      self._of.setdefault(source, []).append(number)
      self._length += counts.total()
      for word, count in counts.items():
        self._places.setdefault(word, {})[number] = count

  def drop(self, source: str) -> None:
    """Forgets what is from a source."""
    for number in self._of.pop(source, ()):
      _, counts = self._passages.pop(number)
      self._length -= counts.total()
      for word in counts:
        self._places[word].pop(number, None)
        if not self._places[word]:
          del self._places[word]

  def find(self, question: str, *, most: int = 3) -> list[Hit]:
    """The passages that fit best, the best first; those that do not, not."""
    wanted = asked(question)
    scores: defaultdict[int, float] = defaultdict(float)
    found: Counter[int] = Counter()
    mean = self._length / max(len(self._passages), 1)
    for word in wanted:
      places = self._places.get(word, {})
      rest = len(self._passages) - len(places) + 0.5
      weight = math.log(1 + rest / (len(places) + 0.5))
      for number, count in places.items():
        length = self._passages[number][1].total() / mean
        full = count + _K * (1 - _B + _B * length)
        scores[number] += weight * count * (_K + 1) / full
        found[number] += 1
    # Among equals the first.
    best = sorted(scores, key=lambda number: (-scores[number], number))
    return [
      Hit(
        self._passages[number][0], scores[number], found[number] / len(wanted)
      )
      for number in best[:most]
    ]


def words(text: str) -> list[str]:
  """The words of a text, in a form in which like ones are equal."""
  plain = unicodedata.normalize("NFKD", text.casefold())
  plain = "".join(sign for sign in plain if not unicodedata.combining(sign))
  return [_stem(word) for word in re.findall(r"[^\W_]+", plain)]


def asked(question: str) -> list[str]:
  """The words of a question that say what is asked for; all if none does."""
  return telling(question) or list(dict.fromkeys(words(question)))


def telling(question: str) -> list[str]:
  """The words of a question that say what is asked for; none if none does."""
  return [word for word in dict.fromkeys(words(question)) if word not in _IDLE]


def _stem(word: str) -> str:
  """Without the s of plurals: "cats" is "cat", but "boxes" is not "box"."""
  long = len(word) > 3 and word.isalpha()
  return word[:-1] if long and word[-1] == "s" and word[-2] != "s" else word


_IDLE: Final = frozenset(
  _stem(word)
  for word in (
    *("a", "an", "and", "are", "as", "at", "be", "but", "by", "can", "did"),
    *("do", "does", "for", "from", "had", "has", "have", "how", "i", "in"),
    *("is", "it", "its", "me", "my", "of", "on", "or", "our", "please", "say"),
    *("tell", "that", "the", "their", "them", "there", "they", "this", "to"),
    *("us", "was", "we", "were", "what", "when", "where", "which", "who"),
    *("why", "will", "with", "you", "your", "find", "show", "look", "search"),
    "about",
  )
)
"""Words of questions that say nothing of what is asked for."""


def passages(source: str, text: str) -> Iterator[Passage]:
  """Cuts a text where it is blank, and where it would become too long."""
  lines: list[str] = []
  first, length = 1, 0
  for number, line in enumerate(text.split("\n"), 1):
    line = line.rstrip()
    full = len(lines) == _LINES or length + len(line) > _LETTERS
    if lines and (full or not line):
      yield Passage(source, first, "\n".join(lines))
      lines, length = [], 0
    if line and not lines:
      first = number
    # A line that is too long by itself is cut within.
    while len(line) > _LETTERS:
      yield Passage(source, number, line[:_LETTERS])
      line = line[_LETTERS:]
    if line:
      lines.append(line)
      length += len(line)
  if lines:
    yield Passage(source, first, "\n".join(lines))
