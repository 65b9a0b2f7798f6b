"""Inkling's published weights, in our parameters.

Inkling is the open model of the same shape as the system this library
follows, so its weights can be where training starts, and its implementation
in `transformers` is what ours is checked against.
"""

import dataclasses
import functools
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from interaction_jax.convert import inkling_config, inkling_names
from interaction_jax.convert.tensors import Tensors
from interaction_jax.core import checkpoint, settings
from interaction_jax.core.params import Params
from interaction_jax.model import config, interaction, language
from interaction_jax.turns.vocabulary import Control

_MULTI_TOKEN = ("model.mtp.", "mtp.")
"""Tensors of the multi-token layers, which the backbone does not need."""

_LONGEST = 256
"""Positions of the sequences that parity is measured on, at most."""


@dataclasses.dataclass(frozen=True)
class Imported:
  """A model with foreign weights.

  Attributes:
    params, cfg: ours.
    source: the numbers it came with.
    new_parts: parameters the checkpoint does not have, drawn afresh.
    unused: tensors of the checkpoint that nothing of ours takes.
  """

  params: Params
  cfg: config.InteractionConfig
  source: inkling_config.Inkling
  new_parts: tuple[str, ...]
  unused: tuple[str, ...]

  def logits(
    self,
    ids: np.ndarray,
    audio: np.ndarray | None = None,
    images: np.ndarray | None = None,
  ) -> jax.Array:
    """Logits of the next token, in float32 at the highest precision.

    Args:
      ids: int32 [B, T], placeholders where audio and images belong.
      audio: int32 [frames, 80] dMel levels.
      images: float32 [patches, 2, 40, 40, 3], normalised.

    Raises:
      ValueError: placeholders and what is given differ in number, an id or
        a level is out of range, a shape is wrong, or the checkpoint has no
        such tower.
    """
    self._check(ids, audio, images)
    # A plain language model forgets nothing within its sequence.
    memory = dataclasses.replace(self.cfg.memory, text=int(ids.shape[1]))
    cfg = dataclasses.replace(self.cfg, memory=memory)
    with jax.default_matmul_precision("highest"):
      return _logits(
        self.params,
        jnp.asarray(ids, jnp.int32),
        None if audio is None else jnp.asarray(audio, jnp.int32),
        None if images is None else jnp.asarray(images, jnp.float32),
        cfg=cfg,
        audio_token=self.source.audio_token,
        image_token=self.source.image_token,
      )

  def _check(self, ids, audio, images):
    _in_range("ids", ids, self.cfg.text.table_size)
    sound, video = self.cfg.audio, self.cfg.video
    patch = (video.frames, video.patch, video.patch, video.channels)
    for name, token, given, shape in (
      ("audio", self.source.audio_token, audio, (sound.num_mels,)),
      ("image", self.source.image_token, images, patch),
    ):
      if given is None:
        continue
      if not self.source.multimodal:
        raise ValueError(
          f"{name} was given, but this checkpoint reads text alone."
        )
      if np.shape(given)[1:] != shape:
        raise ValueError(
          f"{name} has the shape {np.shape(given)}; rows of {shape} are wanted."
        )
      language.check_placeholders(ids, name, token, len(given))
    if audio is not None:
      _in_range("audio", audio, sound.num_levels)


def load(
  directory: str | Path,
  *,
  dtype: str = "float32",
  seed: int = 0,
) -> Imported:
  """Reads a checkpoint in the format of Hugging Face.

  Args:
    directory: holds `config.json` and safetensors, in shards or whole.
    dtype: of the parameters.
    seed: for the parts of an interaction model that Inkling lacks.

  Raises:
    FileNotFoundError: a file is missing.
    ValueError: a tensor is missing or has another shape than the
      configuration asks for.
  """
  source = inkling_config.read(directory)
  cfg = dataclasses.replace(source.model, param_dtype=dtype)
  tensors = Tensors(directory)
  table = inkling_names.sources(cfg)
  if not source.multimodal:
    table = {
      path: row for path, row in table.items() if path[:2] not in _TOWERS
    }
  found = inkling_names.resolve(table, tensors)
  missing = sorted(table[path][0].name for path in table.keys() - found.keys())
  if missing:
    raise ValueError(
      f"{directory} lacks {len(missing)} tensors that its config.json asks "
      f"for: {', '.join(missing[:8])}{' ...' if len(missing) > 8 else ''}."
    )
  params, new = _fill(cfg, tensors, found, seed)
  taken = {row.name for row in found.values()}
  unused = tuple(sorted(tensors.keys() - taken))
  astray = [name for name in unused if not name.startswith(_MULTI_TOKEN)]
  if astray:
    raise ValueError(
      f"{directory} holds {len(astray)} tensors that its config.json does "
      f"not account for: {', '.join(astray[:8])}."
    )
  return Imported(params, cfg, source, new, unused)


