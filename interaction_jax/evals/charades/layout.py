"""The annotations of Charades, of actions and of sentences.

    Charades_v1_test.csv       id, ..., actions, length; actions are written
                               "c092 11.90 21.20;c147 0.00 12.60"
    Charades_v1_classes.txt    "c092 Watching something out of a window"
    charades_sta_test.txt      "3MSZA 24.3 30.4##person turn a light on."
    Charades_v1_480/ID.mp4     or Charades_v1/ID.mp4

Of both variants one is enough.

Reference: Sigurdsson et al. 2016, arXiv:1604.01753; Gao et al. 2017,
arXiv:1705.02101.
"""

import dataclasses
import re
from typing import Final

from interaction_jax.evals import table
from interaction_jax.evals.charades.score import Interval
from interaction_jax.evals.harness.inventory import Inventory

ACTIONS: Final = "Charades_v1_test.csv"
CLASSES: Final = "Charades_v1_classes.txt"
SENTENCES: Final = "charades_sta_test.txt"
VIDEOS: Final = ("Charades_v1_480", "Charades_v1")
"""Folders of videos; the first that is there is used."""

_ACTION: Final = re.compile(r"(c\d{3}) (\d+(?:\.\d+)?) (\d+(?:\.\d+)?)")
_SENTENCE: Final = re.compile(
  r"(\S+) (\d+(?:\.\d+)?) (\d+(?:\.\d+)?)##(.*\S)\s*"
)


@dataclasses.dataclass(frozen=True)
class Moment:
  """Something that happens in a video.

  Attributes:
    name: of the item: "ID/c092", or "ID/17" by the line of its sentence.
    video: its ID.
    happens: what does, in words.
    when: in seconds of the video; more than once, where it does.
  """

  name: str
  video: str
  happens: str
  when: tuple[Interval, ...]


def actions(inventory: Inventory) -> list[Moment]:
  """Every class of action of every video, with all its times."""
  if not (inventory.root / ACTIONS).is_file():
    return []
  names = _classes(inventory)
  found = []
  for row in table.read(inventory, ACTIONS, wanted=("id", "actions")):
    video = row["id"]
    when: dict[str, list[Interval]] = {}
    for piece in filter(None, row["actions"].split(";")):
      fits = _ACTION.fullmatch(piece.strip())
      if fits is None or fits[1] not in names:
        inventory.note(ACTIONS, f"{video} has the unknown action {piece!r}")
        continue
      begin, end = float(fits[2]), float(fits[3])
      if end > begin:
        when.setdefault(fits[1], []).append((begin, end))
    found += [
      Moment(f"{video}/{code}", video, names[code], tuple(sorted(times)))
      for code, times in sorted(when.items())
    ]
  return found


def sentences(inventory: Inventory) -> list[Moment]:
  """Every sentence, each with its one time."""
  file = inventory.root / SENTENCES
  if not file.is_file():
    return []
  found = []
  for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
    fits = _SENTENCE.fullmatch(line)
    if fits is None:
      inventory.note(f"{SENTENCES}:{number}", f"corrupt: {line[:60]!r}")
      continue
    begin, end = float(fits[2]), float(fits[3])
    if end > begin:
      happens = fits[4].rstrip(".")
      name = f"{fits[1]}/{number}"
      found.append(Moment(name, fits[1], happens, ((begin, end),)))
  return found


def videos(inventory: Inventory) -> str:
  """The folder of the videos."""
  for name in VIDEOS:
    if (inventory.root / name).is_dir():
      return name
  return VIDEOS[0]


def _classes(inventory: Inventory) -> dict[str, str]:
  file = inventory.root / CLASSES
  if not file.is_file():
    inventory.note(CLASSES, "missing")
    return {}
  lines = file.read_text("utf-8").splitlines()
  pairs = (line.split(" ", 1) for line in lines if " " in line)
  return {code: name.strip() for code, name in pairs}
