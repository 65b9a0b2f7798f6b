import base64
import io

import numpy as np
import pytest
from PIL import Image

from interaction_jax.serve.protocol import picture
from interaction_jax.serve.protocol.message import Refusal


def packed(kind="JPEG", size=(40, 30), colour=(200, 40, 10)):
  file = io.BytesIO()
  Image.new("RGB", size, colour).save(file, kind)
  return base64.b64encode(file.getvalue()).decode()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("head", ["", "data:image/x;base64,"], ids=["", "uri"])
def test_pictures_are_unpacked(kind, head):
  pixels = picture.decode(head + packed(kind), most_bytes=10_000)
  assert pixels.shape == (30, 40, 3) and pixels.dtype == np.uint8
  assert np.abs(pixels.astype(int) - (200, 40, 10)).max() < 8


def test_large_ones_are_unpacked_smaller():
  pixels = picture.decode(packed(size=(4000, 3000)), most_bytes=1 << 20)
  assert pixels.shape == (1500, 2000, 3)


@pytest.mark.parametrize(
  ("text", "message"),
  [
    ("data:image/png,abc", "data URI without base64"),
    ("????", "is not base64"),
    (base64.b64encode(b"no picture at all").decode(), "no JPEG, PNG or WebP"),
    (packed()[:200], "no JPEG, PNG or WebP|not base64"),
    (packed("GIF"), "no JPEG, PNG or WebP"),
    (packed("PNG", (4097, 1)), "4097x1 pixels; 4096 a side"),
    ("A" * 20_000, "about 15000 bytes; 10000 are"),
  ],
  ids=["uri", "base64", "other", "cut", "gif", "wide", "heavy"],
)
def test_what_is_none_is_refused(text, message):
  with pytest.raises(Refusal, match=message):
    picture.decode(text, most_bytes=10_000)
