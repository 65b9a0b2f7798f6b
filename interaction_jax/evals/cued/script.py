"""What a user says in an item, when, and what is to be said then.

A plan is drawn first: only its lines, in words. When all lines of all plans
have been spoken, each is laid out in time, since cues are words and their
times are those of the sound.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from jaxtyping import Float

from interaction_jax.evals import clip, protocol
from interaction_jax.evals.cued.match import Event, Span
from interaction_jax.evals.harness import narrator
from interaction_jax.evals.harness.narrator import Line, Spoken
from interaction_jax.evals.harness.output import Word

TIME_WINDOW: Final = (0.6, 1.2)
"""Seconds before and after a time that was asked for: TimeSpeak."""

CUE_WINDOW: Final = (0.0, 1.6)
"""The same around the end of a cue: CueSpeak."""

FREE_S: Final = 2.0
"""Seconds after a request in which anything may be said, as "okay"."""

_TAIL_S: Final = 2.5
"""Seconds that an item goes on after the last thing in it."""


class Script:
  """An item while it is laid out.

  Attributes:
    now: the end of the last thing that the user said, in seconds.
  """

  def __init__(self, lines: Sequence[str], spoken: Sequence[Spoken]):
    self._lines, self._spoken = lines, spoken
    self._at: dict[int, float] = {}
    self._events: list[Event] = []
    self._free: list[Span] = []
    self.now = 0.0

  def say(self, line: int, *, pause: float = 0.0) -> float:
    """The user says a line so long after the last one; returns when it ends."""
    self._at[line] = self.now + pause
    self.now = self._at[line] + self._spoken[line].seconds
    return self.now

  def ask(self, line: int, *, pause: float = 0.0) -> float:
    """The same of a request: what is said right after it is no matter."""
    end = self.say(line, pause=pause)
    self.free(end)
    return end

  def word_end(self, line: int, word: int) -> float:
    """When a word of a line that was said is over."""
    words, texts = self._spoken[line].words, self._lines[line].split()
    assert len(words) == len(texts), f"{texts} have {len(words)} times"
    return self._at[line] + words[word].end

  def words(self) -> list[Word]:
    """The words of all lines that were said, when they are said."""
    said = [
      dataclasses.replace(word, start=word.start + at, end=word.end + at)
      for line, at in self._at.items()
      for word in self._spoken[line].words
    ]
    return sorted(said, key=lambda word: word.start)

  def line_sound(self, line: int) -> Float[np.ndarray, " _"]:
    """What a line sounds like by itself."""
    return self._spoken[line].sound

  def line_span(self, line: int) -> Span:
    """From when to when a line is said."""
    begin = self._at[line]
    return begin, begin + self._spoken[line].seconds

  def free(self, begin: float, seconds: float = FREE_S) -> None:
    """Anything may be said for a while."""
    self._free.append((begin, begin + seconds))

  def due(self, at: float, say: str, *accept: str) -> None:
    """Something is to be said at a time."""
    before, after = TIME_WINDOW
    self._expect(at, (at - before, at + after), say, accept, overlap=False)

  def cued(self, line: int, word: int, say: str, *accept: str) -> None:
    """Something is to be said at a word, while the user goes on."""
    at = self.word_end(line, word)
    before, after = CUE_WINDOW
    window = at - before, min(at + after, self.line_span(line)[1])
    self._expect(at, window, say, accept, overlap=True)

  def _expect(
    self,
    at: float,
    window: Span,
    say: str,
    accept: tuple[str, ...],
    *,
    overlap: bool,
  ) -> None:
    self._events.append(Event(at, window, accept or (say,), say, overlap))

  def wait(self, until: float) -> None:
    """The user is silent until a time, at least."""
    self.now = max(self.now, until)

  def entry(self) -> dict[str, Any]:
    """The item as its file has it."""
    last = max([self.now, *(one.window[1] for one in self._events)])
    user = [
      {"text": self._lines[line], "start": _ms(begin), "end": _ms(end)}
      for line in self._at
      for begin, end in (self.line_span(line),)
    ]
    assert self._events, "nothing is to be said: silence would be right"
    return {
      "seconds": _ms(np.ceil((last + _TAIL_S) * 5) / 5),
      "user": user,
      "events": [_rounded(dataclasses.asdict(one)) for one in self._events],
      "free": [[_ms(x) for x in span] for span in self._free],
      "max_extra": 0,
    }

  def sound(self, seconds: float) -> Float[np.ndarray, " _"]:
    """What the user says, in so many seconds."""
    parts = [(at, self._spoken[line].sound) for line, at in self._at.items()]
    return clip.joined(parts, seconds)


@dataclasses.dataclass(frozen=True)
class Plan:
  """An item before anything has been spoken.

  Attributes:
    lines: what the user says.
    lay: puts it in time.
  """

  lines: tuple[str, ...]
  lay: Callable[[Script], None]


def speak(plans: Mapping[str, Plan]) -> dict[str, Script]:
  """Items by name, spoken and laid out; voices depend on the names.

  The voices are those that nobody was trained on.
  """
  lines = {name: _lines(name, plan) for name, plan in plans.items()}
  said = iter(narrator.speak([x for each in lines.values() for x in each]))
  scripts = {}
  for name, plan in plans.items():
    script = Script(plan.lines, [next(said) for _ in lines[name]])
    plan.lay(script)
    scripts[name] = script
  return scripts


def _lines(name: str, plan: Plan) -> list[Line]:
  return [protocol.line(name, text) for text in plan.lines]


def _ms(seconds: float) -> float:
  return round(float(seconds), 3)


def _rounded(event: dict[str, Any]) -> dict[str, Any]:
  return event | {
    "t_ref": _ms(event["t_ref"]),
    "window": [_ms(x) for x in event["window"]],
    "accept": list(event["accept"]),
  }
