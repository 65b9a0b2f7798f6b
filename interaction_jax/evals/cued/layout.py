"""The folder of TimeSpeak or CueSpeak: written from a seed, and read.

about.json         the name, the seed, items of each kind, the windows
items.json         a list of items, see `docs/benchmarks/timespeak.md`
audio/NAME.flac    what the user says, at 16 kHz
"""

import zlib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from interaction_jax.data.record import Record
from interaction_jax.evals import clip
from interaction_jax.evals.cued import script, wording
from interaction_jax.evals.cued.match import Event, Span
from interaction_jax.evals.cued.script import Plan
from interaction_jax.evals.harness import item as items_
from interaction_jax.evals.harness.inventory import Inventory
from interaction_jax.evals.harness.item import Act, Canvas, Item
from interaction_jax.evals.harness.suite import write_json
from interaction_jax.turns import clock

VERSION: Final = 1
"""Of the generators; another one draws other items."""

Kind = Callable[[np.random.Generator, bool], Plan]
"""Draws an item, in small words or, where told so, as people speak."""

_ABOUT: Final = "about.json"
_ITEMS: Final = "items.json"
_AUDIO: Final = "audio"

_REACTION_S: Final = 0.4
"""Seconds after a cue at which an oracle speaks."""

_SLACK_S: Final = 0.1
"""Seconds by which a sound may be longer or shorter than its item says."""


def drawn(kinds: Mapping[str, Kind], num: int, seed: int) -> dict[str, Plan]:
  """So many items of each kind by name, every other one in small words.

  What an item is depends on its kind, its number and the seed alone.
  """
  return {
    f"{kind}_{place:02d}": draw(
      np.random.default_rng((seed, zlib.crc32(kind.encode()), place)),
      bool(place % 2),
    )
    for kind, draw in kinds.items()
    for place in range(num)
  }


def write(
  folder: Path, benchmark: str, kinds: Mapping[str, Kind], num: int, seed: int
) -> None:
  """Draws so many items of each kind, speaks them, and writes the folder."""
  plans = drawn(kinds, num, seed)
  scripts = script.speak(plans)
  listed = []
  for name in plans:
    kind = name.rsplit("_", 1)[0]
    entry = scripts[name].entry()
    sound = scripts[name].sound(entry["seconds"])
    audio = f"{_AUDIO}/{name}.flac"
    _write_sound(folder / audio, sound)
    words = [one["text"] for one in entry["user"]]
    words += [one["say"] for one in entry["events"]]
    small = all(wording.small(text) for text in words)
    head = {"name": name, "kind": kind, "audio": audio, "small": small}
    listed.append(head | entry)
  write_json(folder / _ITEMS, listed)
  write_json(
    folder / _ABOUT,
    {
      "benchmark": benchmark,
      "version": VERSION,
      "seed": seed,
      "items": len(listed),
      "items_of_a_kind": num,
      "time_window": list(script.TIME_WINDOW),
      "cue_window": list(script.CUE_WINDOW),
      "free_s": script.FREE_S,
    },
  )


def _write_sound(path: Path, sound: np.ndarray) -> None:
  import soundfile

  path.parent.mkdir(parents=True, exist_ok=True)
  soundfile.write(path, sound, clock.SAMPLE_RATE, subtype="PCM_16")


def load(inventory: Inventory, *, benchmark: str) -> list[Item]:
  """The items of a folder, the first of each kind first."""
  about, listed = inventory.json(_ABOUT), inventory.json(_ITEMS)
  if not isinstance(about, dict) or about.get("benchmark") != benchmark:
    if about is not None:
      inventory.note(_ABOUT, f"is not about {benchmark}")
    return []
  if not isinstance(listed, list):
    if listed is not None:
      inventory.note(_ITEMS, "holds no list of items")
    return []
  inventory.count(_ITEMS, len(listed), int(about.get("items", len(listed))))
  found = []
  for place, entry in enumerate(listed):
    name = str(entry.get("name", place)) if isinstance(entry, dict) else place
    try:
      made = _item(inventory, entry)
    except (KeyError, TypeError, ValueError) as error:
      inventory.note(_ITEMS, f"item {name} is corrupt ({error!r})")
      made = None
    if made is None:
      inventory.leave_out(str(name))
    else:
      found.append(made)
  known = [f"{item.name}.flac" for item in found]
  known += [f"{name}.flac" for name in inventory.left_out]
  inventory.extra(_AUDIO, known)
  return found


def _item(inventory: Inventory, entry: Mapping[str, Any]) -> Item | None:
  """An item of the list; None: its sound cannot be used, which is noted.

  Raises:
    KeyError, TypeError, ValueError: something is not what it should be.
  """
  seconds, audio = float(entry["seconds"]), str(entry["audio"])
  events = tuple(_event(one) for one in entry["events"])
  if not events:
    raise ValueError("nothing is to be said")
  user = _spans((one["start"], one["end"]) for one in entry["user"])
  truth = {
    "events": events,
    "user": user,
    "free": _spans(entry["free"]),
    "max_extra": int(entry["max_extra"]),
    "small": bool(entry["small"]),
    "asked": str(entry["user"][0]["text"]),
  }
  found = inventory.sound(audio)
  if found is None:
    return None
  if abs(found - seconds) > _SLACK_S:
    inventory.note(audio, f"is {found:.1f} s long, and its item {seconds} s")
    return None
  return Item(
    name=str(entry["name"]),
    part=str(entry["kind"]),
    seconds=seconds,
    open=partial(_open, path=inventory.root / audio, seconds=seconds),
    wanted=tuple(_act(one) for one in events),
    truth=truth,
  )


def _event(plain: Mapping[str, Any]) -> Event:
  ((first, last),) = _spans([plain["window"]])
  at = float(plain["t_ref"])
  accept = tuple(str(one) for one in plain["accept"])
  if not first <= at <= last or not accept:
    raise ValueError(f"t_ref={at} is outside of {first} to {last}, or no words")
  say, overlap = str(plain["say"]), bool(plain["overlap"])
  return Event(at, (first, last), accept, say, overlap)


def _spans(pairs: Any) -> tuple[Span, ...]:
  found = tuple((float(first), float(last)) for first, last in pairs)
  for first, last in found:
    if not first <= last:
      raise ValueError(f"a span from {first} to {last} ends before it begins")
  return found


def _act(event: Event) -> Act:
  late = _REACTION_S if event.overlap else 0.0
  return Act(min(event.t_ref + late, event.window[1]), event.say)


def _open(canvas: Canvas, *, path: Path, seconds: float) -> Record:
  del canvas
  sound = clip.joined([(0.0, clip.soundtrack(path))], seconds)
  return items_.listening(sound)
