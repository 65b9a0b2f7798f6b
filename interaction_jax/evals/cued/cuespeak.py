"""CueSpeak, rebuilt: things to be said at words, while the user talks on.

Eight kinds of cue, drawn from a seed. The benchmark that the name is from was
never released: kinds, items and windows are ours.

Reference: Thinking Machines Lab 2026, doi:10.64434/tml.20260511.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from interaction_jax.data.synthetic import world
from interaction_jax.evals.cued import layout, rating, script, wording
from interaction_jax.evals.cued.layout import Kind
from interaction_jax.evals.cued.script import Plan, Script
from interaction_jax.evals.cued.wording import Target
from interaction_jax.evals.harness.suite import Suite

_CUES: Final = tuple(x for x in wording.ANIMALS if x[0] not in "aeiou")
"""What occurs in a story: what goes with "a"."""

_SPANISH: Final = {
  spanish: english
  for english, spanish in world.LEXICON.items()
  if english in ("cat", "dog", "bird", "house", "book", "table", "tree",
                 "water", "milk", "bread", "horse")
}  # fmt: skip

_MIXED: Final = (
  "yesterday we left the {} with my parents",
  "i never know where to put the {} in this flat",
  "they say the {} is better in the summer",
  "my mother asked for the {} over and over again",
  "and then the {} was gone for a whole day",
)
"""Sentences with a word of another language."""

_CAPITALS: Final = {
  "france": "paris", "england": "london", "italy": "rome",
  "germany": "berlin", "japan": "tokyo", "spain": "madrid",
  "norway": "oslo", "egypt": "cairo", "portugal": "lisbon",
  "austria": "vienna",
}  # fmt: skip

_NAMES: Final = tuple(
  x for x in world.NAMES if x not in ("max", "mary", "sam", "paul")
)
"""Those that sound like nothing else."""

_VISITS: Final = (
  "then {} came by with a cake for everybody",
  "in the evening {} called me about the garden",
  "on friday {} forgot the tickets at home",
  "last night {} cooked dinner for all of us",
)

_HABITS: Final = ("uh", "um")
_HESITANT: Final = (
  "i went to the {} shop with my friend",
  "then my friend bought a {} lamp for the garden",
  "my teacher had a {} cake for the school",
  "and the doctor was in the {} house with my friend",
)


@dataclasses.dataclass(frozen=True)
class _Sentence:
  """A sentence of a story.

  Attributes:
    cue: which of its words is one.
    target: what is to be said at it; None: nothing.
  """

  text: str
  cue: int
  target: Target | None = None


def _sentences(
  said: Sequence[str],
  cues: Sequence[str],
  targets: Sequence[Target | None],
) -> list[_Sentence]:
  return [
    _Sentence(text, text.split().index(cue), target)
    for text, cue, target in zip(said, cues, targets, strict=True)
  ]


def _keyword(rng: np.random.Generator, rich: bool) -> Plan:
  """Whenever a word occurs, among others like it."""
  (target,) = wording.targets(rng, 1, rich=rich)
  cue, *others = wording.some(rng, _CUES, 4)
  words = [cue, cue, *others][: int(rng.integers(3, 6))]
  rng.shuffle(words)
  request = _asked(
    rng,
    rich,
    f"say {target.asked} when i say {cue}",
    f"whenever i mention a {cue} tell me to {target.asked}",
    f"each time the word {cue} comes up remind me to {target.asked}",
  )
  targets = [target if word == cue else None for word in words]
  said = wording.sights(rng, words, rich=rich)
  return _told(rng, rich, request, _sentences(said, words, targets))


def _category(rng: np.random.Generator, rich: bool) -> Plan:
  """At animals one thing, at colours another."""
  one, other = wording.words(rng, 2)
  animals = wording.some(rng, _CUES, 2)
  colours = wording.some(rng, wording.COLOURS, 2)
  request = _asked(
    rng,
    rich,
    f"when i say an animal say {one.say} and when i say a colour say "
    f"{other.say}",
    f"say {one.say} whenever i name an animal and {other.say} whenever i name "
    "a colour",
  )
  words = wording.some(rng, [*animals, *colours], int(rng.integers(2, 5)))
  things = [x if x in animals else f"{x} lamp" for x in words]
  targets = [one if x in animals else other for x in words]
  said = wording.sights(rng, things, rich=rich)
  return _told(rng, rich, request, _sentences(said, words, targets))


def _second(rng: np.random.Generator, rich: bool) -> Plan:
  """The second time that a word occurs, and no other time."""
  (target,) = wording.targets(rng, 1, rich=rich)
  cue, other = wording.some(rng, _CUES, 2)
  words = [cue, cue, *[cue, other][: int(rng.integers(3))]]
  rng.shuffle(words)
  request = _asked(
    rng,
    rich,
    f"say {target.asked} the second time i say {cue}",
    f"the second time i mention a {cue} and only then tell me to "
    f"{target.asked}",
  )
  when = [place for place, word in enumerate(words) if word == cue][1]
  targets = [target if n == when else None for n in range(len(words))]
  said = wording.sights(rng, words, rich=rich)
  return _told(rng, rich, request, _sentences(said, words, targets))


def _tally(rng: np.random.Generator, rich: bool) -> Plan:
  """How often it has been, each time."""
  cue, other = wording.some(rng, _CUES, 2)
  words = [cue] * int(rng.integers(2, 4)) + [other] * int(rng.integers(2))
  rng.shuffle(words)
  request = _asked(
    rng,
    rich,
    f"count every time i say {cue}",
    f"keep count aloud of how many times i mention a {cue} and say the number "
    "each time",
  )
  targets = [
    _number(words[: place + 1].count(cue)) if word == cue else None
    for place, word in enumerate(words)
  ]
  said = wording.sights(rng, words, rich=rich)
  return _told(rng, rich, request, _sentences(said, words, targets))


def _lookup(rng: np.random.Generator, rich: bool) -> Plan:
  """What belongs to a name, of what was told before."""
  names = wording.some(rng, _NAMES, 3)
  cities = wording.some(rng, world.CITIES, 3)
  home = dict(zip(names, cities, strict=True))
  told = " and ".join(f"{name} is in {city}" for name, city in home.items())
  request = _asked(
    rng,
    rich,
    f"{told} tell me the city when i say a friend",
    f"{told} when i mention one of them tell me which city that is",
  )
  words = wording.some(rng, names, int(rng.integers(2, 4)))
  forms = wording.some(rng, _VISITS, len(words))
  said = [form.format(x) for form, x in zip(forms, words, strict=True)]
  targets = [_word(home[x]) for x in words]
  return _told(rng, rich, request, _sentences(said, words, targets))


def _codeswitch(rng: np.random.Generator, rich: bool) -> Plan:
  """The English word, whenever the user falls into Spanish."""
  request = _asked(
    rng,
    rich,
    "when i say a spanish word tell me the english word",
    "every time i codeswitch into spanish give me the correct english word",
  )
  words = wording.some(rng, list(_SPANISH), int(rng.integers(2, 4)))
  forms = wording.some(rng, _MIXED, len(words))
  said = [form.format(x) for form, x in zip(forms, words, strict=True)]
  targets = [_word(_SPANISH[x]) for x in words]
  return _told(rng, rich, request, _sentences(said, words, targets))


def _correction(rng: np.random.Generator, rich: bool) -> Plan:
  """What would have been right, where the user is wrong; once an item."""
  wrong = int(rng.integers(3))
  said = []
  for place, told in enumerate(_claims(rng, rich)):
    begin, right, others = told
    claim = wording.one(rng, others) if place == wrong else right.say
    joined = f"{'and ' if place else ''}{begin} {claim}"
    target = right if place == wrong else None
    said.append(_Sentence(joined, len(joined.split()) - 1, target))
  request = _asked(
    rng,
    rich,
    "check if i say it right",
    "correct me while i talk whenever i get a capital wrong",
    "i am learning capitals so interrupt me with the right one if i am wrong",
  )
  return _told(rng, rich, request, said)


def _claims(
  rng: np.random.Generator, rich: bool
) -> Iterator[tuple[str, Target, list[str]]]:
  """Four sentences without their ends: what is right, and what is not."""
  if rich:
    for land in wording.some(rng, list(_CAPITALS), 4):
      right = _CAPITALS[land]
      others = [x for x in _CAPITALS.values() if x != right]
      yield f"the capital of {land} is", _word(right), others
    return
  for _ in range(4):
    one, other = (int(n) for n in rng.integers(1, 6, 2))
    right = one + other
    others = [wording.number(right + n) for n in (-1, 1, 2)]
    yield (
      f"{wording.number(one)} plus {wording.number(other)} is",
      _number(right),
      others,
    )


def _filler(rng: np.random.Generator, rich: bool) -> Plan:
  """Whenever the user hesitates with a certain sound."""
  (target,) = wording.words(rng, 1)
  habit = _HABITS[rich]
  request = _asked(
    rng,
    rich,
    f"say {target.say} when i say {habit}",
    f"i want to get rid of a habit so say {target.say} each time i say {habit}",
  )
  num = int(rng.integers(2, 4))
  said = [form.format(habit) for form in wording.some(rng, _HESITANT, num)]
  sentences = _sentences(said, [habit] * num, [target] * num)
  return _told(rng, rich, request, sentences)


def _word(text: str) -> Target:
  return Target(text, text, (text,))


def _number(value: int) -> Target:
  text = wording.number(value)
  return Target(text, text, wording.forms(value))


def _asked(
  rng: np.random.Generator, rich: bool, simple: str, *others: str
) -> str:
  return wording.one(rng, others) if rich else simple


def _told(
  rng: np.random.Generator,
  rich: bool,
  request: str,
  sentences: Sequence[_Sentence],
) -> Plan:
  """A request, and a story in one breath; words come after the last cue."""
  words: list[str] = []
  marks: list[tuple[int, Target]] = []
  for one in sentences:
    if one.target is not None:
      marks.append((len(words) + one.cue, one.target))
    words += one.text.split()
  words += wording.talk(rng, 1, rich=rich)[0].split()
  pause = float(rng.uniform(1.0, 2.0))

  def lay(made: Script) -> None:
    made.ask(0, pause=0.4)
    made.say(1, pause=pause)
    for place, target in marks:
      made.cued(1, place, target.say, *target.accept)

  return Plan((request, " ".join(words)), lay)


KINDS: Final[Mapping[str, Kind]] = {
  "keyword": _keyword,
  "category": _category,
  "second": _second,
  "tally": _tally,
  "lookup": _lookup,
  "codeswitch": _codeswitch,
  "correction": _correction,
  "filler": _filler,
}
"""What an item may be about; each counts alike."""


def generate(folder: Path, num: int, seed: int) -> None:
  """So many items of each kind; 26 from seed 0 are the benchmark."""
  layout.write(folder, "cuespeak", KINDS, num, seed)


SUITE: Final = Suite(
  name="cuespeak",
  about="things to be said at words while the user talks on; a rebuild",
  source="after Thinking Machines Lab 2026, doi:10.64434/tml.20260511, whose "
  "CueSpeak was not released: kinds, items and windows are this library's, "
  "and published numbers are of other items",
  parts=tuple(KINDS),
  asks="voice",
  rows=rating.rows(
    {"TML-Interaction-Small": 0.817, "GPT-realtime-2.0 min": 0.029}
  ),
  load=partial(layout.load, benchmark="cuespeak"),
  generate=generate,
  score=rating.score,
  protocol="the user's voice is played as it is; each thing has to begin when "
  f"its word is over, {script.CUE_WINDOW[1]} s later at the latest, and while "
  f"the user still speaks; anything may be said for {script.FREE_S} s after a "
  "request",
  twin_items=26,
  judged=True,
)
