"""The command line: `interaction-jax`, or `python -m interaction_jax`.

One table, `COMMANDS`, says what there is. A sub-command is a small function
that imports what it needs when it runs, so help and mistakes answer at once.
"""

import contextlib
import dataclasses
import functools
import importlib
import json as json_lib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from absl import flags

from interaction_jax.core import pages, settings

PROGRAM = "interaction-jax"


@dataclasses.dataclass(frozen=True)
class Flag:
  """One flag; its default says its type, and a tuple may be given often."""

  name: str
  default: bool | int | float | str | tuple[str, ...] | None
  help: str


@dataclasses.dataclass(frozen=True)
class Command:
  """One sub-command.

  Attributes:
    run: called with the arguments in order and the flags by name; may return
      an exit code.
    arguments: what must stand on the line, in order.
    extra: the optional dependencies of the package that it needs.
  """

  name: str
  summary: str
  run: Callable[..., int | None]
  arguments: tuple[str, ...] = ()
  flags: tuple[Flag, ...] = ()
  extra: str | None = None


def _inspect(source: str, *, json: bool, mesh: str | None) -> None:
  # A wrong name is told before the model is imported, which takes seconds.
  line = None if mesh is None else settings.mesh_line(mesh)
  if (Path(source) / "index.json").is_file():
    return _inspect_records(source, json=json)
  if Path(source).is_dir():
    report = _checkpoint_report(source)
  else:
    report = _config_report(source)
  if line is not None:
    report["mesh"] = _mesh_report(report["config"], line)
  if json:
    print(json_lib.dumps(report, indent=2))
    return
  print(_readable(source, report))


def _inspect_records(source: str, *, json: bool) -> None:
  from interaction_jax.data import records

  report = records.inspect(source)
  print(json_lib.dumps(report, indent=2) if json else records.summary(report))


def _readable(source: str, report: dict[str, Any]) -> str:
  from interaction_jax.model import cost

  name = (report["config"] or {}).get("name", Path(source).name)
  lines = [f"{'name':<20}{name:>20}"]
  if "intact" in report:
    lines.append(f"{'intact':<20}{'yes' if report['intact'] else 'no':>20}")
    lines += [f"  {problem}" for problem in report["problems"]]
  if "mesh" in report:
    share = report["mesh"]["bytes_per_device"] / 2**30
    lines.append(f"{'GiB on a device':<20}{share:>20.3f}")
  return "\n".join([*lines, cost.table(report["parameters"])])


def _config_report(source: str) -> dict[str, Any]:
  # A wrong name is told before the model is imported, which takes seconds.
  experiment = settings.load(source)
  from interaction_jax.model import cost

  return {
    "config": settings.to_dict(experiment),
    "parameters": cost.parameters(experiment.model),
  }


def _checkpoint_report(source: str) -> dict[str, Any]:
  from interaction_jax.core import checkpoint
  from interaction_jax.model import config, cost

  report = checkpoint.inspect(source)
  # What a damaged folder still says of itself is all there is to tell.
  counts: dict[str, Any] = {"total": report["parameters"], "parts": {}}
  if report["config"] is not None:
    # A training run keeps the whole experiment, others the model alone.
    plain = report["config"].get("model", report["config"])
    model = settings.from_dict(config.InteractionConfig, plain)
    counts = {**cost.parameters(model)}
  return {**report, "parameters": counts}


def _mesh_report(plain: dict[str, Any], line: str) -> dict[str, Any]:
  """How the parameters would lie on a mesh; no device is needed."""
  import jax

  from interaction_jax.core import sharding
  from interaction_jax.model import config, interaction

  model = settings.from_dict(
    config.InteractionConfig, plain.get("model", plain)
  )
  shapes = jax.eval_shape(
    functools.partial(interaction.init, cfg=model), jax.random.key(0)
  )
  mesh = sharding.planned(line)
  share = sharding.share(interaction.axes(model), shapes, mesh)
  return {"axes": dict(mesh.shape), "bytes_per_device": share}


def _train(
  *,
  config: str,
  workdir: str | None,
  set: list[str],
  start: str | None,
  mesh: str | None,
  profile: str | None,
  distributed: bool,
  coordinator: str | None,
  processes: int,
  process: int,
) -> None:
  if workdir is None:
    raise ValueError("train needs --workdir DIR, the folder of the run.")
  experiment = settings.override(settings.load(config), set)
  steps = None if profile is None else _steps(profile)
  if mesh is not None:
    settings.mesh_line(mesh)
  with _leaving_when_told():
    import jax

    from interaction_jax.core import cluster
    from interaction_jax.evals import rehearsal
    from interaction_jax.serve import models
    from interaction_jax.train import loop, watch

  if start is not None:
    start = str(models.find(start))
  if distributed:
    cluster.join(
      coordinator,
      count=processes or None,
      index=None if process < 0 else process,
    )
  bar = watch.Bar(experiment.train.num_steps)
  loop.train(
    experiment,
    workdir,
    start_from=start,
    mesh=mesh,
    profile=steps,
    on_step=bar.show if jax.process_index() == 0 else lambda line: None,
    on_save=rehearsal.Rehearsal(experiment, workdir),
  )


