"""The programs of a model, compiled for machines that are not there.

    step      one micro-turn of all sessions, as an engine compiles it
    update    one update of all weights, as a training run compiles it

Only shapes are made, and where each array would lie.
"""

import dataclasses
import functools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding

from interaction_jax.core import sharding
from interaction_jax.core.sharding import AnyMesh
from interaction_jax.evals.fit import hlo
from interaction_jax.evals.fit.hlo import Work
from interaction_jax.model import interaction, step
from interaction_jax.model import state as states
from interaction_jax.model.config import InteractionConfig, SamplingConfig
from interaction_jax.ops import quantised
from interaction_jax.ops.quantised import Quantised
from interaction_jax.train import feed, update
from interaction_jax.train import state as train_states
from interaction_jax.train.config import Experiment
from interaction_jax.train.state import TrainState
from interaction_jax.turns import clock
from interaction_jax.turns.schema import Episode, TurnInput

Section = Literal["pass", "text", "voice", "update"]
"""Parts of a program: the pass that takes a turn in, one pass for each token,
everything about sound, and the whole of an update."""


class DoesNotFitError(Exception):
  """A program needs more memory than there is; the text is the compiler's."""


@dataclasses.dataclass(frozen=True)
class Compiled:
  """What the compiler says of a program, for each device.

  Attributes:
    weights: bytes of parameters; in training, with averages and moments.
    cache: bytes of what sessions remember; in training, of a batch.
    arguments: bytes of all that goes in, as it is laid out there.
    output: bytes that come out and lie nowhere yet.
    temporaries: bytes in between.
    code: bytes of the program.
    works: all that runs; empty where the compiler does not tell.
    flops, accessed: its own sums, with the bodies of loops counted once.
  """

  weights: int
  cache: int
  arguments: int
  output: int
  temporaries: int
  code: int
  works: tuple[Work, ...]
  flops: float
  accessed: float


@dataclasses.dataclass(frozen=True)
class _Plan:
  """A function and the shapes of its arguments.

  Attributes:
    arguments: leaves of each.
    trees: what they are the leaves of.
    donated: number of the argument that is used up.
    weights, cache: numbers of those that hold them.
    results: where its results lie, the last one for all that follow.
  """

  run: Callable[..., Any]
  arguments: Sequence[list[jax.ShapeDtypeStruct]]
  trees: Sequence[Any]
  donated: int
  weights: int
  cache: int
  results: list[NamedSharding] | None = None

  @property
  def held(self) -> tuple[int, int]:
    """Bytes of weights and cache on each device."""
    weights, cache = self.arguments[self.weights], self.arguments[self.cache]
    return _bytes(weights), _bytes(cache)


def step_bytes(
  cfg: InteractionConfig,
  sessions: int,
  mesh: AnyMesh,
  *,
  quantise: Mapping[str, str] | None = None,
) -> tuple[int, int]:
  """Bytes of weights and of memories on each device, without compiling.

  Args:
    quantise: `{"experts": "int8"}`, or `"fp8"`: what takes a byte a number.
  """
  return _step_plan(cfg, sessions, mesh, quantise or {}).held


def update_bytes(experiment: Experiment, mesh: AnyMesh) -> tuple[int, int]:
  """Bytes of weights and of a batch on each device, without compiling."""
  return _update_plan(experiment, mesh).held


def compile_step(
  cfg: InteractionConfig,
  sessions: int,
  mesh: Mesh,
  *,
  quantise: Mapping[str, str] | None = None,
) -> Compiled:
  """Compiles a micro-turn.

  Args:
    quantise: as for `step_bytes`.

  Raises:
    DoesNotFitError: the compiler finds no room for it.
    ValueError: the mesh cannot hold the model or the sessions, or there is
      nothing of that kind to be quantised.
  """
  return _compile(_step_plan(cfg, sessions, mesh, quantise or {}), mesh)


def compile_update(experiment: Experiment, mesh: Mesh) -> Compiled:
  """Compiles an update; raises as `compile_step`."""
  return _compile(_update_plan(experiment, mesh), mesh)


