"""A film for tests."""

import av
import numpy as np


def film(path, *, sound=True, rate=10, size=(48, 64), num=12):
  """Pictures that grow lighter, and a hum; what it holds stands in front."""
  path.parent.mkdir(parents=True, exist_ok=True)
  front = {"movflags": "faststart"}
  with av.open(str(path), "w", options=front) as container:
    stream = container.add_stream("mpeg4", rate=rate)
    stream.height, stream.width = size
    stream.pix_fmt = "yuv420p"
    hum = container.add_stream("aac", rate=16_000) if sound else None
    for number in range(num):
      pixels = np.full((*size, 3), 15 * number, np.uint8)
      frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
      container.mux(stream.encode(frame))
    container.mux(stream.encode())
    if hum is not None:
      t = np.arange(round(16_000 * num / rate)) / 16_000
      tone = (9000 * np.sin(2 * np.pi * 300 * t)).astype(np.int16)
      frame = av.AudioFrame.from_ndarray(
        tone[None], format="s16", layout="mono"
      )
      frame.sample_rate = 16_000
      container.mux(hum.encode(frame))
      container.mux(hum.encode())
