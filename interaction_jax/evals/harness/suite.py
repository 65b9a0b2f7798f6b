"""What a benchmark is: a loader, a twin, a scorer, and the rows of its report.

    load       folder in the official layout -> items, and what is wrong
    generate   the synthetic twin, into a folder of the same layout
    score      items and replies -> one value an item and row
    rows       what is reported, and what others published

A module of a suite offers one `SUITE`; `runner.py` does everything else.
"""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from interaction_jax.evals.harness.inventory import Inventory
from interaction_jax.evals.harness.item import Item
from interaction_jax.evals.harness.judge import Judge
from interaction_jax.evals.harness.output import Word
from interaction_jax.evals.onsets import Span
from interaction_jax.serve.events import Event


@dataclasses.dataclass(frozen=True, eq=False)
class Reply:
  """What a system did with an item, as a scorer reads it.

  Attributes:
    seconds: how long it is.
    words: what was heard of it, by a recogniser, or what it says it said.
    spans: where there is a voice.
    events: what happened.
    sound: gives the voice at 16 kHz.
    other: finds where there is a voice on the other side.
    told: the words of the other side, where it reacted.
  """

  seconds: float
  words: tuple[Word, ...]
  spans: tuple[Span, ...]
  events: tuple[Event, ...]
  sound: Callable[[], Float[np.ndarray, " _"]]
  other: Callable[[], tuple[Span, ...]] = tuple
  told: tuple[Word, ...] = ()

  @property
  def text(self) -> str:
    """The words in one line."""
    return " ".join(word.text for word in self.words)

  def written(self, kind: str) -> str:
    """All text of a channel: "say", "show", "call" or "delegate"."""
    return "".join(
      event.payload["text"] for event in self.events if event.kind == kind
    )


@dataclasses.dataclass(frozen=True)
class Score:
  """What an item is worth in a row.

  Attributes:
    item: its key; values of one item are drawn together.
    value: None: it does not count here, as the latency of no answer.
    kind: where kinds count alike, however many there are of each.
    details: what else a reader wants to know, as JSON holds it.
  """

  row: str
  item: str
  value: float | None
  kind: str = ""
  details: Mapping[str, Any] = dataclasses.field(default_factory=dict)


Statistic = Callable[[Sequence[Score]], float | None]
"""Makes one number of the scores of a row, where that is not their mean."""


@dataclasses.dataclass(frozen=True)
class Row:
  """A number of the report.

  Attributes:
    about: what it says, in a line.
    better: whether more of it is better; None: neither is.
    unit: "share" is shown in per cent, "s" is a latency whose misses count.
    published: what others reached, as they say, by name.
    statistic: of its scores; None: their mean, kinds alike.
    ranked: whether an oracle has to be best in it, or as good as the best.
  """

  name: str
  about: str
  better: Literal["more", "less"] | None = "more"
  unit: Literal["share", "s", "points", "number"] = "share"
  published: Mapping[str, float] = dataclasses.field(default_factory=dict)
  statistic: Statistic | None = None
  ranked: bool = True


@dataclasses.dataclass(frozen=True)
class Suite:
  """A benchmark.

  Attributes:
    about: in a line.
    source: where protocol and formulas are from, and whose the numbers are.
    parts: the tasks it has, by the names of the official layout.
    asks: whether voices are scored, by a recogniser, or what is written.
    load: items of a folder in the official layout. What is wrong is noted;
      an item that cannot be used is left out, and noted too.
    generate: writes the twin: a folder, items of each part, a seed.
    score: given items, replies by key, and a judge.
    twin_items: of each part of a twin, unless one says otherwise.
    judged: whether there is a judge.
    protocol: what is played when, in short, for the report.
  """

  name: str
  about: str
  source: str
  parts: tuple[str, ...]
  asks: Literal["voice", "text"]
  rows: tuple[Row, ...]
  load: Callable[[Inventory], list[Item]]
  generate: Callable[[Path, int, int], None]
  score: Callable[[Sequence[Item], Mapping[str, Reply], Judge], list[Score]]
  protocol: str
  twin_items: int = 8
  judged: bool = False


def write_json(path: Path, value: Any) -> None:
  """Writes a file of a twin, and the folders above it."""
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")
