"""The time, and what is to happen when some of it is over.

"what time is it in tokyo"                   it is 23:05 on thursday, ...
"remind me in ten minutes to call anna"      (sleeps) ... call anna

A timer sleeps by the clock of the session and interrupts when it is over; one
of a session that is resumed has slept already.
"""

import asyncio
import datetime
import math
import re
import zoneinfo
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final

from interaction_jax.serve.background.job import Context, Delivery, Finding
from interaction_jax.serve.background.tools import numbers

_SECONDS: Final = {"second": 1.0, "minute": 60.0, "hour": 3600.0}

_LONGEST: Final = 24 * 3600.0

_SLACK_S: Final = 5.0
"""What a timer may come late before it is taken for lost."""

_WANTED: Final = re.compile(
  r"\b(timer|remind|reminder|alarm|wake|countdown|count down|tell me in)\b"
)

_TOLD: Final = r"(?:to|that|about|saying|for|of|called)\b\s*(?=[^\s\d])"
"""What stands before the words that are to be said."""


def now() -> datetime.datetime:
  """The time of the machine, in the zone of the machine."""
  return datetime.datetime.now().astimezone()


class Clock:
  """The time and the date, here and elsewhere."""

  name = "clock"
  summary = "Tells the time and the date, in a place if one is named."
  parameters: Mapping[str, Any] = {
    "type": "object",
    "properties": {
      "place": {
        "type": "string",
        "description": "a city, such as Tokyo, or a zone, such as Asia/Tokyo",
      }
    },
  }

  def __init__(self, read: Callable[[], datetime.datetime] = now):
    self._read = read

  def match(self, task: str) -> Mapping[str, Any] | None:
    """Tasks such as "what time is it" or "the date in tokyo"."""
    text = task[:400].lower()
    asked = re.search(
      r"(?:\bwhat(?:'s| is)? (?:the )?(?:current )?(?:time|date|day|year|month)"
      r"|\b(?:time|date))(?: is it| is today| today| right now| now)*"
      r"(?: in .*)?(?: please)?[?.]?$",
      text,
    )
    if asked is None:
      return None
    place = re.search(r"\bin ([a-z][\w /'-]*?)(?: now)?[?.]?$", text)
    return {} if place is None else {"place": place.group(1)}

  async def call(
    self, context: Context, *, place: str = ""
  ) -> AsyncIterator[Finding]:
    """Reads the clock."""
    time, where = self._read(), ""
    if place.strip():
      zone = _zone(place)
      time = time.astimezone(zoneinfo.ZoneInfo(zone))
      where = f" in {zone.rpartition('/')[2].replace('_', ' ')}"
    day = f"{time:%A}, {time.day} {time:%B %Y}"
    yield Finding(f"it is {time:%H:%M} on {day}{where}")


def _zone(place: str) -> str:
  """The zone of a city, or of itself.

  Raises:
    ValueError: there is none of that name.
  """
  wanted = place.strip().lower().replace(" ", "_")
  for zone in sorted(zoneinfo.available_timezones()):
    if wanted in (zone.lower(), zone.lower().rpartition("/")[2]):
      return zone
  raise ValueError(f"the time in {place.strip()} is not known")


class Timer:
  """Sleeps, then says so."""

  name = "timer"
  summary = (
    "Waits, then interrupts the conversation with a text, such as a reminder."
  )
  parameters: Mapping[str, Any] = {
    "type": "object",
    "properties": {
      **{f"{unit}s": {"type": "number"} for unit in _SECONDS},
      "text": {"type": "string", "description": "what is said then"},
    },
  }

  def match(self, task: str) -> Mapping[str, Any] | None:
    """Tasks such as "set a timer for two minutes", "remind me in an hour"."""
    if _WANTED.search(task[:400].lower()) is None:
      return None
    text = numbers.digits(_halves(task[:400].lower()))
    amounts = list(
      re.finditer(r"(\d+(?:\.\d+)?) ?(second|minute|hour)s?\b", text)
    )
    if not amounts:
      return None
    given: dict[str, Any] = {}
    for one in amounts:
      unit = f"{one.group(2)}s"
      given[unit] = given.get(unit, 0.0) + float(one.group(1))
    told = _told(text, amounts[0].start(), amounts[-1].end())
    return {**given, "text": told} if told else given

  async def call(
    self,
    context: Context,
    *,
    seconds: float = 0.0,
    minutes: float = 0.0,
    hours: float = 0.0,
    text: str = "",
  ) -> AsyncIterator[Finding]:
    """Sleeps until it is time."""
    whole = 3600.0 * hours + 60.0 * minutes + seconds
    if not (math.isfinite(whole) and 0 < whole <= _LONGEST):
      raise ValueError(
        f"a timer runs for 24 hours at most, and for more than nothing, not "
        f"for {whole:g} seconds"
      )
    left = whole - context.ago_s
    if left > 0:
      goes_on = "set for" if context.ago_s <= 0 else "goes on for"
      yield Finding(
        f"timer {goes_on} {_readable(left)}",
        # Who asked for it says so already.
        delivery=Delivery.SILENT,
        more=True,
        wait_s=left + _SLACK_S,
      )
      await asyncio.sleep(left)
    over = f"time is up: {_readable(whole)}"
    told = f"{over}, {text.strip()}" if text.strip() else over
    yield Finding(told, delivery=Delivery.INTERRUPT)


def _halves(text: str) -> str:
  """Amounts that are not said as numbers: "half an hour", "a minute"."""
  text = re.sub(r"\bhalf an? (hour|minute)\b", r"0.5 \1", text)
  text = re.sub(r"\ban? (hour|minute|second) and a half\b", r"1.5 \1", text)
  return re.sub(r"\b(?:an?|one) (hour|minute|second)\b", r"1 \1", text)


def _told(text: str, begin: int, end: int) -> str:
  """What is to be said: it stands behind the time, or before it."""
  behind = re.match(rf"\s*(?:from now\s*)?{_TOLD}(.+)$", text[end:])
  if behind is not None:
    return behind.group(1).strip(" .!?")
  before = re.search(rf"\bme {_TOLD}(.+?)\s+(?:in|after)\s*$", text[:begin])
  return "" if before is None else before.group(1).strip(" .!?")


def _readable(seconds: float) -> str:
  """A length of time as one says it: "1 hour 30 minutes"."""
  left, parts = round(seconds, 1), []
  for unit in ("hour", "minute"):
    count = int(left // _SECONDS[unit])
    left -= count * _SECONDS[unit]
    if count:
      parts.append(f"{count} {unit}{'' if count == 1 else 's'}")
  if left or not parts:
    amount = numbers.readable(round(left, 1))
    parts.append(f"{amount} second{'' if amount == '1' else 's'}")
  return " ".join(parts)
