"""Runs a benchmark: data, systems, recogniser, scorer, report.

    data      all of it is looked at before anything runs
    outputs   one folder an item; those that are there are not made again
    scores    the system, and beside it those of `baseline.py`
    report    report.json, items.jsonl, pictures of the worst

A run that is cut short goes on where it stopped, and gives the same numbers.
"""

import dataclasses
import hashlib
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Float

from interaction_jax.core import settings
from interaction_jax.evals import onsets, report
from interaction_jax.evals.harness import (
  baseline,
  detector,
  judge,
  output,
  picture,
  recogniser,
  summary,
)
from interaction_jax.evals.harness.inventory import Inventory
from interaction_jax.evals.harness.item import Item
from interaction_jax.evals.harness.judge import Judge
from interaction_jax.evals.harness.output import Output, Word
from interaction_jax.evals.harness.suite import Reply, Row, Score, Suite
from interaction_jax.evals.harness.system import Ours, System
from interaction_jax.evals.onsets import Span
from interaction_jax.serve.models import Model

Sound = Float[np.ndarray, " _"]

Progress = Callable[[int, int], None]
"""Told how many items are done, of how many."""

ITEMS: Final = "items.jsonl"
OUTPUTS: Final = "outputs"
REPLIES: Final = "judge.jsonl"

GIVEN: Final = "given"
"""In place of a recogniser: the `output.json` that lies beside a voice."""


@dataclasses.dataclass(frozen=True)
class Options:
  """How a benchmark is run.

  Attributes:
    num_items: of each part, the first ones; None: all there are, or as many
      as a twin has.
    data: a folder in the official layout; None: the synthetic twin.
    allow_missing: whether items whose data is missing or damaged are left out.
    seed: of all that is drawn.
    seeds: times the system is run, each with another seed.
    parts: names of tasks; empty: all.
    batch: items at once.
    keep: of each row, pictures of the worst; -1: of all.
    recogniser: who writes down what was said.
    detector: who hears when there is a voice.
    judge: "rules", or the address of an OpenAI-compatible endpoint.
    judge_model: there.
    judge_votes: times that it is asked each question.
    against: the folder of another report, to be compared item by item.

  Raises:
    ValueError: a number is not what it can be, or a name is not known.
  """

  num_items: int | None = None
  data: str | None = None
  allow_missing: bool = False
  seed: int = 0
  seeds: int = 1
  parts: tuple[str, ...] = ()
  batch: int = 16
  keep: int = 3
  recogniser: str = "pocketsphinx"
  detector: str = "silero"
  judge: str = "rules"
  judge_model: str | None = None
  judge_votes: int = 1
  against: str | None = None

  def __post_init__(self):
    for name in ("num_items", "seeds", "batch", "judge_votes"):
      value = getattr(self, name)
      if value is not None and value < 1:
        raise ValueError(
          f"{name.removeprefix('num_')}={value} must be 1 or more."
        )
    if not 0 <= self.seed < 2**31:
      raise ValueError(f"seed={self.seed} must lie in 0 to {2**31 - 1}.")
    if self.keep < -1:
      raise ValueError(f"keep={self.keep} must be -1, for all, 0 or more.")
    if self.recogniser != GIVEN:
      recogniser.find(self.recogniser)
    detector.find(self.detector)
    for name in ("data", "against"):
      value = getattr(self, name)
      if value is not None and not Path(value).is_dir():
        raise ValueError(f"{name}={value!r} is not a folder.")
    if self.against is not None and not (Path(self.against) / ITEMS).is_file():
      raise ValueError(
        f"against={self.against!r} holds no {ITEMS}; the folder of a report is "
        "wanted."
      )


class Benchmark:
  """A suite that can be run.

  Attributes:
    Options: how it is run.
    RESUMES: whether a run that was cut short goes on.
    table: its report as it is printed.
  """

  Options = Options
  RESUMES = True
  table = staticmethod(summary.table)

  def __init__(self, suite: Suite):
    self.suite = suite

  def run(
    self,
    system: System | Model,
    folder: Path,
    options: Options,
    *,
    progress: Progress | None = None,
  ) -> dict[str, Any]:
    """Runs a system over all items; returns the report, kept in `folder`.

    Raises:
      ValueError: data is missing or damaged, a row is not known, or `folder`
        holds part of another run.
    """
    if isinstance(system, Model):
      system = Ours(system)
    run = _Run(self.suite, system, folder, options)
    return run.run(progress or (lambda done, total: None))