def convert(
  source: str | Path, target: str | Path, *, overwrite: bool = False
) -> dict[str, Any]:
  """Writes our checkpoint of an Inkling one, and reports how the two agree.

  Weights keep the dtype they are stored in. `target` also gets the report,
  as `report.json`, and the tokenizer if there is one. Agreement is measured
  where `transformers` is installed and three copies of the weights in
  float32, theirs, ours and room to work, fit half of this machine's memory.

  Args:
    overwrite: whether a checkpoint at `target` is replaced.

  Returns:
    `max_abs_logit_diff` and `largest_logit` over random sequences, with
    audio and images where the model takes them; `reference`, what it was
    compared with, or None and a `reason`; `new_parts`, `missing`, `unused`.

  Raises:
    FileExistsError: `target` is taken.
    FileNotFoundError, ValueError: as `load`.
  """
  target = Path(target)
  if target.exists() and not overwrite:
    raise FileExistsError(f"{target} exists; overwrite=True replaces it.")
  imported = load(source, dtype=_stored_dtype(source))
  print(
    f"drawn afresh: {', '.join(imported.new_parts) or 'nothing'}",
    file=sys.stderr,
  )
  report = {
    **_parity(imported, source),
    "new_parts": list(imported.new_parts),
    # A checkpoint that lacks something is refused, so nothing can be missing.
    "missing": [],
    "unused": list(imported.unused),
  }
  tokenizer = Path(source) / "tokenizer.json"
  checkpoint.save(
    target,
    imported.params,
    config={"model": settings.to_dict(with_controls(imported.cfg))},
    tokenizer=tokenizer.read_bytes() if tokenizer.exists() else None,
    overwrite=overwrite,
  )
  draft = target / ".report.json"
  draft.write_text(json.dumps(report, indent=2) + "\n")
  draft.rename(target / "report.json")
  return report


def with_controls(cfg: config.InteractionConfig) -> config.InteractionConfig:
  """The same model with control tokens in the padding of its vocabulary.

  No parameter changes; the rows of the tables are there. Where there is no
  room for all of them, `cfg` is returned as it is.
  """
  first, last = cfg.text.vocab_size, cfg.text.vocab_size + len(Control)
  if last > cfg.text.table_size:
    return cfg
  text = dataclasses.replace(cfg.text, first_control=first, vocab_size=last)
  return dataclasses.replace(cfg, text=text)


_TOWERS = (("embed", "audio"), ("embed", "video"))


def _stored_dtype(directory: str | Path) -> str:
  """The dtype of the text table, which is that of all large tensors."""
  source = inkling_config.read(directory)
  tensors = Tensors(directory)
  found = inkling_names.resolve(inkling_names.sources(source.model), tensors)
  table = found.get(("embed", "text", "table"))
  # Without a table `load` will say what is missing.
  return "float32" if table is None else str(tensors[table.name].dtype)


def _parity(imported: Imported, directory: str | Path) -> dict[str, Any]:
  """How far our logits are from those of `transformers`."""

  def unknown(reason: str) -> dict[str, Any]:
    nothing = dict.fromkeys(("max_abs_logit_diff", "largest_logit"))
    return {**nothing, "reference": None, "reason": reason}

  size = sum(leaf.size for leaf in jax.tree.leaves(imported.params))
  if 3 * 4 * size > _memory() / 2:
    return unknown(
      f"{size} parameters need {12 * size} bytes to compare; half of this "
      f"machine's memory is {_memory() // 2}"
    )
  try:
    import transformers
    from transformers import InklingForCausalLM, InklingForConditionalGeneration
  except ImportError as error:
    return unknown(f"no reference to compare with: {error}")
  import torch

  family = InklingForCausalLM
  if imported.source.multimodal:
    family = InklingForConditionalGeneration
  theirs = family.from_pretrained(
    directory,
    dtype=torch.float32,
    # The plain loops; the faster forms ask for widths of multiples of four.
    attn_implementation="eager",
    experts_implementation="eager",
  ).eval()
  diff = largest = 0.0
  for ids, audio, images in _probes(imported):
    given = {"input_ids": torch.tensor(ids)}
    if audio is not None:
      given["audio_input_ids"] = torch.tensor(audio)[None]
    if images is not None:
      given["pixel_values"] = torch.tensor(images)
    with torch.no_grad():
      wanted = theirs(**given).logits.numpy()
    got = np.asarray(imported.logits(ids, audio, images))
    diff = max(diff, float(np.abs(got - wanted).max()))
    largest = max(largest, float(np.abs(wanted).max()))
  return {
    "max_abs_logit_diff": diff,
    "largest_logit": largest,
    "reference": f"transformers {transformers.__version__}",
    "reason": None,
  }


