"""Models ready to be talked to: found by name, loaded, compiled once.

All sessions of a model share its parameters and its two programs.
"""

import dataclasses
import functools
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from interaction_jax.core import checkpoint, manifest, settings, sharding
from interaction_jax.core.params import Params
from interaction_jax.model import interaction, step
from interaction_jax.model.config import InteractionConfig, SamplingConfig
from interaction_jax.ops import quantised
from interaction_jax.ops.quantised import Quantised
from interaction_jax.serve import programs
from interaction_jax.serve.programs import Programs
from interaction_jax.turns import vocabulary
from interaction_jax.turns.vocabulary import Vocabulary

GREEDY: Final = step.GREEDY
"""How a model is run unless one says otherwise."""

_ASSETS: Final = Path(__file__).parent.parent / "assets"


@dataclasses.dataclass(frozen=True, eq=False)
class Model:
  """Weights, settings and words, and the programs compiled for them.

  Attributes:
    name: by which it was asked for.
    digest: tells its files, or its weights, and how they are quantised, from
      all others.
    params: in the type they are computed with.
    path: of its folder, if it was loaded from one.
    mesh: that they lie on; None: one device.
    mesh_name: by which that was asked for.
    quantise: parts that lie in a byte a number, and how; see `load`.
    cache: the folder in which its programs are kept; None: they are not.
  """

  name: str
  digest: str
  cfg: InteractionConfig
  params: Params
  words: Vocabulary
  path: Path | None = None
  mesh: Mesh | None = None
  mesh_name: str | None = None
  quantise: Mapping[str, str] = dataclasses.field(default_factory=dict)
  cache: Path | None = None
  _compiled: dict[tuple[SamplingConfig, int], Programs] = dataclasses.field(
    default_factory=dict, repr=False
  )

  @property
  def nbytes(self) -> int:
    """Bytes of its weights."""
    return sum(leaf.nbytes for leaf in jax.tree.leaves(self.params))

  @property
  def fewest_rows(self) -> int:
    """Rows that programs have at least: one in each part of the mesh."""
    if self.mesh is None:
      return 1
    return self.mesh.shape["data"] * self.mesh.shape["fsdp"]

  def programs(
    self, sampling: SamplingConfig, *, rows: int | None = None
  ) -> Programs:
    """Compiles the programs, or gives those that were compiled before.

    Args:
      rows: sessions at once; None: as few as can be.
    """
    key = sampling, rows or self.fewest_rows
    if key not in self._compiled:
      self._compiled[key] = programs.compile(
        self.params,
        cfg=self.cfg,
        sampling=sampling,
        rows=key[1],
        mesh=self.mesh,
        cache=self.cache,
      )
    return self._compiled[key]


def load(
  name_or_path: str | Path,
  *,
  mesh: str | None = None,
  quantise: Mapping[str, str] | None = None,
  sessions: int = 1,
  cache: Path | None = None,
) -> Model:
  """Loads a model that is shipped under a name, or lies in a folder.

  Args:
    mesh: a name of `configs/meshes.py`, or a line such as `"expert=4"`.
    quantise: `{"experts": "int8"}`, or `"fp8"`: routed experts take a byte a
      number from then on; what is stored stays as it is. None: nothing does.
    sessions: that it must have room for; `data` and `fsdp` divide them.
    cache: where compiled programs are kept, such as `cache()`.

  Raises:
    FileNotFoundError: there is no such model.
    ValueError: the folder is no checkpoint of a model that can talk, the mesh
      does not fit, or there is nothing of that kind to be quantised.
  """
  chosen = settings.quantised(quantise)
  path = find(name_or_path)
  listed = manifest.read(path)
  cfg = _config(path, listed)
  made = _quantising(cfg, chosen)
  grid = None if mesh is None else _grid(mesh, sessions)
  if "tokenizer.json" not in listed["files"] or cfg.text.first_control is None:
    raise ValueError(
      f"{path} has no tokenizer or no control tokens; it is a language model, "
      "which has no turns."
    )
  shapes = interaction.shapes(cfg)
  absent = set(interaction.LATER) - listed["params"].keys()
  wanted = {
    name: leaf
    for name, leaf in sharding.by_name(shapes).items()
    if name not in absent
  }
  places = None
  if grid is not None:
    lying = sharding.shardings(interaction.axes(cfg), shapes, grid)
    places = sharding.by_name(lying)
    places = {name: places[name] for name in wanted}
  loaded = checkpoint.load(
    path,
    dtype=cfg.dtype,
    shardings=places,
    expect=sharding.nested(wanted),
    made=made,
  )
  assert loaded.tokenizer is not None, "the manifest lists a tokenizer"
  return Model(
    name=str(name_or_path),
    digest=_digest(listed["seal"], chosen),
    cfg=cfg,
    params=interaction.complete(loaded.params),
    words=_words(loaded.tokenizer, cfg),
    path=path,
    mesh=grid,
    mesh_name=mesh,
    quantise=chosen,
    cache=cache,
  )


