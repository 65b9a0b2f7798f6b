"""`bench`: how fast it is, beside peers where those are installed.

Each benchmark is a function below and a line of `BENCHES`. It returns its
report, and what makes a text of that.
"""

import dataclasses
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from interaction_jax.command import bar, form
from interaction_jax.command.form import Command, Flag
from interaction_jax.core import settings


@dataclasses.dataclass(frozen=True)
class Options:
  """The flags, read; 0 and nothing stand for what is usual."""

  config: str | None
  checkpoint: str | None
  batch: list[int]
  context: list[int]
  dtype: list[str]
  compiled: bool
  rounds: int
  turns: int
  most: bool
  messages: int
  clients: int
  kills: int
  bank: str | None
  mesh: str
  hosts: int

  def model(self, usual: str, *, shipped: bool = False) -> Any:
    """The model that is measured.

    Args:
      usual: a config with drawn weights, if nothing is asked for.
      shipped: or the checkpoint of that name.
    """
    from interaction_jax.evals.bench import subject

    checkpoint = self.checkpoint
    if shipped and self.config is None:
      checkpoint = checkpoint or usual
    return subject.find(self.config, checkpoint, usual=usual)


Told = tuple[dict[str, Any], Callable[[Mapping[str, Any]], str]]
"""A report, and what makes a text of it."""


def _table(report: Mapping[str, Any]) -> str:
  from interaction_jax.evals.bench import timing

  return timing.table(report["rows"])


def _frontend(options: Options) -> Told:
  from interaction_jax.evals.bench import frontend

  return {"rows": frontend.run(rounds=options.rounds or 200)}, _table


def _train(options: Options) -> Told:
  from interaction_jax.evals.bench import train

  return train.run(rounds=options.rounds or 3, progress=bar.show), _table


def _append(options: Options) -> Told:
  from interaction_jax.evals.bench import append, peer, train

  others = peer.installed(peer.READERS)
  report = append.run(
    rounds=options.rounds or 5,
    batches=options.batch or append.BATCHES,
    contexts=options.context or append.CONTEXTS,
    dtypes=options.dtype or train.DTYPES,
    others=[one for one in others if options.compiled or not one.compiled],
    progress=bar.show,
  )
  return report, append.summary


def _bits(options: Options) -> Told:
  from interaction_jax.evals.bench import bits, quantised

  model = options.model("nano", shipped=True)
  report = bits.run(
    model,
    quantised.heard(options.bank)[0],
    num_turns=options.turns or 100,
    dtypes=options.dtype or bits.DTYPES,
    progress=bar.show,
  )
  return {"model": model.name, **report}, bits.summary


def _moshi(options: Options) -> Told:
  from interaction_jax.evals.bench import moshi, train

  report = moshi.run(
    rounds=options.rounds or 10,
    batches=options.batch or [1],
    dtypes=options.dtype or train.DTYPES,
    other=moshi.installed(),
    progress=bar.show,
  )
  return report, moshi.summary


def _step(options: Options) -> Told:
  from interaction_jax.evals.bench import step

  model = options.model("nano")
  rows = step.run(
    model, batches=options.batch or [1], rounds=options.rounds or 200
  )
  return {"model": model.name, "rows": rows}, _table


def _engine(options: Options) -> Told:
  from interaction_jax.evals.bench import engine

  report = engine.run(
    options.model("nano", shipped=True),
    sessions=options.batch or [8],
    num_turns=options.turns or 3000,
    most=options.most,
    progress=bar.show,
  )
  return report, engine.summary


def _quantised(options: Options) -> Told:
  from interaction_jax.evals.bench import quantised

  report = quantised.run(
    options.model("nano", shipped=True),
    rounds=options.rounds or 200,
    sounds=quantised.heard(options.bank),
    progress=bar.show,
  )
  return report, quantised.summary


def _data(options: Options) -> Told:
  from interaction_jax.evals.bench import data

  report = data.run(
    options.config or "nano",
    rounds=options.rounds or 3,
    bank=options.bank,
    progress=bar.show,
  )
  return report, data.summary


def _resume(options: Options) -> Told:
  from interaction_jax.evals.bench import resume

  report = resume.of_config(
    options.config or "tiny",
    num_kills=options.kills,
    bank=options.bank,
    progress=bar.show,
  )
  return report, resume.summary


