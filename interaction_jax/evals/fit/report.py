"""What `interaction-jax fit` tells of a model on a machine."""

import dataclasses
import functools
import math
import time
from collections.abc import Callable, Mapping
from importlib import metadata
from typing import Any, Final, Literal

from jax.sharding import Mesh

from interaction_jax.core import sharding
from interaction_jax.evals.fit import depth, program, topology
from interaction_jax.evals.fit.depth import Figures
from interaction_jax.evals.fit.program import DoesNotFitError, Section
from interaction_jax.evals.fit.roofline import Times
from interaction_jax.evals.fit.topology import Topology
from interaction_jax.model.config import BackboneConfig, InteractionConfig
from interaction_jax.train.config import Experiment
from interaction_jax.turns import clock

PASSES: Final = (1, 4, 8)
"""Text passes of a turn that are told of."""

_SERVED: Final[tuple[Section, ...]] = ("pass", "text", "voice")
_FULL: Final = 0.85
"""Share of the memory that weights and sessions may fill in a default mesh;
the rest is for what lies between."""

_EXPERT: Final = 8
"""Devices among which a training run spreads experts, if not told."""

How = Literal["shallow", "checked", "whole"]
"""Few layers and the rest by calculation; the same, with a check of it; all."""


@dataclasses.dataclass(frozen=True)
class Request:
  """What is asked.

  Attributes:
    sessions: at once.
    mesh, train_mesh: lines for the two programs; None: chosen here.
    served, trained: which of the two programs are compiled.
    quantise: parts of a served model that take a byte a number, and how, as
      `settings.quantised` reads it; a trained one has its weights themselves.
  """

  experiment: Experiment
  topology: Topology
  sessions: int = 64
  mesh: str | None = None
  train_mesh: str | None = None
  served: bool = True
  trained: bool = True
  how: How = "shallow"
  quantise: Mapping[str, str] = dataclasses.field(default_factory=dict)


def run(request: Request) -> dict[str, Any]:
  """Compiles and reports.

  Raises:
    ModuleNotFoundError: the compiler of that machine is not installed.
    ValueError: the mesh cannot hold the model or the sessions, or there is
      nothing of that kind to be quantised.
  """
  devices = topology.devices(request.topology)
  return {**on(request, devices), "versions": _versions(request.topology)}


def on(request: Request, devices: list[Any]) -> dict[str, Any]:
  """The same, for devices that are given.

  Args:
    devices: as many as the topology has; they are compiled for.
  """
  where = request.topology
  report: dict[str, Any] = {
    "config": request.experiment.name,
    "topology": where.name,
    "chips": where.num_chips,
    "devices": len(devices),
  }
  if request.served:
    report |= _served(request, devices)
  if request.trained:
    report["train"] = _trained(request, devices)
  return report