@contextlib.contextmanager
def _leaving_when_told() -> Iterator[None]:
  """While nothing can be lost yet, who is told to end (SIGTERM) just ends.

  To import a library takes seconds; from then on the run itself listens.
  """
  if threading.current_thread() is not threading.main_thread():
    yield
    return
  before = signal.signal(signal.SIGTERM, lambda *told: os._exit(0))
  try:
    yield
  finally:
    signal.signal(signal.SIGTERM, before)


def _steps(line: str) -> range:
  """Reads `100:105`."""
  first, _, last = line.partition(":")
  if not (first.isdecimal() and last.isdecimal() and int(first) < int(last)):
    raise ValueError(
      f"--profile={line!r} is not FIRST:END, such as '100:105' for five steps."
    )
  return range(int(first), int(last))


def _generate(
  *,
  out: str | None,
  episodes: int,
  seed: int,
  seconds: float,
  bank: str,
  clips: int,
  split: str,
  workers: int,
  force: bool,
) -> None:
  if out is None and not clips:
    raise ValueError(
      "generate needs --out DIR, the folder to write, or --clips N for a "
      "speech bank alone."
    )
  if split not in ("train", "held_out"):
    raise ValueError(
      f"--split={split!r} is not known{settings.near(split, _SPLITS)}; there "
      f"is {', '.join(_SPLITS)}."
    )
  from interaction_jax.data import generate

  if out is None:
    made = generate.prepare(Path(bank), seed=seed, num_clips=clips)
    print(json_lib.dumps({"bank": bank, "clips": len(made.clips)}, indent=2))
    return
  index = generate.generate(
    out,
    bank,
    num_episodes=episodes,
    seed=seed,
    seconds=seconds,
    num_clips=clips or None,
    split=split,
    num_workers=workers or os.cpu_count() or 1,
    force=force,
    progress=_progress,
  )
  del index["files"]
  print(json_lib.dumps(index, indent=2))


_SPLITS = ("train", "held_out")


def _vocoder(
  *,
  config: str,
  workdir: str | None,
  sounds: str | None,
  bank: str,
  set: list[str],
  start: str | None,
  sentences: int,
  into: str | None,
  out: str | None,
  force: bool,
) -> None:
  if workdir is None:
    raise ValueError("vocoder needs --workdir DIR, the folder of the run.")
  if (into is None) != (out is None):
    raise ValueError(
      "--into CHECKPOINT and --out DIR belong together: the model that gets "
      "the voice, and the folder to write."
    )
  if out is not None and Path(out).exists() and not force:
    raise FileExistsError(f"{out} exists already; --force replaces it.")
  cfg = settings.load(config).model.vocoder
  from interaction_jax.core import checkpoint
  from interaction_jax.data import generate
  from interaction_jax.evals import vocoding
  from interaction_jax.serve import models
  from interaction_jax.train import vocoder

  training = settings.override(vocoder.VocoderTraining(), set)
  model = None if into is None else models.find(into)
  first = None
  if start is not None:
    first = vocoder.of_model(checkpoint.load(models.find(start)), cfg)
  if sounds is None:
    made = generate.prepare(Path(bank), seed=training.seed)
    clips, unheard = (vocoder.spoken(made, split) for split in _SPLITS)
  else:
    clips, unheard = vocoding.apart(
      vocoder.read(sounds, sample_rate=cfg.sample_rate)
    )
  weights = vocoder.fit(
    clips,
    cfg=cfg,
    training=training,
    workdir=workdir,
    held_out=unheard,
    start=first,
    on_step=lambda line: _progress(line["step"] + 1, training.num_steps),
  )
  report = vocoding.report(
    weights, unheard, cfg=cfg, training=training, num_sentences=sentences
  )
  text = json_lib.dumps(report, indent=2) + "\n"
  (Path(workdir) / "report.json").write_text(text)
  print(vocoding.summary(report))
  if model is not None and out is not None:
    vocoding.give(model, weights, out, cfg=cfg, overwrite=force)


