"""Weights of one model as the beginning of another one.

A model that is to read and write another vocabulary keeps what it knows of
the tokens that both have, whatever their numbers are. The names of tokens,
not their ids, say which those are: their bytes, or what a control is called.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, Key

from interaction_jax.core import settings, sharding
from interaction_jax.core.checkpoint import Checkpoint
from interaction_jax.core.params import Params
from interaction_jax.model import config, interaction, tables
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

  Rows of tokens with the same name are carried over; the others are drawn, as
  `model/tables.py` says.

  Args:
    cfg: of the new model; its `text.table_size` is the size of the tables.
    old_size: tokens that had a logit in the old model; above them lie rows
      that were never trained. None: all that `old` names.

  Raises:
    ValueError: the tables of `cfg` have no room for `new`.
  """
  rows = _rows(old, new, cfg.text.table_size, old_size)
  return tables.remade(params, jnp.asarray(rows), key)


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
