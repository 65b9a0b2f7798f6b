"""What a user says in an item, when, and what is to be said then.

A draft is drawn first: only its lines, in words. When all lines of all drafts
have been spoken, each is laid out in time, since cues are words and their
times are those of the sound.
"""

import dataclasses
import zlib
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from jaxtyping import Float

from interaction_jax.data.synthetic import voices
from interaction_jax.evals import clip
from interaction_jax.evals.cued.match import Event, Span
from interaction_jax.evals.harness import narrator
from interaction_jax.evals.harness.narrator import Line, Spoken

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

  def word_end(self, line: int, word: int) -> float:
    """When a word of a line that was said is over."""
    return self._at[line] + self._spoken[line].words[word].end

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
class Draft:
  """An item before anything has been spoken.

  Attributes:
    kind: items of a kind count alike with those of any other.
    lines: what the user says.
    lay: puts it in time.
  """

  name: str
  kind: str
  lines: tuple[str, ...]
  lay: Callable[[Script], None]


def speak(drafts: Sequence[Draft]) -> list[Script]:
  """Drafts, spoken and laid out; each by one of the voices kept for testing."""
  lines = [_lines(draft) for draft in drafts]
  said = iter(narrator.speak([one for each in lines for one in each]))
  scripts = []
  for draft, each in zip(drafts, lines, strict=True):
    script = Script(draft.lines, [next(said) for _ in each])
    draft.lay(script)
    scripts.append(script)
  return scripts


def _lines(draft: Draft) -> list[Line]:
  users = voices.USERS["held_out"]
  drawn = zlib.crc32(draft.name.encode())
  slow, fast = voices.USER_RATES
  rate = slow + drawn // len(users) % (fast - slow)
  voice = users[drawn % len(users)]
  return [Line(text, voice, rate, 50) for text in draft.lines]


def _ms(seconds: float) -> float:
  return round(float(seconds), 3)


def _rounded(event: dict[str, Any]) -> dict[str, Any]:
  return event | {
    "t_ref": _ms(event["t_ref"]),
    "window": [_ms(x) for x in event["window"]],
    "accept": list(event["accept"]),
  }