def _convert(
  family: str,
  source: str,
  target: str,
  *,
  force: bool,
  mesh: str | None,
  distributed: bool,
) -> None:
  families = {
    "inkling": "interaction_jax.convert.inkling",
    "moshi": "interaction_jax.data.convert.moshi",
    "lhotse": "interaction_jax.data.convert.lhotse",
    "captioned": "interaction_jax.data.convert.captioned",
  }
  if family not in families:
    raise ValueError(
      f"convert {family!r} is not known{settings.near(family, families)}; "
      f"there is {', '.join(families)}."
    )
  if Path(target).exists() and not force:
    raise FileExistsError(f"{target} exists already; --force replaces it.")
  spread: dict[str, Any] = {}
  if mesh is not None:
    settings.mesh_line(mesh)
    spread["mesh"] = mesh
  if family != "inkling" and (spread or distributed):
    raise ValueError(
      f"--mesh and --distributed say nothing to {family}, which has no weights."
    )
  module = importlib.import_module(families[family])
  if distributed:
    from interaction_jax.core import cluster

    cluster.join()
  report = module.convert(source, target, overwrite=force, **spread)
  print(json_lib.dumps(report, indent=2))


def _talk(
  source: str,
  *,
  video: str | None,
  text: list[str],
  out: str | None,
  checkpoint: str,
  seed: int,
  mesh: str | None,
  quantise: str | None,
  force: bool,
  **slower: Any,
) -> None:
  if out is None:
    raise ValueError("talk needs --out DIR, the folder to write.")
  parts = settings.quantised(quantise)
  from interaction_jax.evals import timeline
  from interaction_jax.serve import models, recording, transcript
  from interaction_jax.turns import clock

  helper = _background(**slower)

  request = recording.Request(
    sound=Path(source),
    video=None if video is None else Path(video),
    texts=tuple(recording.parse_text(line) for line in text),
    seed=seed,
  )
  models.find(checkpoint)
  heard = transcript.Transcript()

  def said(step: recording.Step | None) -> None:
    """Prints what was said as soon as it is over."""
    if step is None:
      lines = heard.end()
    else:
      lines = heard.turn(clock.audible(step.turn.index), step.events)
    if lines:
      _clear()
      print(*lines, sep="\n", flush=True)

  session = recording.record(
    functools.partial(
      models.load,
      checkpoint,
      mesh=mesh,
      quantise=parts,
      cache=models.cache(),
    ),
    request,
    out,
    background=helper,
    force=force,
    progress=_progress,
    heed=said,
    finish=timeline.draw,
  )
  print(recording.summary(session, out))


def _background(
  *,
  documents: str | None,
  browse: list[str],
  background: str | None,
  background_model: str | None,
  mcp: list[str],
) -> Any:
  """The slower model that sessions delegate to."""
  from interaction_jax.serve.background import choice

  return choice.choose(
    documents=documents,
    browse=browse,
    url=background,
    model=background_model,
    mcp=mcp,
  )


def _replay(folder: str) -> int:
  from interaction_jax.serve import models, replay

  load = functools.partial(models.load, cache=models.cache())
  found = replay.replay(folder, load=load, progress=_progress)
  print(replay.report(found))
  return 0 if found.agrees else 1


def _serve(
  *,
  checkpoint: str,
  host: str,
  port: int,
  sessions: int,
  token_file: str | None,
  origin: list[str],
  snapshots: str | None,
  recordings: str | None,
  tls_cert: str | None,
  tls_key: str | None,
  mesh: str | None,
  quantise: str | None,
  **slower: Any,
) -> None:
  parts = settings.quantised(quantise)
  from interaction_jax.serve import access, models, server
  from interaction_jax.serve.engine import Engine
  from interaction_jax.serve.protocol.lobby import Lobby

  def path(given: str | None) -> Path | None:
    return None if given is None else Path(given)

  # What is wrong is told before the model is loaded, which takes seconds.
  place = server.Place(host, port, path(tls_cert), path(tls_key))
  tokens = () if token_file is None else access.read_tokens(token_file)
  rules = access.Access(host, tokens=tokens, origins=origin)
  if sessions < 1:
    raise ValueError(f"--sessions={sessions} must be 1 or more.")
  models.find(checkpoint)
  if mesh is not None:
    settings.mesh_line(mesh)
  lobby = Lobby(
    snapshots=path(snapshots),
    recordings=path(recordings),
    background=_background(**slower),
  )

  # Nobody is let in to a model that cannot be loaded.
  model = models.load(
    checkpoint,
    mesh=mesh,
    quantise=parts,
    sessions=sessions,
    cache=models.cache(),
  )

  def make() -> Engine:
    return Engine(model, sessions=sessions, snapshots=snapshots)

  server.run(place, lobby, rules, make)


