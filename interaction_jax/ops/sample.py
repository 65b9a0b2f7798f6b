"""Drawing tokens, each row by itself."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key


def token(
  keys: Key[Array, " B"],
  logits: Float[Array, "B V"],
  allowed: Bool[Array, " V"],
  *,
  temperature: float,
) -> Int[Array, " B"]:
  """Draws a token for every row from its own key.

  Args:
    allowed: tokens that may be written at all.
    temperature: 0 takes the likeliest.
  """
  logits = jnp.where(allowed, logits, -jnp.inf)
  if temperature > 0:
    noise = jax.vmap(lambda key: jax.random.gumbel(key, logits.shape[1:]))
    logits = logits / temperature + noise(keys)
  return jnp.argmax(logits, axis=-1).astype(jnp.int32)


def decision(
  keys: Key[Array, " B"], logits: Float[Array, " B"], *, temperature: float
) -> Bool[Array, " B"]:
  """Draws yes or no for every row from its own key.

  P(yes) = sigmoid(logit / temperature).

  Args:
    temperature: 0 takes the likelier.
  """
  if temperature > 0:
    logits = logits + temperature * jax.vmap(jax.random.logistic)(keys)
  return logits > 0
