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
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from jax.sharding import Mesh

from interaction_jax.convert import (
  inkling_config,
  inkling_names,
  inkling_weights,
)
from interaction_jax.convert.tensors import Tensors
from interaction_jax.core import checkpoint, settings, sharding
from interaction_jax.core.params import Params
from interaction_jax.model import config, language, tables
from interaction_jax.turns.vocabulary import Control

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
    ids: npt.ArrayLike,
    audio: npt.ArrayLike | None = None,
    images: npt.ArrayLike | None = None,
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
    ids, audio, images = self._checked(ids, audio, images)
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

  def _checked(
    self, ids: Any, audio: Any, images: Any
  ) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """The inputs as arrays, None for no rows at all, if they make sense."""
    ids = np.asarray(ids)
    if ids.ndim != 2 or not ids.size or not _whole(ids):
      raise ValueError(
        f"ids has the shape {ids.shape} and the type {ids.dtype}; integers, "
        "a row for each sequence, are wanted."
      )
    _in_range("ids", ids, self.cfg.text.table_size)
    sound, video = self.cfg.audio, self.cfg.video
    patch = (video.frames, video.patch, video.patch, video.channels)
    media: list[np.ndarray | None] = []
    for name, token, given, shape in (
      ("audio", self.source.audio_token, audio, (sound.num_mels,)),
      ("image", self.source.image_token, images, patch),
    ):
      rows = None if given is None else np.asarray(given)
      media.append(rows if rows is not None and len(rows) else None)
      if rows is None:
        continue
      if not self.source.multimodal:
        raise ValueError(
          f"{name} was given, but this checkpoint reads text alone."
        )
      if rows.shape[1:] != shape:
        raise ValueError(
          f"{name} has the shape {rows.shape}; rows of {shape} are wanted."
        )
      language.check_placeholders(ids, name, token, len(rows))
    audio, images = media
    if audio is not None:
      if not _whole(audio):
        raise ValueError(
          f"audio has the type {audio.dtype}; levels are integers."
        )
      _in_range("audio", audio, sound.num_levels)
    return ids, audio, images


def load(
  directory: str | Path,
  *,
  dtype: str = "float32",
  seed: int = 0,
  mesh: Mesh | str | None = None,
) -> Imported:
  """Reads a checkpoint in the format of Hugging Face.

  Each part of a weight goes from its file to the devices that hold it, and a
  process reads what its own devices need. Beyond the weights themselves that
  takes less than a gigabyte of memory, however large they are.

  Args:
    directory: holds `config.json` and safetensors, in shards or whole.
    dtype: of the parameters.
    seed: for the parts of an interaction model that Inkling lacks.
    mesh: on which the parameters lie, one of `configs/meshes.py` by its name,
      or a line such as `"expert=4"`; None: one device.

  Raises:
    FileNotFoundError: a file is missing.
    ValueError: a tensor is missing or has another shape than the
      configuration asks for, or the mesh does not fit.
  """
  if isinstance(mesh, str):
    mesh = sharding.mesh(settings.mesh_line(mesh))
  found = inkling_weights.survey(directory, dtype=dtype)
  params, new = inkling_weights.filled(found, seed=seed, mesh=mesh)
  return Imported(params, found.cfg, found.source, new, found.unused)


def convert(
  source: str | Path,
  target: str | Path,
  *,
  overwrite: bool = False,
  mesh: Mesh | str | None = None,
) -> dict[str, Any]:
  """Writes our checkpoint of an Inkling one, and reports how the two agree.

  Weights keep the dtype they are stored in, and control tokens are added.
  `target` also gets the report, as `report.json`, and the tokenizer if there
  is one; with a tokenizer it is a model that can talk. Agreement is measured
  where `transformers` is installed and three copies of the weights in
  float32, theirs, ours and room to work, fit half of this machine's memory.
  Where several processes share the mesh, every one of them calls this.

  Args:
    overwrite: whether a checkpoint at `target` is replaced.
    mesh: on which the weights lie in the meantime, as for `load`.

  Returns:
    `max_abs_logit_diff` and `largest_logit` over random sequences, with
    audio and images where the model takes them; `reference`, what it was
    compared with, or None and a `reason`; `new_parts`, `missing`, `unused`.

  Raises:
    FileExistsError: `target` is taken.
    OSError: it cannot be written there.
    FileNotFoundError, ValueError: as `load`.
  """
  target = Path(target)
  checkpoint.check_free(target, overwrite=overwrite)
  tokenizer = _tokenizer(source)
  num_tokens = _num_tokens(tokenizer)
  imported = load(source, dtype=_stored_dtype(source), mesh=mesh)
  agreement = _parity(imported, source)
  whole = with_controls(imported, num_tokens=num_tokens)
  print(f"drawn afresh: {', '.join(whole.new_parts)}", file=sys.stderr)
  report = {
    **agreement,
    "new_parts": list(whole.new_parts),
    # A checkpoint that lacks something is refused, so nothing can be missing.
    "missing": [],
    "unused": list(whole.unused),
  }
  checkpoint.save(
    target,
    whole.params,
    config={"model": settings.to_dict(whole.cfg)},
    tokenizer=tokenizer,
    overwrite=overwrite,
  )
  if jax.process_index() == 0:
    draft = target / ".report.json"
    draft.write_text(json.dumps(report, indent=2) + "\n")
    draft.rename(target / "report.json")
  return report