def _evaluate(
  *,
  suite: str | None,
  out: str | None,
  checkpoint: str,
  mesh: str | None,
  quantise: str | None,
  outputs: str | None,
  server: str | None,
  server_model: str | None,
  token_file: str | None,
  pace: str,
  force: bool,
  **values: Any,
) -> None:
  if out is None:
    raise ValueError("evaluate needs --out DIR, the folder of the report.")
  parts = settings.quantised(quantise)
  if parts and (outputs is not None or server is not None):
    raise ValueError(
      f"--quantise={quantise!r} is for the model of a --checkpoint alone."
    )
  from interaction_jax.evals import report, suites
  from interaction_jax.evals.harness import remote, system
  from interaction_jax.serve import access, models

  chosen = suites.find(suite)
  options = _options(chosen.Options, f"{suite}", values)
  others = {"outputs": outputs, "server": server}
  given = [name for name, value in others.items() if value is not None]
  if given and suite not in suites.FIELD:
    raise ValueError(
      f"--{given[0]}={others[given[0]]!r}: {suite} runs models alone."
    )
  if len(given) > 1:
    raise ValueError("--outputs and --server are two systems; one is tested.")
  if outputs is not None:
    tested = system.Folder(outputs)
  elif server is not None:
    token = None
    if token_file is not None:
      token = access.read_tokens(token_file)[0]
    tested = remote.Remote(server, pace=pace, model=server_model, token=token)
  else:
    # A report is replaced only by a model that can be loaded.
    tested = models.load(checkpoint, mesh=mesh, quantise=parts)
  folder = report.prepare(out, force=force, resume=chosen.RESUMES)
  made = chosen.run(tested, folder, options, progress=_progress)
  print(chosen.table(made))


def _options(kind: Any, suite: str, values: dict[str, Any]) -> Any:
  """The options of a suite, from the flags that it knows.

  Raises:
    ValueError: a flag was given that it does not know, or is no number.
  """
  usual = {flag.name: flag.default for flag in COMMANDS["evaluate"].flags}
  names = {"items": "num_items", "row": "rows", "part": "parts"}
  known = {field.name for field in dataclasses.fields(kind)}
  chosen = {}
  for flag, value in values.items():
    field = names.get(flag, flag)
    default = usual[flag.replace("_", "-")]
    if isinstance(default, tuple):
      value = tuple(value)
    if value == default and flag == "items":
      continue
    if field in known:
      chosen[field] = _whole(flag, f"{value}") if flag == "items" else value
    elif value != default:
      raise ValueError(
        f"--{flag.replace('_', '-')} says nothing to the suite {suite}."
      )
  return kind(**chosen)


def _whole(flag: str, value: str) -> int:
  if not value.lstrip("-").isdecimal():
    raise ValueError(f"--{flag}={value!r} is not a whole number.")
  return int(value)


