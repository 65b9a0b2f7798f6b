"""Weights of one model as the beginning of another one.

A model that is to read and write another vocabulary keeps what it knows of
the tokens that both have, whatever their numbers are. The names of tokens,
not their ids, say which those are: their bytes, or what a control is called.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from interaction_jax.core import settings, sharding
from interaction_jax.core.checkpoint import Checkpoint
from interaction_jax.core.params import Params
from interaction_jax.model import config, interaction
from interaction_jax.turns import vocabulary as vocabularies
from interaction_jax.turns.vocabulary import Vocabulary


def fitted(
  loaded: Checkpoint,
  words: Vocabulary,
  key: Key[Array, ""],
  *,
  cfg: config.InteractionConfig,
) -> Params:
  """The weights of a checkpoint, for a model that is set up as `cfg` says.

  Where the checkpoint has another tokenizer, or tables of other sizes, its
  tables are made anew by `vocabulary`. A checkpoint without a tokenizer is
  taken to have the same one.

  Args:
    words: of the new model.
    key: for rows that the old model does not have.

  Raises:
    ValueError: anything but the text tables is of another shape.
  """
  params = interaction.complete(loaded.params)
  if loaded.tokenizer is not None:
    plain = loaded.config.get("model", loaded.config)
    text = settings.from_dict(config.TextConfig, plain["text"])
    old = _words(loaded.tokenizer, text)
    if not _same(old, text, words, cfg.text):
      params = vocabulary(
        params, old, words, key, cfg=cfg, old_size=text.vocab_size
      )
  _check_shapes(params, cfg)
  return params


def vocabulary(
  params: Params,
  old: Vocabulary,
  new: Vocabulary,
  key: Key[Array, ""],
  *,
  cfg: config.InteractionConfig,
  old_size: int | None = None,
) -> Params:
  """Gives a model another vocabulary: both text tables are made anew.

  Rows of tokens with the same name are carried over. The others are drawn: to
  be read, as large as those carried; to be written, close to their mean. Its
  logit then is about the mean of all logits, so that a new token neither
  takes probability from the others nor needs to be learned from far below.

  Args:
    cfg: of the new model; its `text.table_size` is the size of the tables.
    old_size: tokens that had a logit in the old model; above them lie rows
      that were never trained. None: all that `old` names.

  Raises:
    ValueError: the tables of `cfg` have no room for `new`.

  Reference: Hewitt 2021, "Initializing new word embeddings for pretrained
  language models", for the mean.
  """
  rows = _rows(old, new, cfg.text.table_size, old_size)
  for_in, for_out = jax.random.split(key)
  embed, heads = params["embed"], params["heads"]
  table_in = _carried(embed["text"]["table"], rows, for_in, centred=False)
  table_out = _carried(heads["text"]["table"], rows, for_out, centred=True)
  return params | {
    "embed": embed | {"text": embed["text"] | {"table": table_in}},
    "heads": heads | {"text": heads["text"] | {"table": table_out}},
  }


def _rows(
  old: Vocabulary, new: Vocabulary, size: int, old_size: int | None
) -> Int[np.ndarray, " V"]:
  """The old row of every new one; -1 where there is none."""
  known = {
    name: token
    # The first of several tokens with one name wins.
    for token, name in reversed(old.names().items())
    if old_size is None or token < old_size
  }
  names = new.names()
  if max(names) >= size:
    raise ValueError(
      f"text.table_size={size} has no room for the new vocabulary; "
      f"{max(names) + 1} rows would do."
    )
  rows = np.full(size, -1, np.int32)
  for token, name in names.items():
    rows[token] = known.get(name, -1)
  if (rows < 0).all():
    raise ValueError(
      "the two vocabularies have no token in common; a checkpoint with a "
      "byte-level tokenizer is wanted."
    )
  return rows


@jax.jit(static_argnames="centred")
def _carried(
  table: Float[Array, "_ D"],
  rows: Int[Array, " V"],
  key: Key[Array, ""],
  *,
  centred: bool,
) -> Float[Array, "V D"]:
  """The rows of `table` that `rows` names; the others are drawn."""
  has = (rows >= 0)[:, None]
  kept = jnp.where(has, table[rows].astype(jnp.float32), 0.0)
  count = has.sum()
  noise = jax.random.normal(key, kept.shape)
  if centred:
    mean = kept.sum(axis=0) / count
    spread = jnp.where(has, kept - mean, 0.0)
    # A tenth: enough to tell new tokens apart.
    noise = mean + 0.1 * noise * _rms(spread, count)
  else:
    noise = noise * _rms(kept, count)
  return jnp.where(has, kept, noise).astype(table.dtype)


def _rms(kept: Float[Array, "V D"], count: Int[Array, ""]) -> Float[Array, ""]:
  """The root mean square of `count` rows; the others are 0."""
  return jnp.sqrt(jnp.square(kept).sum() / (count * kept.shape[1]))


def _words(tokenizer: bytes, text: config.TextConfig) -> Vocabulary:
  """The vocabulary of a checkpoint; a language model has no controls."""
  if text.first_control is not None:
    return vocabularies.parse(
      tokenizer, table_size=text.table_size, first_control=text.first_control
    )
  # Above all that is real, and so carried nowhere.
  return vocabularies.parse(
    tokenizer,
    table_size=text.table_size + len(vocabularies.Control),
    first_control=text.table_size,
  )


def _same(
  old: Vocabulary,
  old_text: config.TextConfig,
  new: Vocabulary,
  new_text: config.TextConfig,
) -> bool:
  sizes = dataclasses.replace(old_text, logit_divisor=new_text.logit_divisor)
  return sizes == new_text and old.names() == new.names()


def _check_shapes(params: Params, cfg: config.InteractionConfig) -> None:
  """Raises unless these are the parameters of a model of `cfg`."""
  wanted = sharding.by_name(
    jax.eval_shape(lambda key: interaction.init(key, cfg=cfg),
                   jax.random.key(0))
  )  # fmt: skip
  found = sharding.by_name(params)
  missing = sorted(wanted.keys() - found.keys())
  unknown = sorted(found.keys() - wanted.keys())
  if missing or unknown:
    raise ValueError(
      f"the checkpoint is of another model: missing {missing[:8]}, unknown "
      f"{unknown[:8]}."
    )
  for name, leaf in wanted.items():
    if found[name].shape != leaf.shape:
      raise ValueError(
        f"the checkpoint is of another model: {name} has the shape "
        f"{found[name].shape}, wanted is {leaf.shape}."
      )