def _import(options: Options) -> Told:
  from interaction_jax.evals.bench import weights

  report = weights.run(
    options.config or "interaction_276b",
    mesh=options.mesh,
    num_hosts=options.hosts,
    progress=bar.show,
  )
  return report, weights.summary


def _network(options: Options) -> Told:
  from interaction_jax.evals.bench import network

  report = network.run(
    options.model("tiny"),
    num_messages=options.messages,
    num_clients=options.clients,
    progress=bar.show,
  )
  return report, network.summary


def _outlive(options: Options) -> Told:
  if options.config is not None:
    raise ValueError(
      f"--config={options.config!r}: a server has a --checkpoint."
    )
  from interaction_jax.evals.bench import outlive
  from interaction_jax.serve import models

  name = options.checkpoint or "nano"
  models.find(name)
  line = outlive.Line((f"--checkpoint={name}", "--sessions=8"))
  report = outlive.run(line, num_kills=options.kills, progress=bar.show)
  return {"model": name, **report}, outlive.summary


def _soak(options: Options) -> Told:
  from interaction_jax.evals.bench import soak

  report = soak.run(
    options.model("tiny"),
    num_turns=options.turns or 18_000,
    progress=bar.show,
  )
  return report, soak.summary


BENCHES: Final[dict[str, Callable[[Options], Told]]] = {
  "step": _step,
  "append": _append,
  "train": _train,
  "frontend": _frontend,
  "engine": _engine,
  "network": _network,
  "outlive": _outlive,
  "soak": _soak,
  "data": _data,
  "resume": _resume,
  "import": _import,
  "quantised": _quantised,
  "moshi": _moshi,
  "bits": _bits,
}


def _bench(
  what: str,
  *,
  batch: list[str],
  context: list[str],
  rounds: int,
  json: bool,
  **others: Any,
) -> None:
  if what not in BENCHES:
    raise ValueError(
      f"bench {what!r} is not known{settings.near(what, BENCHES)}; there is "
      f"{', '.join(BENCHES)}."
    )
  if rounds < 0:
    raise ValueError(f"--rounds={rounds} must be 1 or more.")
  for size in batch:
    if not size.isdecimal() or int(size) == 0:
      raise ValueError(f"--batch={size!r} must be a whole number, 1 or more.")
  options = Options(
    batch=[int(size) for size in batch],
    context=[form.whole("context", length) for length in context],
    rounds=rounds,
    **others,
  )
  from interaction_jax.evals.bench import machine

  # How busy the machine is, it tells before it is kept busy.
  here = machine.describe()
  made, told = BENCHES[what](options)
  report = {"machine": here, **made}
  print(_json(report) if json else told(report))


def _json(report: Mapping[str, Any]) -> str:
  """The report as a file holds it."""
  return json.dumps(report, indent=2)


COMMAND: Final = Command(
  "bench",
  "how fast it is, beside peers where those are installed",
  _bench,
  arguments=(f"{{{','.join(BENCHES)}}}",),
  flags=(
    Flag("json", False, "print JSON"),
    Flag("config", None, "a model with drawn weights; else nano or tiny"),
    Flag("checkpoint", None, "a shipped model, or the folder of one"),
    Flag("batch", (), "of sessions: step, append, engine, moshi"),
    Flag("context", (), "append: positions; else 0, 1024 and 4096"),
    Flag("dtype", (), "append, moshi, bits: else float32, bfloat16"),
    Flag("compiled", True, "append: peers compiled too, or --nocompiled"),
    Flag("rounds", 0, "of timing; else as many as it takes"),
    Flag("turns", 0, "of 200 ms; soak: else an hour; engine: ten minutes"),
    Flag("most", False, "engine: seek the largest number that holds"),
    Flag("messages", 100_000, "network: of nonsense"),
    Flag("clients", 1000, "network: that come and go"),
    Flag("kills", 10, "resume, outlive: times that it is killed"),
    Flag("bank", None, "data, resume, quantised, bits: a speech bank, if any"),
    Flag("mesh", "v6e_64", "import: on which the weights would lie"),
    Flag("hosts", 1, "import: whose shares are read; 0: of all"),
  ),
)