def _bench(
  what: str,
  *,
  config: str | None,
  checkpoint: str | None,
  batch: list[str],
  rounds: int,
  turns: int,
  messages: int,
  clients: int,
  kills: int,
  most: bool,
  bank: str | None,
  mesh: str,
  hosts: int,
  context: list[str],
  dtype: list[str],
  compiled: bool,
  json: bool,
) -> None:
  known = (
    "step", "append", "train", "frontend", "engine", "network", "outlive",
    "soak", "data", "resume", "import", "quantised", "moshi",
    "bits",
  )  # fmt: skip
  if what not in known:
    raise ValueError(
      f"bench {what!r} is not known{settings.near(what, known)}; there is "
      f"{', '.join(known)}."
    )
  if rounds < 0:
    raise ValueError(f"--rounds={rounds} must be 1 or more.")
  for size in batch:
    if not size.isdecimal() or int(size) == 0:
      raise ValueError(f"--batch={size!r} must be a whole number, 1 or more.")
  contexts = [_whole("context", length) for length in context]
  from interaction_jax.evals.bench import (
    append,
    bits,
    data,
    engine,
    frontend,
    machine,
    moshi,
    network,
    outlive,
    peer,
    quantised,
    resume,
    soak,
    step,
    subject,
    timing,
    train,
    weights,
  )

  report: dict[str, Any] = {"machine": machine.describe()}
  if what == "frontend":
    report["rows"] = frontend.run(rounds=rounds or 200)
  elif what == "train":
    report |= train.run(rounds=rounds or 3, progress=_progress)
  elif what == "append":
    others = peer.installed(peer.READERS)
    report |= append.run(
      rounds=rounds or 5,
      batches=[int(size) for size in batch] or append.BATCHES,
      contexts=contexts or append.CONTEXTS,
      dtypes=dtype or train.DTYPES,
      others=[one for one in others if compiled or not one.compiled],
      progress=_progress,
    )
  elif what == "bits":
    model = subject.find(config, checkpoint or "nano", usual="nano")
    report["model"] = model.name
    report |= bits.run(
      model,
      quantised.heard(bank)[0],
      num_turns=turns or 100,
      dtypes=dtype or bits.DTYPES,
      progress=_progress,
    )
  elif what == "moshi":
    report |= moshi.run(
      rounds=rounds or 10,
      batches=[int(size) for size in batch] or [1],
      dtypes=dtype or train.DTYPES,
      other=moshi.installed(),
      progress=_progress,
    )
  elif what == "step":
    model = subject.find(config, checkpoint, usual="nano")
    report["model"] = model.name
    sizes = [int(size) for size in batch] or [1]
    report["rows"] = step.run(model, batches=sizes, rounds=rounds or 200)
  elif what == "engine":
    if config is None:
      checkpoint = checkpoint or "nano"
    model = subject.find(config, checkpoint, usual="nano")
    numbers = [int(size) for size in batch] or [8]
    report |= engine.run(
      model,
      sessions=numbers,
      num_turns=turns or 3000,
      most=most,
      progress=_progress,
    )
  elif what == "quantised":
    if config is None:
      checkpoint = checkpoint or "nano"
    model = subject.find(config, checkpoint, usual="nano")
    report |= quantised.run(
      model,
      rounds=rounds or 200,
      sounds=quantised.heard(bank),
      progress=_progress,
    )
  elif what == "data":
    report |= data.run(
      config or "nano", rounds=rounds or 3, bank=bank, progress=_progress
    )
  elif what == "resume":
    report |= resume.of_config(
      config or "tiny", num_kills=kills, bank=bank, progress=_progress
    )
  elif what == "import":
    report |= weights.run(
      config or "interaction_276b",
      mesh=mesh,
      num_hosts=hosts,
      progress=_progress,
    )
  elif what == "network":
    model = subject.find(config, checkpoint, usual="tiny")
    report |= network.run(
      model, num_messages=messages, num_clients=clients, progress=_progress
    )
  elif what == "outlive":
    if config is not None:
      raise ValueError(f"--config={config!r}: a server has a --checkpoint.")
    from interaction_jax.serve import models

    name = checkpoint or "nano"
    models.find(name)
    line = outlive.Line((f"--checkpoint={name}", "--sessions=8"))
    report["model"] = name
    report |= outlive.run(line, num_kills=kills, progress=_progress)
  else:
    model = subject.find(config, checkpoint, usual="tiny")
    report |= soak.run(model, num_turns=turns or 18_000, progress=_progress)
  if json:
    print(json_lib.dumps(report, indent=2))
  elif what not in ("step", "train", "frontend"):
    told = {
      "engine": engine, "network": network, "soak": soak, "data": data,
      "outlive": outlive, "resume": resume, "import": weights,
      "quantised": quantised, "append": append, "moshi": moshi,
      "bits": bits,
    }  # fmt: skip
    print(told[what].summary(report))
  else:
    print(timing.table(report["rows"]))


def _fit(
  *,
  config: str,
  topology: str,
  slices: int,
  sessions: int,
  mesh: str | None,
  train_mesh: str | None,
  program: str,
  layers: str,
  quantise: str | None,
  set: list[str],
  json: bool,
) -> None:
  programs, ways = ("both", "step", "train"), ("shallow", "checked", "whole")
  for flag, value, known in (
    ("program", program, programs), ("layers", layers, ways),
  ):  # fmt: skip
    if value not in known:
      raise ValueError(
        f"--{flag}={value!r} is not known{settings.near(value, known)}; there "
        f"is {', '.join(known)}."
      )
  parts = settings.quantised(quantise)
  if parts and program == "train":
    raise ValueError(
      f"--quantise={quantise!r} is for a model that is served; training needs "
      "the weights themselves: leave it out, or ask for --program=step."
    )
  experiment = settings.override(settings.load(config), set)
  lines = [
    None if name is None else settings.mesh_line(name)
    for name in (mesh, train_mesh)
  ]
  # No device of this machine is used, and some would take long to begin.
  os.environ.setdefault("JAX_PLATFORMS", "cpu")
  from interaction_jax.evals.fit import report
  from interaction_jax.evals.fit import topology as topologies

  request = report.Request(
    experiment,
    topologies.parse(topology, num_slices=slices),
    sessions=sessions,
    mesh=lines[0],
    train_mesh=lines[1],
    served=program != "train",
    trained=program != "step",
    how=layers,  # pyright: ignore[reportArgumentType]
    quantise=parts,
  )
  try:
    found = report.run(request)
  except ModuleNotFoundError as error:
    if error.name != "jax_cuda12_plugin":
      raise
    raise ValueError(
      "fit needs jax_cuda12_plugin for GPUs, which is not installed; pip "
      f"install '{PROGRAM}[cuda]' brings it."
    ) from error
  print(json_lib.dumps(found, indent=2) if json else report.summary(found))