def of(
  params: Params,
  *,
  cfg: InteractionConfig,
  words: Vocabulary,
  name: str = "unnamed",
  quantise: Mapping[str, str] | None = None,
) -> Model:
  """A model from parameters that lie in memory.

  Args:
    quantise: as for `load`.

  Raises:
    ValueError: there is nothing of that kind to be quantised.
  """
  chosen = settings.quantised(quantise)
  made = _quantising(cfg, chosen)
  digest = hashlib.sha256()
  for path, leaf in sharding.by_name(params).items():
    digest.update(f"{path} {leaf.dtype} {leaf.shape}\n".encode())
    digest.update(np.asarray(leaf).tobytes())

  def cast(leaf: jax.Array) -> jax.Array:
    floating = jnp.issubdtype(leaf.dtype, jnp.floating)
    return jnp.asarray(leaf, cfg.dtype if floating else leaf.dtype)

  ready = sharding.by_name(jax.tree.map(cast, params))
  for path, make in made.items():
    ready[path] = make(ready[path])
  return Model(
    name,
    _digest(digest.hexdigest(), chosen),
    cfg,
    sharding.nested(ready),
    words,
    quantise=chosen,
  )


def find(name_or_path: str | Path) -> Path:
  """The folder of a model: an existing one, or one shipped by that name.

  Raises:
    FileNotFoundError: it is neither.
  """
  path = Path(name_or_path)
  if path.is_dir():
    return path.absolute()
  shipped = {found.parent.name: found.parent for found in _shipped()}
  if str(name_or_path) in shipped:
    return shipped[str(name_or_path)]
  known = ", ".join(sorted(shipped)) or "none"
  raise FileNotFoundError(
    f"checkpoint {str(name_or_path)!r} is neither a folder nor a shipped model"
    f"{settings.near(path.name, shipped)}; shipped are: {known}."
  )


def cache() -> Path | None:
  """Where compiled programs are kept: a folder in the user's cache.

  None where JAX keeps what it compiles itself, since a program that was read
  from its cache cannot be written to ours.
  """
  if getattr(jax.config, "jax_compilation_cache_dir", None):
    return None
  base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
  return Path(base) / "interaction_jax"


def _shipped() -> Iterator[Path]:
  return _ASSETS.glob(f"*/{manifest.NAME}")


def _config(path: Path, listed: Mapping[str, Any]) -> InteractionConfig:
  """The settings, which are read before the arrays and so verified alone."""
  name = "config.json"
  alone = {"files": {name: listed["files"][name]}}
  for problem in manifest.damage(path, alone):
    raise ValueError(f"checkpoint {path}: {problem}.")
  plain = json.loads((path / name).read_bytes())
  # A training run keeps the whole experiment, others the model alone.
  return settings.from_dict(InteractionConfig, plain.get("model", plain))


def _digest(weights: str, chosen: Mapping[str, str]) -> str:
  """That of weights, and of what was made of them, if anything was."""
  if not chosen:
    return weights
  made = f"{weights} {json.dumps(dict(chosen), sort_keys=True)}"
  return hashlib.sha256(made.encode()).hexdigest()


def _quantising(
  cfg: InteractionConfig, chosen: Mapping[str, str]
) -> dict[str, Callable[[jax.Array], Quantised]]:
  """What becomes of the parameters that are quantised, by name."""
  return {
    name: functools.partial(quantised.convert, kind=kind)
    for name, kind in interaction.in_a_byte(cfg, chosen).items()
  }


def _words(tokenizer: bytes, cfg: InteractionConfig) -> Vocabulary:
  with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "tokenizer.json"
    path.write_bytes(tokenizer)
    return vocabulary.load(
      path,
      table_size=cfg.text.table_size,
      first_control=cfg.text.first_control,
    )


def _grid(name: str, sessions: int) -> Mesh:
  """The mesh of a name or of a line."""
  grid = sharding.mesh(settings.mesh_line(name))
  ways = grid.shape["data"] * grid.shape["fsdp"]
  if sessions % ways:
    number = "a recording is one session" if sessions == 1 else f"{sessions=}"
    raise ValueError(
      f"mesh {name!r} splits sessions over data={grid.shape['data']} and "
      f"fsdp={grid.shape['fsdp']}, but {number}; sessions are a multiple of "
      "their product, and 'expert' and 'tensor' may be anything."
    )
  return grid