def with_controls(
  imported: Imported, *, num_tokens: int = 0, seed: int = 0
) -> Imported:
  """The same model with control tokens, so that it has turns.

  They take the padding of the vocabulary, whose rows were never trained and
  are drawn anew. Where the padding has no room, the tables grow.

  Args:
    num_tokens: ids up to the last one of the tokenizer; controls lie above.
    seed: of the rows drawn.
  """
  text = imported.cfg.text
  first = max(text.vocab_size, num_tokens)
  last = first + len(Control)
  size = text.table_size
  if last > size:
    # As many as meshes divide.
    size = -(-last // 64) * 64
  rows = np.arange(size)
  rows[text.vocab_size :] = -1
  params = tables.remade(
    imported.params, jnp.asarray(rows, jnp.int32), jax.random.key(seed)
  )
  # Tables lie where they lay, and are not as the program left them.
  for part in ("embed", "heads"):
    held = params[part]["text"]
    place = imported.params[part]["text"]["table"].sharding
    held["table"] = jax.device_put(held["table"], place)
  text = dataclasses.replace(
    text, table_size=size, vocab_size=last, first_control=first
  )
  drawn = tuple(
    f"{table}[{imported.cfg.text.vocab_size}:{size}]"
    for table in ("embed/text/table", "heads/text/table")
  )
  return dataclasses.replace(
    imported,
    params=params,
    cfg=dataclasses.replace(imported.cfg, text=text),
    new_parts=tuple(sorted((*imported.new_parts, *drawn))),
  )


def _tokenizer(directory: str | Path) -> bytes | None:
  """What `tokenizer.json` holds, if there is one."""
  path = Path(directory) / "tokenizer.json"
  return path.read_bytes() if path.exists() else None


def _num_tokens(tokenizer: bytes | None) -> int:
  """Ids up to the last one that a tokenizer gives to a token.

  Raises:
    ValueError: it is no tokenizer.
  """
  if tokenizer is None:
    return 0
  try:
    plain = json.loads(tokenizer)
    words = plain["model"]["vocab"]
    # Some kinds number their words by their order.
    ids = list(words.values()) if isinstance(words, dict) else range(len(words))
    ids = [*ids, *(one["id"] for one in plain.get("added_tokens") or ())]
    return max(ids, default=-1) + 1
  except (AttributeError, KeyError, TypeError, ValueError) as error:
    raise ValueError(
      f"tokenizer.json is not that of a tokenizer: "
      f"{type(error).__name__}: {error}."
    ) from error


def _stored_dtype(directory: str | Path) -> str:
  """The dtype of the text table, which is that of all large tensors."""
  source = inkling_config.read(directory)
  tensors = Tensors(directory)
  found = inkling_names.resolve(inkling_names.sources(source.model), tensors)
  table = found.get(("embed", "text", "table"))
  # Without a table `load` will say what is missing.
  stored = "" if table is None else str(tensors[table.name].dtype)
  return stored if stored in ("bfloat16", "float16") else "float32"


def _parity(imported: Imported, directory: str | Path) -> dict[str, Any]:
  """How far our logits are from those of `transformers`."""

  def unknown(reason: str) -> dict[str, Any]:
    nothing = dict.fromkeys(("max_abs_logit_diff", "largest_logit"))
    return {**nothing, "reference": None, "reason": reason}

  if jax.process_count() > 1:
    return unknown("several processes hold the weights, none of them all")
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


def _whole(values: np.ndarray) -> bool:
  return np.issubdtype(values.dtype, np.integer)


def _in_range(name: str, values: np.ndarray, size: int) -> None:
  if values.size and not (values.min() >= 0 and values.max() < size):
    raise ValueError(
      f"{name} holds {values.min()} to {values.max()}; 0 to {size - 1} "
      "are possible."
    )