def _progress(done: int, total: int) -> None:
  """Draws a bar where a person waits."""
  if not sys.stderr.isatty():
    return
  width = 40 * done // total
  bar = "#" * width + "." * (40 - width)
  end = "\n" if done == total else ""
  print(f"\r{bar} {done}/{total}", end=end, file=sys.stderr, flush=True)


def _clear() -> None:
  """Takes away the bar, for a line that stays."""
  if sys.stderr.isatty():
    print("\r\x1b[K", end="", file=sys.stderr, flush=True)


_QUANTISE = Flag(
  "quantise", None, "in a byte a number: 'experts=int8' or 'experts=fp8'"
)

_SLOWER = (
  Flag("documents", None, "a folder that the background model may search"),
  Flag("browse", (), "a host whose pages it may read: example.org"),
  Flag("background", None, "an OpenAI-compatible address in place of it"),
  Flag("background-model", None, "the model at that address"),
  Flag("mcp", (), "a server of tools for that model: a command or address"),
)
"""What `choice.py` makes a background model of."""

COMMANDS = {
  command.name: command
  for command in (
    Command(
      "talk",
      "runs a model over a recording, turn by turn, into a folder",
      _talk,
      arguments=("INPUT",),
      flags=(
        Flag("out", None, "the folder to write"),
        Flag("video", None, "a video that the model sees meanwhile"),
        Flag("text", (), "what the user types: '3.0:hello' at 3 s"),
        Flag("checkpoint", "nano", "a shipped model, or the folder of one"),
        Flag("seed", 0, "of all that is drawn"),
        Flag("mesh", None, "where the model lies: a name, or 'expert=4'"),
        _QUANTISE,
        Flag("force", False, "replace a session in that folder"),
        *_SLOWER,
      ),
      extra="data",
    ),
    Command(
      "replay",
      "runs a session again and says whether every bit agrees",
      _replay,
      arguments=("DIR",),
    ),
    Command(
      "serve",
      "serves a model to clients of OpenAI Live, Realtime and Moshi",
      _serve,
      flags=(
        Flag("checkpoint", "nano", "a shipped model, or the folder of one"),
        Flag("host", "127.0.0.1", "where to listen"),
        Flag("port", 8080, "0 lets the system choose"),
        Flag("sessions", 8, "how many at once"),
        Flag("token-file", None, "tokens of clients, one on each line"),
        Flag("origin", (), "of a page that may come in: https://example.org"),
        Flag("snapshots", None, "a folder in which sessions outlive a restart"),
        Flag("recordings", None, "a folder for sessions that ask for it"),
        Flag("tls-cert", None, "a certificate in PEM"),
        Flag("tls-key", None, "and its key"),
        Flag("mesh", None, "where the model lies: a name, or 'expert=4'"),
        _QUANTISE,
        *_SLOWER,
      ),
      extra="serve",
    ),
    Command(
      "train",
      "trains a model, or goes on where a run stopped",
      _train,
      flags=(
        Flag("config", "nano", "a shipped experiment, or a file"),
        Flag("workdir", None, "the folder of the run"),
        Flag("set", (), "one setting: 'train.num_steps=20'"),
        Flag("start", None, "a model whose weights a new run begins with"),
        Flag("mesh", None, "where it is spread: a name, or 'data=2,expert=4'"),
        Flag("profile", None, "steps that are profiled: '100:105'"),
        Flag(
          "distributed", False, "join other processes, on TPU pods and such"
        ),
        Flag("coordinator", None, "distributed: HOST:PORT of the first one"),
        Flag("processes", 0, "distributed: how many there are"),
        Flag("process", -1, "distributed: which this one is, from 0"),
      ),
      extra="data",
    ),
    Command(
      "vocoder",
      "trains the voice of a model, and says how good it is",
      _vocoder,
      flags=(
        Flag("config", "nano", "an experiment whose vocoder it is"),
        Flag("workdir", None, "the folder of the run"),
        Flag("sounds", None, "a folder of recordings; else a speech bank"),
        Flag("bank", "bank", "the speech bank; made if it is not there"),
        Flag("set", (), "one setting: 'num_steps=20', or 'judges=0.1'"),
        Flag("start", None, "a model whose voice a new run begins with"),
        Flag("sentences", 60, "by which it is judged"),
        Flag("into", None, "a shipped model, or a checkpoint, that gets it"),
        Flag("out", None, "where that model is written"),
        Flag("force", False, "replace a checkpoint in that folder"),
      ),
      extra="data",
    ),
    Command(
      "generate",
      "makes synthetic conversations with exact labels",
      _generate,
      flags=(
        Flag("out", None, "the folder of records to write"),
        Flag("episodes", 100, "how many conversations"),
        Flag("seed", 0, "of all that is drawn"),
        Flag("seconds", 60.0, "length of each"),
        Flag("bank", "bank", "the speech bank; made if it is not there"),
        Flag("clips", 0, "of users, in a bank that is made; 0: 10000"),
        Flag("split", "train", "whose voices speak: train or held_out"),
        Flag("workers", 0, "processes; 0: one for each core"),
        Flag("force", False, "replace a folder of records"),
      ),
      extra="data",
    ),
    Command(
      "inspect",
      "what a config, a checkpoint or a folder of records is; is it intact?",
      _inspect,
      arguments=("CONFIG-or-CHECKPOINT-or-RECORDS",),
      flags=(
        Flag("json", False, "print JSON"),
        Flag("mesh", None, "and how it would lie there: a name or 'expert=4'"),
      ),
    ),
    Command(
      "evaluate",
      "how well a model does, beside chance, silence and an oracle",
      _evaluate,
      flags=(
        Flag("suite", None, "which one; a wrong name lists all"),
        Flag("out", None, "the folder of the report"),
        Flag("checkpoint", "nano", "a shipped model, or the folder of one"),
        Flag("outputs", None, "a folder of outputs of another system"),
        Flag("server", None, "a system at ws://HOST/v1/live/sessions or alike"),
        Flag("server-model", None, "the model there"),
        Flag("token-file", None, "a file with the token that lets one in"),
        Flag("pace", "real", "of a server; or step, for one of this library"),
        Flag("data", None, "the data; else its synthetic twin is made"),
        Flag("allow-missing", False, "leave out items that are not whole"),
        Flag("items", None, "of each row or part; else all, behaviours: 100"),
        Flag("row", (), "behaviours: only this row"),
        Flag("part", (), "others: only this task"),
        Flag("seed", 0, "of all that is drawn"),
        Flag("seeds", 1, "times the model is run, each with another seed"),
        Flag("recogniser", "pocketsphinx", "or whisper, endpoint, given"),
        Flag("detector", "silero", "of voices; or energy"),
        Flag("judge", "rules", "a stand-in; or an OpenAI-compatible address"),
        Flag("judge-model", None, "the model at that address"),
        Flag("judge-votes", 1, "times that it is asked each question"),
        Flag("against", None, "the folder of another report, to compare with"),
        Flag("bank", None, "behaviours: held-out voices; else they are made"),
        Flag("batch", 16, "conversations at once"),
        Flag("keep", 3, "the worst of each, with sound and picture; -1: all"),
        Flag("other", True, "behaviours: a second synthesiser, or --noother"),
        Flag("mesh", None, "where the model lies: a name, or 'expert=4'"),
        _QUANTISE,
        Flag("force", False, "replace a report in that folder"),
      ),
      extra="data",
    ),
    Command(
      "bench",
      "how fast it is, beside peers where those are installed",
      _bench,
      arguments=(
        "{step,append,train,frontend,engine,network,outlive,soak,data,resume,"
        "import,quantised,moshi,bits}",
      ),
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
        Flag("bank", None, "data, resume, quantised: a speech bank, if any"),
        Flag("mesh", "v6e_64", "import: on which the weights would lie"),
        Flag("hosts", 1, "import: whose shares are read; 0: of all"),
      ),
    ),
    Command(
      "fit",
      "whether a model fits a machine that is not there; estimates its times",
      _fit,
      flags=(
        Flag("config", "interaction_276b", "a shipped experiment, or a file"),
        Flag("topology", "v5p:2x2x4", "chips of v5e, v5p, v6e, tpu7x; h200:8"),
        Flag("slices", 1, "of that shape"),
        Flag("sessions", 64, "at once"),
        Flag("mesh", None, "where a served model lies; else one is chosen"),
        Flag("train-mesh", None, "where a trained one does"),
        Flag("program", "both", "both, step or train"),
        Flag("layers", "shallow", "compiled: few, or whole; or checked"),
        dataclasses.replace(_QUANTISE, help=f"step: {_QUANTISE.help}"),
        Flag("set", (), "one setting: 'train.batch=512'"),
        Flag("json", False, "print JSON"),
      ),
      extra="tpu",
    ),
    Command(
      "convert",
      "turns weights or recordings of others into ours; prints a report",
      _convert,
      arguments=("{inkling,moshi,lhotse,captioned}", "SRC", "DST"),
      flags=(
        Flag("force", False, "replace DST if it exists"),
        Flag("mesh", None, "inkling: where the weights lie meanwhile"),
        Flag("distributed", False, "inkling: join other processes first"),
      ),
      extra="convert",
    ),
  )
}


