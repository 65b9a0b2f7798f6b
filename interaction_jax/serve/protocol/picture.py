"""Pictures on the wire: JPEG, PNG or WebP, in base64 or as a data URI."""

import base64
import binascii
import io
from typing import Final

import numpy as np
from jaxtyping import UInt8

from interaction_jax.serve.protocol.message import Refusal

_FORMATS: Final = ("JPEG", "PNG", "WEBP")

_LONGEST: Final = 4096
"""Pixels of a side; a picture says its size before it is unpacked."""

_NEEDED: Final = 1024
"""Pixels of a side, about, that a JPEG is unpacked to: more is never seen."""


def decode(
  text: str, *, most_bytes: int, param: str = "image"
) -> UInt8[np.ndarray, "_ _ 3"]:
  """Unpacks a picture; large ones take a while.

  Args:
    most_bytes: that it may have, packed.
    param: what the field is called where it is refused.

  Raises:
    Refusal: it is none, or too large.
  """
  if text.startswith("data:"):
    head, _, text = text.partition(",")
    if not head.endswith(";base64"):
      raise Refusal(
        "invalid_value", f"{param} is a data URI without base64.", param
      )
  if len(text) * 3 // 4 > most_bytes:
    raise Refusal(
      "invalid_value",
      f"{param} has about {len(text) * 3 // 4} bytes; {most_bytes} are the "
      "most.",
      param,
    )
  try:
    content = base64.b64decode(text, validate=True)
  except (binascii.Error, ValueError):
    raise Refusal("invalid_value", f"{param} is not base64.", param) from None
  return _unpack(content, param)


def _unpack(content: bytes, param: str) -> UInt8[np.ndarray, "_ _ 3"]:
  from PIL import Image

  try:
    with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
      if max(image.size) > _LONGEST:
        wide, tall = image.size
        raise Refusal(
          "invalid_value",
          f"{param} has {wide}x{tall} pixels; {_LONGEST} a side are the most.",
          param,
        )
      image.draft("RGB", (_NEEDED, _NEEDED))
      return np.asarray(image.convert("RGB"))
  except (
    # What Pillow raises for files that are none, or are damaged.
    OSError,
    SyntaxError,
    ValueError,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
  ):
    raise Refusal(
      "invalid_value",
      f"{param} is no JPEG, PNG or WebP that can be read.",
      param,
    ) from None