def _memory() -> int:
  """Bytes of memory of this machine."""
  return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _probes(imported: Imported):
  """Random sequences that reach past windows, and one with all there is."""
  numbers = np.random.default_rng(0)
  cfg, source = imported.cfg, imported.source
  backbone, video = cfg.backbone, cfg.video
  reach = max(backbone.window_attention.reach, backbone.global_attention.reach)
  length = min(reach + 8, _LONGEST)
  places = (source.audio_token, source.image_token)
  words = np.setdiff1d(np.arange(cfg.text.table_size), places)
  ids = numbers.choice(words, (2, length)).astype(np.int32)
  yield ids, None, None
  if not source.multimodal or max(places) >= cfg.text.table_size:
    return
  ids[0, 2:5], ids[1, 3:5] = places
  patch = (video.frames, video.patch, video.patch, video.channels)
  audio = numbers.integers(0, cfg.audio.num_levels, (3, cfg.audio.num_mels))
  images = numbers.normal(size=(2, *patch)).astype(np.float32)
  yield ids, audio.astype(np.int32), images


@functools.partial(
  jax.jit, static_argnames=("cfg", "audio_token", "image_token")
)
def _logits(params, ids, audio, images, *, cfg, audio_token, image_token):
  return language.logits(
    params,
    ids,
    audio,
    images,
    cfg=cfg,
    audio_token=audio_token,
    image_token=image_token,
  )


def _fill(
  cfg: config.InteractionConfig,
  tensors: Tensors,
  found: Mapping[inkling_names.Path, inkling_names.Source],
  seed: int,
) -> tuple[Params, tuple[str, ...]]:
  """Every parameter from its tensor, and those without one drawn."""
  draw = functools.partial(interaction.init, cfg=cfg)
  shapes = _flat(jax.eval_shape(draw, jax.random.key(seed)))
  new = tuple(sorted(shapes.keys() - found.keys()))
  flat: dict[inkling_names.Path, Any] = {}
  for path, source in found.items():
    array = source.layout(tensors[source.name])
    want = shapes[path]
    if array.shape != want.shape:
      raise ValueError(
        f"{source.name} gives {'/'.join(path)} the shape {array.shape}; "
        f"config.json asks for {want.shape}."
      )
    flat[path] = jnp.array(array, want.dtype)
  drawn = _flat(interaction.init(jax.random.key(seed), cfg=_bare(cfg, new)))
  flat |= {path: drawn[path] for path in new}
  # Memory that did not suffice is told here, not where an array is first read.
  params = jax.block_until_ready(_nested(flat))
  return params, tuple("/".join(path) for path in new)


def _bare(
  cfg: config.InteractionConfig, new: tuple[inkling_names.Path, ...]
) -> config.InteractionConfig:
  """The same model with next to nothing of what Inkling has.

  What it lacks depends on none of that, and is drawn without the rest.
  """
  heads = config.AttentionConfig(1, 1, 1, 1)
  backbone = config.BackboneConfig(
    width=cfg.backbone.width,
    num_layers=1,
    global_layers=(),
    dense_layers=(0,),
    dense_width=1,
    window_attention=heads,
    global_attention=heads,
    experts=config.ExpertConfig(1, 1, 1, 1),
  )
  bare = dataclasses.replace(
    cfg, backbone=backbone, text=config.TextConfig(1, 1)
  )
  if any(path[:2] in _TOWERS for path in new):
    return bare
  return dataclasses.replace(
    bare,
    audio=dataclasses.replace(cfg.audio, num_mels=1, num_levels=2),
    video=dataclasses.replace(cfg.video, patch=1, frames=1, num_layers=1),
  )


def _flat(tree: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
  if not isinstance(tree, Mapping):
    return {path: tree}
  return {
    inner: leaf
    for key, node in tree.items()
    for inner, leaf in _flat(node, (*path, key)).items()
  }


def _nested(flat: Mapping[tuple[str, ...], Any]) -> Params:
  tree: Params = {}
  for path, leaf in flat.items():
    node = tree
    for key in path[:-1]:
      node = node.setdefault(key, {})
    node[path[-1]] = leaf
  return tree


def _in_range(name: str, values: np.ndarray, size: int) -> None:
  values = np.asarray(values)
  if values.size and not (values.min() >= 0 and values.max() < size):
    raise ValueError(
      f"{name} holds {values.min()} to {values.max()}; 0 to {size - 1} "
      "are possible."
    )