class _Run:
  """One run of one suite."""

  def __init__(
    self, suite: Suite, system: System, folder: Path, options: Options
  ):
    for name in options.parts:
      if name not in suite.parts:
        raise ValueError(
          f"there is no part {name!r} in {suite.name}"
          f"{settings.near(name, suite.parts)}; there is "
          f"{', '.join(suite.parts)}."
        )
    self._suite, self._system, self._options = suite, system, options
    self._folder = folder
    folder.mkdir(parents=True, exist_ok=True)
    self._judge: Judge | None = None
    if suite.judged:
      self._judge = judge.choose(
        options.judge,
        model=options.judge_model,
        votes=options.judge_votes,
        cache=folder / REPLIES,
      )
    self._detector = detector.find(options.detector)
    self._items: list[Item] = []
    self._others: dict[str, tuple[Span, ...]] = {}
    self._scoring = threading.Lock()

  def run(self, progress: Progress) -> dict[str, Any]:
    began = time.perf_counter()
    options, suite = self._options, self._suite
    described = self._system.describe()
    self._claim(described)
    data = self._data()
    inventory = Inventory(data)
    items = self._chosen(suite.load(inventory))
    for problem in self._system.problems(items):
      inventory.problems.append(problem)
      inventory.leave_out(problem.split(":")[0])
    inventory.require(allow_missing=options.allow_missing)
    gone = set(inventory.left_out)
    items = [item for item in items if item.key not in gone]
    if not items:
      raise ValueError(f"{data} has no item of {suite.name} that can be used.")
    self._items = [item for item in items if item.partner is None]
    # Baselines need no device, so they are looked at while it is at work.
    pool = ThreadPoolExecutor(1)
    try:
      scripted = pool.map(
        lambda who: self._baseline(who, items), baseline.NAMES
      )
      by_seed = self._ours(items, progress)
      beside: dict[str, list[Score]] = {}
      beside.update(zip(baseline.NAMES, scripted, strict=True))
    finally:
      pool.shutdown(cancel_futures=True)
    heard = [one for part in by_seed["heard"] for one in part]
    rows = {
      row.name: self._row(row, by_seed, beside)
      for row in suite.rows
      if any(one.row == row.name for one in heard)
    }
    written = {
      "suite": suite.name,
      "rows": rows,
      "seed": options.seed,
      "seeds": options.seeds,
      "checkpoint": described,
      "data": "synthetic twin" if options.data is None else str(data),
      "items": len(items),
      "problems": inventory.problems,
      "left_out": sorted(gone),
      "protocol": suite.protocol,
      "source": suite.source,
      "detector": options.detector,
      "recogniser": self._recogniser_said(),
      "judge": None if self._judge is None else self._judge.describe(),
      "ranking": {
        row.name: summary.ranking(
          row, {who: rows[row.name][who] for who in baseline.NAMES}
        )
        for row in suite.rows
        if row.name in rows and row.better is not None
      },
    }
    _write_scores(self._folder / ITEMS, heard)
    if options.against is not None:
      theirs = _read_scores(Path(options.against) / ITEMS)
      written["against"] = {
        "folder": options.against,
        "rows": summary.against(suite.rows, heard, theirs, seed=options.seed),
      }
    picture.draw(
      self._folder / "worst",
      suite.rows,
      heard,
      {item.key: item for item in items},
      self._folder / OUTPUTS / _seed_name(options.seed),
      keep=options.keep,
      name=described["name"],
    )
    written["wall_s"] = round(time.perf_counter() - began, 3)
    report.write(self._folder, written)
    return written

  # What there is.

  def _claim(self, described: Mapping[str, Any]) -> None:
    """Takes the folder for this run, or goes on with what it holds of it.

    Raises:
      ValueError: it holds part of another run.
    """
    options = dataclasses.asdict(self._options)
    for later in ("against", "keep", "judge_votes"):
      del options[later]
    mine = {
      "suite": self._suite.name,
      "system": {name: described[name] for name in ("name", "digest")},
      "options": options,
      "data": options["data"] and digest(Path(options["data"])),
    }
    report.claim(self._folder, mine)

  def _data(self) -> Path:
    if self._options.data is not None:
      return Path(self._options.data)
    place = self._folder / "data"
    finished = self._folder / "data.json"
    if not finished.is_file():
      num = self._options.num_items or self._suite.twin_items
      self._suite.generate(place, num, self._options.seed)
      finished.write_text(json.dumps({"items": num}) + "\n")
    return place

  def _chosen(self, items: Sequence[Item]) -> list[Item]:
    """Those of the parts asked for, and of each the first so many."""
    most, counts = self._options.num_items, {}
    chosen = []
    for item in items:
      if self._options.parts and item.part not in self._options.parts:
        continue
      names = counts.setdefault(item.part, set())
      names.add(item.name)
      # Takes of one item belong together.
      if most is None or len(names) <= most:
        chosen.append(item)
    return chosen

  # What systems did.

  def _ours(
    self, items: Sequence[Item], progress: Progress
  ) -> dict[str, list[list[Score]]]:
    """Scores as heard, and by what the system says itself, seed by seed."""
    scores: dict[str, list[list[Score]]] = {"heard": [], "own": []}
    total = len(items) * self._options.seeds
    for run in range(self._options.seeds):
      seed = self._options.seed + run
      place = self._folder / OUTPUTS / _seed_name(seed)
      missing = [x for x in items if not output.done(place / x.name, x.take)]
      done = run * len(items) + len(items) - len(missing)
      for item, made in self._system.perform(
        missing, seed=seed, batch=self._options.batch
      ):
        output.write(place / item.name, item.take, made)
        done += 1
        progress(done, total)
      heard, own = {}, {}
      for part in _parts(items):
        for item, replies in zip(part, self._replies(part, place), strict=True):
          heard[item.key], own[item.key] = replies
      scores["heard"].append(self._scored(items, heard))
      if self._suite.asks == "voice" and any(own.values()):
        mine = {key: one or heard[key] for key, one in own.items()}
        scores["own"].append(self._scored(items, mine))
    return scores

  def _replies(
    self, items: Sequence[Item], place: Path
  ) -> list[tuple[Reply, Reply | None]]:
    """What is heard of items, and what the system says of itself."""
    made = [
      output.read(place / x.name, x.take, reacted=x.partner is not None)
      for x in items
    ]
    voices = self._spans([one.voice for one in made])
    others = self._reacted(made)
    return [
      self._reply(*one, place)
      for one in zip(items, made, voices, others, strict=True)
    ]

  def _reply(
    self,
    item: Item,
    made: Output,
    spans: tuple[Span, ...],
    other: tuple[Span, ...] | None,
    place: Path,
  ) -> tuple[Reply, Reply | None]:
    place /= item.name
    path = place / f"{item.take}output.json"
    if self._suite.asks == "text":
      words = list(made.own or ())
    elif path.is_file():
      words = output.read_words(path)
    else:
      words = self._heard(item, made, spans)
      output.write_words(path, words)

    def reply(words: Sequence[Word]) -> Reply:
      return Reply(
        made.seconds,
        tuple(words),
        spans,
        made.events,
        lambda: output.read(place, item.take).voice,
        lambda: self._user(item) if other is None else other,
        made.told,
      )

    return reply(words), None if made.own is None else reply(made.own)

  def _heard(self, item: Item, made: Output, spans: Any) -> list[Word]:
    if self._options.recogniser != GIVEN:
      by = recogniser.find(self._options.recogniser)
      return recogniser.listen(by, made.voice, spans)
    path = getattr(self._system, "path", self._folder)
    return output.read_words(path / item.name / f"{item.take}output.json")

  def _spans(self, sounds: Sequence[Sound]) -> list[tuple[Span, ...]]:
    """Where there is a voice in each; silence needs no detector."""
    some = [place for place, sound in enumerate(sounds) if sound.any()]
    found: list[tuple[Span, ...]] = [()] * len(sounds)
    told = self._detector.hear([sounds[place] for place in some])
    for place, spans in zip(some, told, strict=True):
      found[place] = tuple(spans)
    return found

  def _reacted(self, made: Sequence[Output]) -> list[tuple[Span, ...] | None]:
    """Where there is a voice of others, if they reacted."""
    some = [place for place, one in enumerate(made) if one.heard is not None]
    found: list[tuple[Span, ...] | None] = [None] * len(made)
    sounds = [one.heard for one in made if one.heard is not None]
    for place, spans in zip(some, self._spans(sounds), strict=True):
      found[place] = spans
    return found

  def _user(self, item: Item) -> tuple[Span, ...]:
    """Where there is a voice in a recording; asked once, of all of them."""
    if not self._others:
      for part in _parts(self._items):
        sounds = [one.open((0, 0)).heard for one in part]
        for one, spans in zip(part, self._spans(sounds), strict=True):
          self._others[one.key] = spans
    return self._others[item.key]

  def _baseline(self, who: baseline.Who, items: Sequence[Item]) -> list[Score]:
    done = baseline.perform(who, items, seed=self._options.seed)
    replies = {}
    while part := list(itertools.islice(done, onsets.ROWS)):
      made = [one for _, one in part]
      voices, others = self._spans([x.voice for x in made]), self._reacted(made)
      for (item, one), spans, other in zip(part, voices, others, strict=True):
        replies[item.key] = self._scripted(item, one, spans, other)
    return self._scored(items, replies)

  def _scripted(
    self,
    item: Item,
    made: Output,
    spans: tuple[Span, ...],
    other: tuple[Span, ...] | None,
  ) -> Reply:
    voice = made.voice
    return Reply(
      made.seconds,
      tuple(made.own or ()),
      spans,
      made.events,
      lambda: voice,
      lambda: self._user(item) if other is None else other,
      made.told,
    )

  # What that is worth.

  def _scored(
    self, items: Sequence[Item], replies: Mapping[str, Reply]
  ) -> list[Score]:
    # Judges keep replies, and users are heard once: for one after the other.
    with self._scoring:
      return self._suite.score(items, replies, self._judge or judge.Rules())

  def _row(
    self,
    row: Row,
    by_seed: Mapping[str, Sequence[Sequence[Score]]],
    beside: Mapping[str, Sequence[Score]],
  ) -> dict[str, Any]:
    def numbers(*parts: Sequence[Score]) -> dict[str, Any]:
      scores = [one for part in parts for one in part]
      return summary.numbers(row, scores, seed=self._options.seed)

    found = numbers(*by_seed["heard"])
    others = {who: numbers(mine) for who, mine in beside.items()}
    values = {who: one["score"] for who, one in others.items()}
    found |= {
      "threshold": None,
      "passed": None,
      "chance": values["random"],
      **values,
      "beside": others,
      "ranking_holds": summary.holds(row, values),
      "better": row.better,
      "unit": row.unit,
      "about": row.about,
      "published": dict(row.published),
    }
    if by_seed["own"]:
      found["own_text"] = numbers(*by_seed["own"]) | {
        "label": "what the system says that it said; not the published way"
      }
    if self._options.seeds > 1:
      found["by_seed"] = [numbers(part)["score"] for part in by_seed["heard"]]
    return found

  def _recogniser_said(self) -> dict[str, Any] | None:
    if self._suite.asks == "text":
      return None
    name = self._options.recogniser
    about = "words that lay beside the outputs"
    if name != GIVEN:
      about = recogniser.find(name).about
    return {"name": name, "about": about}


def _parts(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
  """As many at a time as a detector hears at once."""
  for first in range(0, len(items), onsets.ROWS):
    yield items[first : first + onsets.ROWS]


def _seed_name(seed: int) -> str:
  return f"seed_{seed}"


def digest(folder: Path) -> str:
  """Tells a folder of data from others: names and sizes of all files."""
  found = hashlib.sha256()
  for path in sorted(folder.rglob("*")):
    if path.is_file():
      line = f"{path.relative_to(folder)} {path.stat().st_size}\n"
      found.update(line.encode())
  return found.hexdigest()[:16]


def _write_scores(path: Path, scores: Sequence[Score]) -> None:
  lines = [
    json.dumps(dataclasses.asdict(one), ensure_ascii=False) + "\n"
    for one in scores
  ]
  path.write_text("".join(lines), encoding="utf-8")


def _read_scores(path: Path) -> list[Score]:
  try:
    lines = path.read_text("utf-8").splitlines()
    return [Score(**json.loads(line)) for line in lines]
  except (ValueError, TypeError) as error:
    raise ValueError(f"{path} holds no scores ({error}).") from error