def section(work: Work) -> Section:
  """The part of a micro-turn that a piece of work belongs to."""
  # On a CPU experts are asked in rounds, whose number nobody knows either.
  if work.open and not re.search(r"/take_in(/|$)", work.scope):
    return "text"
  sound = re.search(r"/(listen|speak)(/|$)", work.scope)
  return "voice" if sound else "pass"


def _step_plan(
  cfg: InteractionConfig,
  sessions: int,
  mesh: AnyMesh,
  quantise: Mapping[str, str],
) -> _Plan:
  rows = sharding.place("B", (sessions,), mesh)
  params = _weights(cfg, mesh, quantise)
  named, tree = states.shapes(sessions, cfg=cfg)
  places = states.places(sessions, mesh, cfg=cfg)
  state = [
    _shape(leaf.shape, leaf.dtype, place)
    for (_, leaf), place in zip(named, places, strict=True)
  ]

  def each(*shape: int, kind: Any = jnp.int32) -> jax.ShapeDtypeStruct:
    return _shape((sessions, *shape), kind, rows)

  turn = _tree(
    TurnInput,
    active=each(kind=jnp.bool_),
    heard=each(clock.SAMPLES, kind=jnp.float32),
    text=each(cfg.turn.text_in),
    num_text=each(),
    lost=each(2, kind=jnp.float32),
  )
  run = functools.partial(step.step, cfg=cfg, sampling=SamplingConfig())
  return _Plan(
    run,
    [jax.tree.leaves(params), state, jax.tree.leaves(turn)],
    [jax.tree.structure(params), tree, jax.tree.structure(turn)],
    donated=1,
    weights=0,
    cache=1,
    results=[*places, rows],
  )


def _update_plan(experiment: Experiment, mesh: AnyMesh) -> _Plan:
  cfg, train = experiment.model, experiment.train
  feed.check_rows(mesh, train.batch)
  fields = train_states.abstract(cfg, train)
  places = train_states.places_of(cfg, train, mesh)
  placed = {
    name: jax.tree.map(
      lambda leaf, place: _shape(leaf.shape, leaf.dtype, place),
      fields[name],
      places[name],
    )
    for name in fields
    if fields[name] is not None
  }
  state = _tree(TrainState, **{"frozen": None} | placed)
  episode = _episode(experiment, train_states.rows_on(mesh))
  run = functools.partial(update.update, cfg=cfg, train=train)
  return _Plan(
    run,
    [jax.tree.leaves(state), jax.tree.leaves(episode)],
    [jax.tree.structure(state), jax.tree.structure(episode)],
    donated=0,
    weights=0,
    cache=1,
  )


def _episode(experiment: Experiment, rows: NamedSharding) -> Episode:
  """A batch as the loader of a run makes it, without pictures."""
  form, batch = feed.form(experiment), experiment.train.batch
  turns = form.num_turns
  voice = experiment.model.vocoder

  def each(*shape: int, kind: Any = jnp.int32) -> jax.ShapeDtypeStruct:
    return _shape((batch, *shape), kind, rows)

  sound = each(turns, clock.SAMPLES, kind=jnp.float32)
  return _tree(
    Episode,
    start=each(),
    num_turns=each(),
    heard=sound,
    voice=sound,
    speaks=each(turns, kind=jnp.bool_),
    mel=each(turns, voice.frames_per_turn, voice.num_mels, kind=jnp.float32),
    text_in=each(turns, form.text_in),
    num_text_in=each(turns),
    text_out=each(turns, form.text_out),
    num_text_out=each(turns),
    pinned=each(form.pinned),
    num_pinned=each(),
    frames=None,
    frames_of=None,
    lost=each(turns, 2, kind=jnp.float32),
  )


def _weights(
  cfg: InteractionConfig, mesh: AnyMesh, quantise: Mapping[str, str]
) -> Any:
  """Shapes of what a served model holds, as `serve/models.py` loads it."""
  shapes = _served_shapes(cfg)
  places = sharding.shardings(train_states.axes(cfg), shapes, mesh)
  placed = sharding.by_name(
    jax.tree.map(
      lambda leaf, place: _shape(leaf.shape, leaf.dtype, place), shapes, places
    )
  )
  for name, kind in interaction.in_a_byte(cfg, quantise).items():
    placed[name] = _quantised(placed[name], kind)
  return sharding.nested(placed)