def usual_mesh(
  cfg: InteractionConfig,
  where: Topology,
  sessions: int,
  *,
  quantise: Mapping[str, str] | None = None,
) -> str:
  """The line of a mesh for serving: all of a slice holds one model's experts.

  Each device then reads the fewest weights a pass. Heads are split only where
  the rest would not fit.

  Raises:
    ValueError: no mesh has room.
  """
  in_slice = where.num_devices // where.num_slices
  heads = (cfg.backbone.window_attention, cfg.backbone.global_attention)
  most = math.gcd(*(one.key_heads for one in heads))
  line = ""
  for tensor in (1, 2, 4, 8):
    if most % tensor or in_slice % tensor:
      continue
    expert = math.gcd(in_slice // tensor, cfg.backbone.experts.num_routed)
    data = where.num_devices // expert // tensor
    if sessions % data:
      continue
    line = f"data={data},expert={expert},tensor={tensor}"
    held = _held(cfg, line, sessions, quantise)
    if held < _FULL * where.chip.capacity:
      return line
  if not line:
    raise ValueError(
      f"--sessions={sessions} cannot be spread over {where.name}; a multiple "
      f"of {where.num_slices} can."
    )
  return line


def usual_train_mesh(cfg: InteractionConfig, where: Topology) -> str:
  """The line of a mesh for training: weights in pieces within a slice."""
  in_slice = where.num_devices // where.num_slices
  expert = math.gcd(in_slice, _EXPERT, cfg.backbone.experts.num_routed)
  return f"data={where.num_slices},fsdp={in_slice // expert},expert={expert}"


def _held(
  cfg: InteractionConfig,
  line: str,
  sessions: int,
  quantise: Mapping[str, str] | None,
) -> int:
  """Bytes of weights and sessions on each device of a mesh."""
  mesh = sharding.planned(line)
  weights, cache = program.step_bytes(cfg, sessions, mesh, quantise=quantise)
  return weights + cache


def _served(request: Request, devices: list[Any]) -> dict[str, Any]:
  where, cfg = request.topology, request.experiment.model
  sessions = request.sessions
  if sessions < 1:
    raise ValueError(f"--sessions={sessions} must be 1 or more.")
  chosen = request.quantise
  line = request.mesh or usual_mesh(cfg, where, sessions, quantise=chosen)
  mesh = sharding.mesh(line, devices=devices)
  held = program.step_bytes(cfg, sessions, mesh, quantise=chosen)
  report: dict[str, Any] = {
    "mesh": dict(mesh.shape),
    "sessions": sessions,
    "quantise": dict(chosen),
    "minutes_of_memory": minutes(cfg),
    "text_passes": cfg.turn.text_out,
  }

  def compiled(layers: tuple[int, ...]) -> Figures:
    part = depth.shallow(cfg, layers)
    made = program.compile_step(part, sessions, mesh, quantise=chosen)
    return depth.figures(made, where)

  found = _compile(request, held, compiled)
  report |= found.report
  if found.figures is None:
    return report
  report["most_sessions"] = _most(found.figures, held, request, mesh)
  report |= times(found.figures, where)
  return report


def _trained(request: Request, devices: list[Any]) -> dict[str, Any]:
  where, experiment = request.topology, request.experiment
  line = request.train_mesh or usual_train_mesh(experiment.model, where)
  mesh = sharding.mesh(line, devices=devices)
  held = program.update_bytes(experiment, mesh)
  train = experiment.train
  report: dict[str, Any] = {
    "mesh": dict(mesh.shape),
    "batch": train.batch,
    "positions": train.data.positions,
    "remat": train.remat,
  }

  def compiled(layers: tuple[int, ...]) -> Figures:
    model = depth.shallow(experiment.model, layers)
    part = dataclasses.replace(experiment, model=model)
    made = program.compile_update(part, mesh)
    return depth.figures(made, where, update=True)

  found = _compile(request, held, compiled)
  report |= found.report
  if found.figures is None or not found.figures.sums:
    return report
  total = found.figures.total()
  report["update_ms"] = total.times(where.chip).in_ms()
  report["flops"], report["bytes"] = total.flops, total.moved
  report["collectives"] = collectives(found.figures, "update")
  return report


@dataclasses.dataclass(frozen=True)
class _Found:
  """What compiling gave.

  Attributes:
    figures: None: there is no room.
  """

  report: dict[str, Any]
  figures: Figures | None


def _compile(
  request: Request,
  held: tuple[int, int],
  compiled: Callable[[tuple[int, ...]], Figures],
) -> _Found:
  """Compiles a program in the way that is asked for."""
  where = request.topology
  backbone = request.experiment.model.backbone
  chip = where.chip
  weights, cache = held
  if weights + cache > chip.capacity:
    # The compiler would find the same, later.
    return _Found(
      {
        "fits": False,
        "why": f"{_gib(weights + cache)} GiB of weights and of what goes in "
        f"on each device, and room for {_gib(chip.capacity)}.",
        "bytes_per_chip": _memory(where, held, None),
      },
      None,
    )
  began = time.perf_counter()
  cached = functools.cache(compiled)
  how: dict[str, Any] = {"layers": backbone.num_layers, "how": request.how}
  try:
    if request.how == "whole":
      figures = cached(tuple(range(backbone.num_layers)))
    else:
      figures = depth.deep(backbone, cached)
    if request.how == "checked":
      how["check"] = check(backbone, cached)
  except DoesNotFitError as error:
    return _Found(
      {
        "fits": False,
        "why": str(error),
        "bytes_per_chip": _memory(where, held, None),
      },
      None,
    )
  how["compile_s"] = round(time.perf_counter() - began, 1)
  memory = _memory(where, held, figures)
  fits = memory["total"] <= memory["capacity"]
  report = {
    "fits": fits,
    "bytes_per_chip": memory,
    "operations": figures.flops,
    "bytes_accessed": figures.accessed,
    "compiled": how,
  }
  if not fits:
    report["why"] = (
      f"{_gib(memory['total'])} GiB on each chip, and room for "
      f"{_gib(memory['capacity'])}."
    )
  return _Found(report, figures)


def check(
  backbone: BackboneConfig, compiled: Callable[[tuple[int, ...]], Figures]
) -> dict[str, Any]:
  """Three layers of each kind, compiled, and as `depth.deep` expects them.

  Returns:
    For each figure the two, and the difference in parts of the compiled one.
  """
  layers = depth.chosen(backbone, 3)
  each = {
    kind[0]: sum(layer in layers for layer in kind)
    for kind in depth.kinds(backbone)
  }
  expected = depth.deep(backbone, compiled, each=each)
  found = compiled(layers)

  def beside(a: float, b: float) -> dict[str, float]:
    apart = round(abs(a - b) / max(b, 1e-12), 4)
    return {"expected": a, "compiled": b, "apart": apart}

  report: dict[str, Any] = {"layers": list(layers)}
  for name in ("arguments", "temporaries", "flops", "accessed"):
    report[name] = beside(getattr(expected, name), getattr(found, name))
  told: tuple[Section, ...] = (*_SERVED, "update")
  for part in told:
    mine, theirs = expected.total(part), found.total(part)
    for name in ("flops", "moved", "sent", "alone_s"):
      if getattr(theirs, name):
        report[f"{part} {name}"] = beside(
          getattr(mine, name), getattr(theirs, name)
        )
  return report


def times(figures: Figures, where: Topology) -> dict[str, Any]:
  """Estimated times of a micro-turn; none where the compiler tells no costs."""
  if not figures.sums:
    return {}
  parts: dict[Section, Times] = {
    name: figures.total(name).times(where.chip) for name in _SERVED
  }

  def told(each: Callable[[Times], float]) -> dict[str, Any]:
    ms = {name: 1000 * each(one) for name, one in parts.items()}
    turn = {
      str(num): round(ms["pass"] + num * ms["text"] + ms["voice"], 3)
      for num in PASSES
    }
    return {
      "pass_ms": round(ms["pass"], 3),
      "text_pass_ms": round(ms["text"], 3),
      "voice_ms": round(ms["voice"], 3),
      "turn_ms": turn,
    }

  serial = told(lambda one: one.serial)
  return {
    **serial,
    "in_time": {
      num: ms <= clock.TURN_MS for num, ms in serial["turn_ms"].items()
    },
    "overlapped": told(lambda one: one.overlapped),
    "parts": {
      name: {
        **one.in_ms(),
        "flops": figures.total(name).flops,
        "bytes": figures.total(name).moved,
        "sent": figures.total(name).sent,
      }
      for name, one in parts.items()
    },
    "collectives": {name: collectives(figures, name) for name in _SERVED},
    "costliest": {name: costliest(figures, name) for name in ("pass", "text")},
  }


def collectives(figures: Figures, part: Section) -> dict[str, Any]:
  """How often each collective runs, and the bytes each device sends by it."""
  return {
    op: {
      "count": round(one.count, 1),
      "bytes": round(one.sent),
      "ms": round(1000 * one.links_s, 3),
    }
    for (where, op), one in sorted(figures.sums.items())
    if where == part and one.sent
  }


def costliest(figures: Figures, part: Section, num: int = 6) -> dict[str, Any]:
  """The operations that take the longest, serially, in ms."""
  each = {
    op: 1000 * (one.alone_s + one.links_s)
    for (where, op), one in figures.sums.items()
    if where == part
  }
  longest = sorted(each, key=lambda op: -each[op])[:num]
  return {op: round(each[op], 2) for op in longest}


def minutes(cfg: InteractionConfig) -> dict[str, float]:
  """How far back a session remembers media, by what happens meanwhile.

  A turn takes a tick and what is heard; a voice takes as much again, and a
  pair of pictures its patches, every so many turns.
  """
  heard = cfg.audio_positions
  listening = 1.0 + heard
  speaking = listening + heard
  seeing = speaking + cfg.video.num_patches / cfg.video.every
  return {
    name: round(cfg.memory.media / positions * clock.TURN_MS / 60_000, 1)
    for name, positions in (
      ("listening", listening),
      ("speaking", speaking),
      ("speaking_and_seeing", seeing),
    )
  }


def _memory(
  where: Topology, held: tuple[int, int], figures: Figures | None
) -> dict[str, Any]:
  """Bytes on each chip, which may be more than one device."""
  weights, cache = held
  num = where.chip.devices_per_chip
  memory: dict[str, Any] = {
    "weights": weights * num,
    "cache": cache * num,
    "temporaries": None,
    "capacity": where.chip.capacity * num,
  }
  if figures is not None:
    # Layouts of the machine make some arrays larger than their numbers.
    memory["temporaries"] = round(figures.temporaries) * num
    memory["padding"] = round(figures.arguments - weights - cache) * num
    memory["other"] = round(figures.output + figures.code) * num
    memory["total"] = num * round(
      figures.arguments + figures.output + figures.temporaries + figures.code
    )
  return memory


def _most(
  figures: Figures, held: tuple[int, int], request: Request, mesh: Mesh
) -> int:
  """Sessions that the memory has room for.

  What lies in between is taken to grow with the sessions, though not all of it
  does.
  """
  weights, cache = held
  each = (cache + figures.temporaries) / request.sessions
  room = request.topology.chip.capacity - weights - figures.code
  rows = sharding.place("B", (request.sessions,), mesh).spec[0] or ()
  names = (rows,) if isinstance(rows, str) else rows
  ways = math.prod(mesh.shape[name] for name in names)
  return max(int(room / each) // ways * ways, 0)


def _gib(size: int | float) -> float:
  return round(size / 2**30, 1)


def _versions(where: Topology) -> dict[str, str]:
  names = ["jax", "jaxlib"]
  names += ["libtpu"] if where.chip.platform == "tpu" else ["jax-cuda12-plugin"]
  return {name: metadata.version(name) for name in names}


def summary(report: dict[str, Any]) -> str:
  """The report as a person reads it; all times are estimates."""
  lines = [
    f"{report['config']} on {report['topology']}: {report['chips']} chips"
  ]
  if "sessions" in report:
    lines += _step_lines(report)
  if "train" in report:
    lines += _train_lines(report["train"])
  return "\n".join(lines)


def _step_lines(report: dict[str, Any]) -> list[str]:
  narrow = "".join(
    f", {part} in {kind}" for part, kind in report["quantise"].items()
  )
  lines = [
    f"serving {report['sessions']} sessions, mesh {_mesh(report['mesh'])}"
    f"{narrow}",
    *_fit_lines(report),
  ]
  if "most_sessions" in report:
    lines.append(f"  room for {report['most_sessions']} sessions")
  if "turn_ms" in report:
    both = report, report["overlapped"]
    for name in ("pass_ms", "text_pass_ms", "voice_ms"):
      a, b = (one[name] for one in both)
      lines.append(
        f"  {name:<14}{a:9.1f} serial {b:9.1f} overlapped, estimated"
      )
    for num in report["turn_ms"]:
      a, b = (one["turn_ms"][num] for one in both)
      late = "" if report["in_time"][num] else f"  over {clock.TURN_MS} ms"
      name = f"turn, U = {num}"
      lines.append(
        f"  {name:<14}{a:9.1f} serial {b:9.1f} overlapped, estimated{late}"
      )
    for part, found in report["collectives"].items():
      for op, one in found.items():
        lines.append(
          f"  {part:<6}{op:<20}{one['count']:8.0f} times "
          f"{one['bytes'] / 2**20:10.1f} MiB sent by each device"
        )
  return lines


def _train_lines(train: dict[str, Any]) -> list[str]:
  lines = [
    f"training, batch {train['batch']}, mesh {_mesh(train['mesh'])}",
    *_fit_lines(train),
  ]
  if "update_ms" in train:
    ms = train["update_ms"]
    lines.append(
      f"  update        {ms['serial']:9.1f} serial {ms['overlapped']:9.1f} "
      f"overlapped, estimated ms; bound by {ms['bound']}"
    )
  return lines


def _fit_lines(report: dict[str, Any]) -> list[str]:
  memory = report["bytes_per_chip"]
  parts = ", ".join(
    f"{name} {_gib(memory[name])}"
    for name in ("weights", "cache", "temporaries", "total")
    if memory.get(name) is not None
  )
  answer = "fits" if report["fits"] else f"does not fit: {report['why']}"
  return [
    f"  {answer}",
    f"  GiB on a chip of {_gib(memory['capacity'])}: {parts}",
  ]


def _mesh(sizes: dict[str, int]) -> str:
  named = [f"{axis}={size}" for axis, size in sizes.items() if size > 1]
  return ",".join(named) or "data=1"
