"""TimeSpeak, rebuilt: things to be said at times that the user asked for.

Eight kinds of request, drawn from a seed. The benchmark that the name is from
was never released: kinds, items and windows are ours.

Reference: Thinking Machines Lab 2026, doi:10.64434/tml.20260511.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from interaction_jax.evals.cued import layout, rating, script, wording
from interaction_jax.evals.cued.layout import Kind
from interaction_jax.evals.cued.script import Plan, Script
from interaction_jax.evals.cued.wording import Target
from interaction_jax.evals.harness.suite import Suite

_STOP: Final = (("stop",), ("okay you can stop now", "please stop", "stop it"))
_BETWEEN: Final = 1.3
"""Seconds after a time at which its window is over."""


def _delay(rng: np.random.Generator, rich: bool) -> Plan:
  """Once, after a while; half of the users talk of something else meanwhile."""
  (target,) = wording.targets(rng, 1, rich=rich)
  after = int(rng.integers(3, 11))
  request = _asked(
    rng,
    rich,
    "in {n} seconds say {a}",
    ("remind me to {a} in {n} seconds", "tell me to {a} {n} seconds from now"),
    n=after,
    a=target,
  )
  num = int(rng.integers(2)) * (1 + after // 6)

  def lay(made: Script) -> None:
    begun = made.ask(0, pause=0.4)
    made.due(begun + after, target.say, *target.accept)
    for line in range(1, 1 + num):
      made.say(line, pause=0.8)

  return Plan((request, *wording.talk(rng, num, rich=rich)), lay)


def _schedule(rng: np.random.Generator, rich: bool) -> Plan:
  """Two things at two times, asked for at once."""
  first, second = wording.targets(rng, 2, rich=rich)
  early = int(rng.integers(3, 6))
  late = early + int(rng.integers(3, 7))
  request = _asked(
    rng,
    rich,
    "say {a} in {n} seconds and {b} in {m} seconds",
    (
      "remind me to {a} in {n} seconds and to {b} in {m} seconds",
      "after {n} seconds tell me to {a} and after {m} seconds tell me to {b}",
    ),
    n=early,
    m=late,
    a=first,
    b=second,
  )

  def lay(made: Script) -> None:
    begun = made.ask(0, pause=0.4)
    made.due(begun + early, first.say, *first.accept)
    made.due(begun + late, second.say, *second.accept)

  return Plan((request,), lay)


def _interval(rng: np.random.Generator, rich: bool) -> Plan:
  """The same every few seconds, until the user says stop."""
  targets = wording.targets(rng, 1, rich=rich)
  forms = (
    "say {a} every {n} seconds",
    (
      "remind me to {a} every {n} seconds until i ask you to stop",
      "every {n} seconds tell me to {a} until i say stop",
    ),
  )
  return _repeated(rng, rich, forms, targets)


def _alternate(rng: np.random.Generator, rich: bool) -> Plan:
  """Two things in turn every few seconds, until the user says stop."""
  targets = wording.words(rng, 2)
  forms = (
    "every {n} seconds say {a} then {b} then {a} again",
    (
      "take turns saying {a} and {b} one every {n} seconds until i say stop",
      "every {n} seconds say a word first {a} then {b} then {a} and so on "
      "until i stop you",
    ),
  )
  return _repeated(rng, rich, forms, targets)


def _repeated(
  rng: np.random.Generator,
  rich: bool,
  forms: tuple[str, tuple[str, ...]],
  targets: list[Target],
) -> Plan:
  every = int(rng.integers(3, 7))
  num = int(rng.integers(2, 2 + 12 // every))
  named = dict(zip("ab", targets, strict=False))
  request = _asked(rng, rich, *forms, n=every, **named)
  stop = wording.one(rng, _STOP[rich])
  room = rng.uniform(0, every - 2.0)

  def lay(made: Script) -> None:
    begun = made.ask(0, pause=0.4)
    for place in range(num):
      target = targets[place % len(targets)]
      at = begun + (place + 1) * every
      made.due(at, target.say, *target.accept)
    made.wait(begun + num * every + _BETWEEN + room)
    made.ask(1)
    # Long enough to notice one who does not stop.
    made.wait(made.now + 1.5 * every)

  return Plan((request, stop), lay)


def _count(rng: np.random.Generator, rich: bool) -> Plan:
  """Numbers in order, each after a wait."""
  pause, last = int(rng.integers(2, 5)), int(rng.integers(3, 6))
  request = _asked(
    rng,
    rich,
    "wait {n} seconds before every number and count to {k}",
    (
      "count to {k} very slowly please with {n} seconds of silence before each "
      "number",
      "count up to {k} and leave {n} seconds before every number the first one "
      "included",
    ),
    n=pause,
    k=last,
  )

  def lay(made: Script) -> None:
    begun = made.ask(0, pause=0.4)
    for value in range(1, last + 1):
      made.due(begun + value * pause, *_number(value))

  return Plan((request,), lay)


def _anchor(rng: np.random.Generator, rich: bool) -> Plan:
  """So long after a word that the user says later."""
  (target,) = wording.targets(rng, 1, rich=rich)
  after = int(rng.integers(4, 9))
  begin = ("start", "go")[rich]
  request = _asked(
    rng,
    rich,
    "when i say start say {a} in {n} seconds",
    (
      "once i say go give me {n} seconds and then tell me to {a}",
      "i will say go in a moment and {n} seconds after that remind me to {a}",
    ),
    n=after,
    a=target,
  )
  (talk,) = wording.talk(rng, 1, rich=rich)

  def lay(made: Script) -> None:
    made.ask(0, pause=0.4)
    made.say(1, pause=1.6)
    begun = made.ask(2, pause=1.2)
    made.due(begun + after, target.say, *target.accept)

  return Plan((request, talk, begin), lay)


def _silence(rng: np.random.Generator, rich: bool) -> Plan:
  """When the user has been silent for so long, and not before."""
  (target,) = wording.words(rng, 1)
  quiet = int(rng.integers(4, 8))
  request = _asked(
    rng,
    rich,
    "when i do not talk for {n} seconds say {a}",
    (
      "if i have not said anything for {n} seconds say {a}",
      "i am going to talk and when i stop for {n} seconds in a row say {a}",
    ),
    n=quiet,
    a=target,
  )
  lines = wording.talk(rng, int(rng.integers(2, 4)), rich=rich)
  pauses = rng.uniform(0.8, quiet - 1.6, len(lines))

  def lay(made: Script) -> None:
    made.ask(0, pause=0.4)
    for place, pause in enumerate(pauses):
      made.say(place + 1, pause=float(pause))
    made.due(made.now + quiet, target.say, *target.accept)

  return Plan((request, *lines), lay)


def _change(rng: np.random.Generator, rich: bool) -> Plan:
  """At the time that was asked for, but something else than at first."""
  first, second = wording.targets(rng, 2, rich=rich)
  after = int(rng.integers(8, 12))
  request = _asked(
    rng,
    rich,
    "in {n} seconds say {a}",
    ("remind me to {a} in {n} seconds", "tell me to {a} in {n} seconds"),
    n=after,
    a=first,
  )
  change = _asked(
    rng,
    rich,
    "sorry say {b} not {a}",
    (
      "actually at that time remind me to {b} instead",
      "wait at that moment tell me to {b} and forget the other thing",
    ),
    a=first,
    b=second,
  )
  pause = float(rng.uniform(1.2, 2.2))

  def lay(made: Script) -> None:
    begun = made.ask(0, pause=0.4)
    made.ask(1, pause=pause)
    made.due(begun + after, second.say, *second.accept)

  return Plan((request, change), lay)


def _asked(
  rng: np.random.Generator,
  rich: bool,
  simple: str,
  others: tuple[str, ...],
  **about: int | Target,
) -> str:
  """A request, in small words or as people say it."""
  form = wording.one(rng, others) if rich else simple
  said = {
    name: wording.number(one) if isinstance(one, int) else one.asked
    for name, one in about.items()
  }
  return form.format_map(said)


def _number(value: int) -> tuple[str, ...]:
  return (wording.number(value), *wording.forms(value))


KINDS: Final[Mapping[str, Kind]] = {
  "delay": _delay,
  "schedule": _schedule,
  "interval": _interval,
  "alternate": _alternate,
  "count": _count,
  "anchor": _anchor,
  "silence": _silence,
  "change": _change,
}
"""What an item may be about; each counts alike."""


def generate(folder: Path, num: int, seed: int) -> None:
  """So many items of each kind; 26 from seed 0 are the benchmark."""
  layout.write(folder, "timespeak", KINDS, num, seed)


SUITE: Final = Suite(
  name="timespeak",
  about="things to be said at times that were asked for; a rebuild",
  source="after Thinking Machines Lab 2026, doi:10.64434/tml.20260511, whose "
  "TimeSpeak was not released: kinds, items and windows are this library's, "
  "and published numbers are of other items",
  parts=tuple(KINDS),
  asks="voice",
  rows=rating.rows(
    {"TML-Interaction-Small": 0.647, "GPT-realtime-2.0 min": 0.043}
  ),
  load=partial(layout.load, benchmark="timespeak"),
  generate=generate,
  score=rating.score,
  protocol="the user's voice is played as it is; each thing has to begin "
  f"{script.TIME_WINDOW[0]} s before its time at the earliest and "
  f"{script.TIME_WINDOW[1]} s after it at the latest; anything may be said for "
  f"{script.FREE_S} s after a request",
  twin_items=26,
  judged=True,
)