def _quantised(weights: jax.ShapeDtypeStruct, kind: str) -> Any:
  """What `quantised.convert` would make of them."""
  assert isinstance(weights.sharding, NamedSharding), weights

  def parts(weights: jax.Array) -> tuple[jax.Array, jax.Array]:
    made = quantised.quantise(weights, kind)
    return made.values, made.scales

  values, scales = jax.eval_shape(
    parts, jax.ShapeDtypeStruct(weights.shape, weights.dtype)
  )
  channels = quantised.of_channels(weights.sharding, len(weights.shape))
  return _tree(
    Quantised,
    values=_shape(values.shape, values.dtype, weights.sharding),
    scales=_shape(scales.shape, scales.dtype, channels),
  )


@functools.cache
def _served_shapes(cfg: InteractionConfig) -> Any:
  """Parameters at rest as they are computed with: so a served model holds them.

  They are asked for once for each mesh that is thought of.
  """
  shapes = jax.eval_shape(
    functools.partial(interaction.init, cfg=cfg), jax.random.key(0)
  )
  return jax.tree.map(
    lambda leaf: jax.ShapeDtypeStruct(leaf.shape, jnp.dtype(cfg.dtype)), shapes
  )


def _shape(
  shape: Sequence[int], kind: Any, place: NamedSharding
) -> jax.ShapeDtypeStruct:
  return jax.ShapeDtypeStruct(tuple(shape), kind, sharding=place)


def _tree(kind: type, **fields: Any) -> Any:
  """A dataclass of arrays that holds shapes instead of them."""
  made = object.__new__(kind)
  for name, value in fields.items():
    object.__setattr__(made, name, value)
  return made


def _bytes(tree: Any) -> int:
  """Bytes of the pieces that lie on each device."""
  return sum(
    int(np.prod(leaf.sharding.shard_shape(leaf.shape), dtype=np.int64))
    * leaf.dtype.itemsize
    for leaf in jax.tree.leaves(tree)
  )


def _compile(plan: _Plan, mesh: Mesh) -> Compiled:
  # Lists of arrays: classes of arrays cannot be made of shapes.
  def flat(*lists: list[jax.Array]) -> list[jax.Array]:
    pairs = zip(plan.trees, lists, strict=True)
    return jax.tree.leaves(plan.run(*(tree.unflatten(x) for tree, x in pairs)))

  lists = plan.arguments
  # What a program does not use lies on the devices all the same.
  options: dict[str, Any] = {
    "donate_argnums": plan.donated,
    "keep_unused": True,
  }
  with jax.set_mesh(mesh):
    if plan.results is not None:
      *places, rest = plan.results
      others = len(jax.eval_shape(flat, *lists)) - len(places)
      options["out_shardings"] = [*places, *[rest] * others]
    lowered = jax.jit(flat, **options).lower(*lists)
    try:
      compiled = lowered.compile()
    except jax.errors.JaxRuntimeError as error:
      if "RESOURCE_EXHAUSTED" not in str(error):
        raise
      raise DoesNotFitError(_first_line(str(error))) from error
  return _read(compiled, plan)


def _first_line(text: str) -> str:
  """The sentence of a compiler's error that says how much is wanted."""
  found = re.search(r"Used [^\n]*?hbm[^\n]*?\.", text)
  return found.group(0) if found else text.splitlines()[0]


def _read(compiled: jax.stages.Compiled, plan: _Plan) -> Compiled:
  memory: Any = compiled.memory_analysis()
  costs = compiled.cost_analysis() or {}
  text = compiled.as_text()
  works = hlo.parse(text).works() if costs and text else []
  return Compiled(
    weights=plan.held[0],
    cache=plan.held[1],
    arguments=memory.argument_size_in_bytes,
    output=memory.output_size_in_bytes - memory.alias_size_in_bytes,
    temporaries=memory.temp_size_in_bytes,
    code=memory.generated_code_size_in_bytes,
    works=tuple(works),
    flops=float(costs.get("flops", 0.0)),
    accessed=float(costs.get("bytes accessed", 0.0)),
  )
