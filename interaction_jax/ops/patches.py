"""Pictures cut into patches of space and time.

Patches lie in reading order, row by row; a patch keeps its frames, rows,
columns and colours apart, as the hMLP folds them step by step.
"""

from typing import Final

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Num

MEAN: Final = (0.48145466, 0.4578275, 0.40821073)
STD: Final = (0.26862954, 0.26130258, 0.27577711)
"""Of red, green and blue from 0 to 1, over the pictures CLIP was trained on.

Reference: Radford et al. 2021, arXiv:2103.00020.
"""

PAD: Final = -1.0
"""Pixel value, on the scale of 0 to 255, where there is no picture."""


def normalize(pixels: Num[Array, "... I"]) -> Float[Array, "... I"]:
  """Centres and scales pixels of 0 to 255, colour by colour.

  y = (x - 255 mean) / (255 std), in float32.
  """
  mean, std = _statistics()
  return (pixels.astype(jnp.float32) - mean) / std


def cut(
  frames: Num[Array, "B _ _ _ _"], *, patch: int
) -> Num[Array, "B P _ _ _ _"]:
  """Cuts frames (time, rows, columns, colours) into patches.

  ```
  rows 2 patches, columns 3 patches     0 1 2
                                        3 4 5
  ```

  Raises:
    ValueError: the canvas is not a multiple of the patch.
  """
  batch, time, rows, columns, colours = frames.shape
  if rows % patch or columns % patch:
    raise ValueError(
      f"frames of {rows} x {columns} pixels are not whole patches of {patch} "
      f"x {patch}; {rows - rows % patch} x {columns - columns % patch} or "
      f"{rows + -rows % patch} x {columns + -columns % patch} would be."
    )
  tall, wide = rows // patch, columns // patch
  shape = (batch, time, tall, patch, wide, patch, colours)
  blocks = frames.reshape(shape).transpose(0, 2, 4, 1, 3, 5, 6)
  return blocks.reshape(batch, tall * wide, time, patch, patch, colours)


def fold(
  x: Num[Array, "*B _ _ _ _"], *, time: int, space: int
) -> Num[Array, "*B _ _ _ _"]:
  """Folds neighbours in time and space into channels.

  ```
  [T, H, W, C] -> [T/time, H/space, W/space, time * space * space * C]
  ```

  The new channels run over time, rows, columns and old channels, the last
  fastest.

  Raises:
    ValueError: `time` or `space` does not divide the grid.
  """
  *batch, frames, rows, columns, channels = x.shape
  if frames % time or rows % space or columns % space:
    raise ValueError(
      f"a grid of {frames} x {rows} x {columns} cannot be folded by "
      f"time={time} and space={space}, which must divide it."
    )
  t, h, w = frames // time, rows // space, columns // space
  blocks = x.reshape(-1, t, time, h, space, w, space, channels)
  blocks = blocks.transpose(0, 1, 3, 5, 2, 4, 6, 7)
  return blocks.reshape(*batch, t, h, w, time * space * space * channels)


def from_image(
  image: Num[np.ndarray, "..."], *, patch: int, frames: int
) -> Float[np.ndarray, "P _ _ _ _"]:
  """Cuts a still picture as Inkling does, repeating it in time.

  ⌈rows / patch⌉ rows of ⌊columns / patch⌋ + 1 patches: a picture whose width
  is a multiple of the patch still gets a last column, of padding alone. The
  padding is added before the pixels are normalised.

  Raises:
    ValueError: not a picture of three colours in uint8.
  """
  if image.ndim != 3 or image.dtype != np.uint8 or image.shape[-1] != 3:
    raise ValueError(
      f"image of shape {image.shape} and dtype {image.dtype} must be rows, "
      "columns and three colours in uint8."
    )
  rows, columns, colours = image.shape
  tall, wide = -(-rows // patch), columns // patch + 1
  canvas = np.full((tall * patch, wide * patch, colours), PAD, np.float32)
  canvas[:rows, :columns] = image
  mean, std = _statistics()
  canvas = (canvas - mean) / std
  blocks = canvas.reshape(tall, patch, wide, patch, colours)
  blocks = blocks.transpose(0, 2, 1, 3, 4)
  stills = blocks.reshape(tall * wide, 1, patch, patch, colours)
  return np.repeat(stills, frames, axis=1)


def _statistics() -> tuple[np.ndarray, np.ndarray]:
  """MEAN and STD on the scale of 0 to 255, rounded as Inkling rounds them."""
  mean, std = np.array([MEAN, STD], np.float32) * np.float32(255)
  return mean, std
