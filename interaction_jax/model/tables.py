"""Tables of tokens made anew: rows that are known, and rows that are not."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from interaction_jax.core.params import Params


def remade(
  params: Params, rows: Int[Array, " V"], key: Key[Array, ""]
) -> Params:
  """Gives a model other text tables, made of the rows of its own.

  Rows without a source are drawn: to be read, as large as those carried; to be
  written, close to their mean. Its logit then is about the mean of all logits,
  so that a new token neither takes probability from the others nor needs to be
  learned from far below.

  Args:
    rows: the old row of every new one; -1 where there is none.

  Reference: Hewitt 2021, "Initializing new word embeddings for pretrained
  language models", for the mean.
  """
  for_in, for_out = jax.random.split(key)
  embed, heads = params["embed"], params["heads"]
  table_in = _carried(embed["text"]["table"], rows, for_in, centred=False)
  table_out = _carried(heads["text"]["table"], rows, for_out, centred=True)
  return params | {
    "embed": embed | {"text": embed["text"] | {"table": table_in}},
    "heads": heads | {"text": heads["text"] | {"table": table_out}},
  }


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
