"""The model read as a plain multimodal language model.

One sequence and no turns: text tokens, with placeholders where embedded audio
frames and image patches take their place. It is the form in which foreign
weights come and in which they are compared.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from interaction_jax.core.params import Params
from interaction_jax.model import config, interaction
from interaction_jax.model.backbone.memory import BackboneMemory, Kind


def logits(
  params: Params,
  ids: Int[Array, "B T"],
  audio: Int[Array, "_ M"] | None = None,
  images: Float[Array, "P _ _ _ C"] | None = None,
  *,
  cfg: config.InteractionConfig,
  audio_token: int,
  image_token: int,
) -> Float[Array, "B T V"]:
  """Logits of the next token at every position.

  Args:
    ids: with `audio_token` for each frame and `image_token` for each patch,
      which are filled in order, row by row.
    audio: dMel levels, one row a frame.
    images: normalised patches, each frames x rows x columns x colours.
  """
  model = interaction.bind(params, cfg=cfg)
  x = _embed(model, ids, audio, images, audio_token, image_token)
  everything = jnp.ones(ids.shape, bool)
  kind = jnp.full(ids.shape, Kind.TEXT, jnp.int32)
  return model.heads.text(model.backbone.episode(x, kind, everything).hidden)


def append(
  params: Params,
  past: BackboneMemory,
  ids: Int[Array, "B T"],
  real: Bool[Array, "B T"],
  *,
  cfg: config.InteractionConfig,
) -> tuple[BackboneMemory, Float[Array, "B T V"]]:
  """The same, for the next tokens of sequences that are remembered.

  Args:
    real: False for padding, which must lie behind everything real.
  """
  model = interaction.bind(params, cfg=cfg)
  kind = jnp.full(ids.shape, Kind.TEXT, jnp.int32)
  x = model.embed.text(ids)
  x, past = model.backbone.stream(x, kind, real, past)
  return past, model.heads.text(x)


def check_placeholders(
  ids: np.ndarray, name: str, token: int, given: int
) -> None:
  """Raises unless `ids` holds one placeholder for each thing given.

  Raises:
    ValueError: the two numbers differ.
  """
  wanted = int((np.asarray(ids) == token).sum())
  if wanted != given:
    raise ValueError(
      f"ids hold {wanted} {name} placeholders (token {token}) but {given} "
      f"{name} rows were given; the two must be equal."
    )


def _embed(model, ids, audio, images, audio_token, image_token):
  x = model.embed.text(ids)
  if images is not None:
    x = _fill(x, ids == image_token, model.embed.video(images))
  if audio is not None:
    x = _fill(x, ids == audio_token, model.embed.audio(audio[None])[0])
  return x


def _fill(
  x: Float[Array, "B T D"], mask: Bool[Array, "B T"], rows: Float[Array, "I D"]
) -> Float[Array, "B T D"]:
  """Puts `rows`, in order, where `mask` is true."""
  index = jnp.cumsum(mask.reshape(-1)) - 1
  index = jnp.clip(index, 0, rows.shape[0] - 1).reshape(mask.shape)
  return jnp.where(mask[..., None], rows[index].astype(x.dtype), x)
