"""Which benchmarks there are. A new one is a module and a line below.

What `find` gives offers `Options`, a frozen dataclass that refuses what cannot
be, and `run(model, folder, options, progress=)`, which writes a report with at
least `suite`, `rows`, `seed`, `checkpoint` and `wall_s` and returns it;
`table(report)`, which is printed; and `RESUMES`, whether a run that was cut
short goes on. Those of the field are `harness.suite.Suite`s, and all run by
`harness/runner.py`.
"""

import importlib
from typing import Any, Final

from interaction_jax.core import settings

_EVALS: Final = "interaction_jax.evals"

SUITES: Final = {
  "behaviours": f"{_EVALS}.behaviours.suite",
  "twins": f"{_EVALS}.twins",
}
"""Modules that run themselves."""

FIELD: Final = {
  "voicebench_ifeval": f"{_EVALS}.voicebench.suite",
  "ifeval": f"{_EVALS}.ifeval.suite",
  "harmbench": f"{_EVALS}.harmbench.suite",
  "qivd": f"{_EVALS}.qivd.suite",
  "repcount": f"{_EVALS}.repcount.suite",
  "proactive_video_qa": f"{_EVALS}.proactive_video_qa.suite",
  "charades": f"{_EVALS}.charades.suite",
  "big_bench_audio": f"{_EVALS}.big_bench_audio.suite",
  "audio_multichallenge": f"{_EVALS}.audio_multichallenge.suite",
  "fd_bench_v1": f"{_EVALS}.fd_bench.v1.suite",
  "fd_bench_v1_5": f"{_EVALS}.fd_bench.v1_5.suite",
  "fd_bench_v2": f"{_EVALS}.fd_bench.v2.suite",
  "fd_bench_v3": f"{_EVALS}.fd_bench.v3.suite",
  "timespeak": f"{_EVALS}.cued.timespeak",
  "cuespeak": f"{_EVALS}.cued.cuespeak",
}
"""Modules with a `SUITE`, which the harness runs."""


def names() -> list[str]:
  """All of them."""
  return [*SUITES, *FIELD]


def find(name: str | None) -> Any:
  """What runs a suite.

  Raises:
    ValueError: there is none of that name.
  """
  if name in SUITES:
    return importlib.import_module(SUITES[name])
  if name in FIELD:
    from interaction_jax.evals.harness import runner

    return runner.Benchmark(importlib.import_module(FIELD[name]).SUITE)
  near = "" if name is None else settings.near(name, names())
  raise ValueError(
    f"suite={name!r} is not known{near}; there is {', '.join(names())}."
  )
