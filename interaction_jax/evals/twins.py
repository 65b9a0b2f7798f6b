"""Every benchmark of the field on its synthetic twin, one after the other.

    interaction-jax evaluate --suite twins --out REPORT

`REPORT/NAME/` holds the report of each as `--suite NAME` writes it. A run that
is cut short goes on where it stopped, and gives the same numbers.
"""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from interaction_jax.evals import report, suites
from interaction_jax.evals.harness import runner
from interaction_jax.evals.harness.runner import Progress
from interaction_jax.evals.harness.system import Ours
from interaction_jax.serve.models import Model

RESUMES: Final = True

_BRIEF: Final = {"timespeak": 4, "cuespeak": 4}
"""Items of each part of what is generated in any case, in hundreds."""


@dataclasses.dataclass(frozen=True)
class Options:
  """How they are run; each is what it is for one benchmark.

  Attributes:
    num_items: of each part; None: as many as a twin has, and of TimeSpeak and
      CueSpeak, which are 208 items each by themselves, 4.
    seed: of all that is drawn.
    seeds: times the model is run, each with another seed.
    batch: items at once.
    keep: of each row, pictures of the worst; -1: of all.
    recogniser: who writes down what was said.
    detector: who hears when there is a voice.

  Raises:
    ValueError: a number is not what it can be, or a name is not known.
  """

  num_items: int | None = None
  seed: int = 0
  seeds: int = 1
  batch: int = 16
  keep: int = 3
  recogniser: str = "pocketsphinx"
  detector: str = "silero"

  def __post_init__(self):
    runner.Options(**dataclasses.asdict(self))

  def each(self, name: str) -> runner.Options:
    """The same for one benchmark."""
    values = dataclasses.asdict(self)
    values["num_items"] = self.num_items or _BRIEF.get(name)
    return runner.Options(**values)


def run(
  model: Model,
  folder: Path,
  options: Options,
  *,
  progress: Progress | None = None,
) -> dict[str, Any]:
  """Runs a model over all twins; returns the report, kept in `folder`.

  Args:
    progress: is told how many benchmarks are done.

  Returns:
    `suites`: of each its `items`, `wall_s` and whether its ranking of an
    oracle, a random, a silent and a talking system `holds` in each row;
    `rows`: scores and their intervals by suite and row.

  Raises:
    ValueError: `folder` holds part of another run.
  """
  folder.mkdir(parents=True, exist_ok=True)
  system = Ours(model)
  described = system.describe()
  report.claim(
    folder,
    {
      "suite": "twins",
      "system": {name: described[name] for name in ("name", "digest")},
      "options": dataclasses.asdict(options),
    },
  )
  done: dict[str, dict[str, Any]] = {}
  for name in suites.FIELD:
    place = folder / name
    if (place / report.NAME).is_file():
      done[name] = json.loads((place / report.NAME).read_text("utf-8"))
    else:
      done[name] = suites.find(name).run(system, place, options.each(name))
    if progress is not None:
      progress(len(done), len(suites.FIELD))
  written = {
    "suite": "twins",
    "suites": {name: _brief(one) for name, one in done.items()},
    "rows": {
      f"{name}/{row}": {
        field: told[field] for field in ("score", "ci", "n", "misses", "unit")
      }
      for name, one in done.items()
      for row, told in one["rows"].items()
    },
    "seed": options.seed,
    "checkpoint": described,
    "items": sum(one["items"] for one in done.values()),
    "wall_s": round(sum(one["wall_s"] for one in done.values()), 3),
  }
  report.write(folder, written)
  return written


def table(made: Mapping[str, Any]) -> str:
  """A line for each benchmark."""
  lines = [f"{'':<20}{'items':>7}{'seconds':>9}{'rows':>6}  rankings that hold"]
  for name, one in made["suites"].items():
    ranked = [held for held in one["holds"].values() if held is not None]
    lines.append(
      f"{name:<20}{one['items']:>7}{one['wall_s']:>9.1f}"
      f"{len(one['holds']):>6}  {sum(ranked)} of {len(ranked)}"
    )
  lines.append(f"{made['items']} items; {made['wall_s']:.0f} s.")
  return "\n".join(lines)


def _brief(made: Mapping[str, Any]) -> dict[str, Any]:
  return {
    "items": made["items"],
    "wall_s": made["wall_s"],
    "holds": {name: one["ranking_holds"] for name, one in made["rows"].items()},
  }