def run() -> None:
  """Runs the command line of this process and exits with its code."""
  if sys.argv[1:2] in (["train"], ["bench"]):
    pages.enlarge()
  sys.exit(main(sys.argv[1:]))


def main(line: Sequence[str]) -> int:
  """Runs one command line, program name left out; returns the exit code.

  What the user got wrong is one line on stderr and exit code 2; a mistake of
  ours keeps its traceback.
  """
  if not line or line[0] in ("--help", "-h"):
    print(_overview())
    return 0 if line else 2
  if line[0] == "--version":
    print(importlib.import_module("interaction_jax").__version__)
    return 0
  name = line[0]
  command = COMMANDS.get(name)
  if command is None:
    what = "flag" if name.startswith("-") else "sub-command"
    return _refuse(
      f"there is no {what} {name!r}{settings.near(name, COMMANDS)}; "
      f"{PROGRAM} --help lists what there is."
    )
  if "--help" in line or "-h" in line:
    print(_help(command))
    return 0
  try:
    arguments, values = _parse(command, line[1:])
    code = command.run(*arguments, **values)
    sys.stdout.flush()
  except ModuleNotFoundError as error:
    if command.extra is None or f"{error.name}".startswith("interaction_jax"):
      raise
    return _refuse(
      f"{name} needs {error.name}, which is not installed; "
      f"pip install '{PROGRAM}[{command.extra}]' brings it."
    )
  except BrokenPipeError:
    # Whoever read has read enough; nothing more is flushed at the end.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1
  except (ValueError, OSError, flags.Error) as error:
    return _refuse(str(error))
  return code or 0


