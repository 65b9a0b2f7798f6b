import numpy as np
import pytest
import sphn

FRAME = 1920


@pytest.mark.usefixtures("drawn")
def test_sound_and_text_both_ways(wire):
  client = wire("/api/chat")
  assert client.receive() == b"\x00"
  writer, reader = sphn.OpusStreamWriter(24_000), sphn.OpusStreamReader(24_000)
  rng = np.random.default_rng(0)
  for _ in range(40):
    packed = writer.append_pcm(rng.normal(0, 0.1, FRAME).astype(np.float32))
    client.send(b"\x01" + packed)
  heard, text = 0, b""
  while heard < 12 * FRAME or not text:
    got = client.receive()
    if got[0] == 1:
      pcm = reader.append_bytes(got[1:])
      heard += 0 if pcm is None else len(pcm)
    elif got[0] == 2:
      text += got[1:]
  text.decode()


def test_what_is_none_of_it_is_told(wire):
  client = wire("/api/chat")
  client.receive()
  for sent, answer in (
    ("words", b"Messages are bytes."),
    (b"", b"The message is empty."),
    (b"\x63", b"There is no kind 99."),
    (b"\x01" + b"garbage that is no Ogg" * 9, b"The sound is no Opus"),
  ):
    client.send(sent)
    got = client.receive()
    assert got[0] == 5 and got[1:].startswith(answer)
  client.send(b"\x06")
  client.send(b"\x03\x00")