def _parse(
  command: Command, line: Sequence[str]
) -> tuple[list[str], dict[str, Any]]:
  """The arguments and the flags of a line.

  Raises:
    ValueError: there are too few arguments or too many.
    flags.Error: a flag is unknown or has a value of the wrong type.
  """
  values = _flag_values(command)
  arguments = values([command.name, *line])[1:]
  if len(arguments) != len(command.arguments):
    wanted = " ".join(command.arguments) or "nothing"
    raise ValueError(
      f"{command.name} takes {wanted}, not {' '.join(arguments) or 'nothing'}; "
      f"{PROGRAM} {command.name} --help says more."
    )
  return arguments, {
    flag.name.replace("-", "_"): values[flag.name].value
    for flag in command.flags
  }


def _flag_values(command: Command) -> flags.FlagValues:
  # A set of flags of its own, so that those which absl's modules define for
  # themselves neither fill the help nor pass unnoticed.
  values = flags.FlagValues()
  values.set_gnu_getopt(True)
  for flag in command.flags:
    define: Callable[..., Any] = {
      bool: flags.DEFINE_boolean,
      int: flags.DEFINE_integer,
      float: flags.DEFINE_float,
      tuple: flags.DEFINE_multi_string,
    }.get(type(flag.default), flags.DEFINE_string)
    default = flag.default
    if isinstance(default, tuple):
      default = list(default)
    define(flag.name, default, flag.help, flag_values=values)
  return values


def _overview() -> str:
  lines = [
    f"usage: {PROGRAM} COMMAND [ARGUMENTS] [FLAGS]",
    "",
    "Interaction models in JAX: one model that hears, sees and reads while it",
    "speaks and writes.",
    "",
  ]
  lines += [f"  {name:<10} {c.summary}" for name, c in COMMANDS.items()]
  lines += ["", f"{PROGRAM} COMMAND --help says more of each."]
  return "\n".join(lines)


def _help(command: Command) -> str:
  usage = " ".join((PROGRAM, command.name, *command.arguments))
  if command.flags:
    usage += " [FLAGS]"
  lines = [f"usage: {usage}", "", command.summary, ""]
  for flag in command.flags:
    form = f"--{flag.name}"
    if not isinstance(flag.default, bool):
      form += "=VALUE"
    lines.append(f"  {form:<20} {flag.help}{_default(flag)}")
  return "\n".join(lines).rstrip()


def _default(flag: Flag) -> str:
  if isinstance(flag.default, tuple):
    return " (may be given often)"
  if flag.default is None or isinstance(flag.default, bool):
    return ""
  return f" (default {flag.default})"


def _refuse(message: str) -> int:
  """Tells the user what was wrong, in one line."""
  print(f"{PROGRAM}: {' '.join(message.split())}", file=sys.stderr)
  return 2


if __name__ == "__main__":
  run()
