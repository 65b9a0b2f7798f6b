import json
import struct

import numpy as np
import pytest

from interaction_jax.train import metrics
from interaction_jax.train.metrics import Metrics

TOLD = {
  "total": np.float32(2.5),
  "text": np.float32(1.25),
  "gate": np.float32(0.25),
  "flow": np.float32(1.0),
  "positions": np.float32(300),
  "dropped": np.int32(3),
  "load": np.asarray([[1, 3, 2], [4, 4, 4]], np.float32),
  "skipped": np.int32(2),
}


def line(step, **changes):
  return metrics.line(step, TOLD | changes, seconds=2.0, waited=0.5, mfu=0.25)


def test_a_line_says_all_there_is():
  assert line(7) == {
    "step": 7,
    "loss": 2.5,
    "loss/text": 1.25,
    "loss/gate": 0.25,
    "loss/flow": 1.0,
    "positions": 300,
    "dropped": 3,
    "tokens_per_s": 150.0,
    "seconds": 2.0,
    "waited": 0.5,
    "mfu": 0.25,
    "load/busiest": 1.5,
    "skipped": 2,
  }


def test_a_model_without_experts_has_no_busiest():
  assert line(0, load=np.zeros((0, 4), np.float32))["load/busiest"] == 1.0


def test_every_digit_is_kept(tmp_path):
  total = np.float32(1) / np.float32(3)
  with Metrics(tmp_path, 0) as record:
    record.write(line(0, total=total))
    # Not only when the file is closed.
    found = json.loads((tmp_path / metrics.NAME).read_text())
  assert np.float32(found["loss"]) == total


def test_what_comes_again_is_written_once(tmp_path):
  with Metrics(tmp_path, 0) as record:
    for step in range(5):
      record.write(line(step))
  with Metrics(tmp_path, 3) as record:
    record.write(line(3, total=np.float32(9)))
  found = [
    json.loads(one)
    for one in (tmp_path / metrics.NAME).read_text().split("\n")[:-1]
  ]
  assert [one["step"] for one in found] == [0, 1, 2, 3]
  assert found[3]["loss"] == 9
  assert [path.name for path in tmp_path.iterdir()] == [metrics.NAME]


@pytest.mark.parametrize(
  ("first", "left"),
  [(0, ""), (1, "one\n"), (2, "one\ntwo\n"), (3, "one\ntwo\n")],
)
def test_lines_that_come_again_are_forgotten(tmp_path, first, left):
  path = tmp_path / metrics.NAME
  metrics.forget(path, first)
  assert not path.exists()
  path.write_text("one\ntwo\nthr")
  metrics.forget(path, first)
  assert path.read_text() == left
  assert list(tmp_path.iterdir()) == [path]


def test_tensorboard_has_every_number(tmp_path):
  with Metrics(tmp_path, 0, tensorboard=True) as record:
    record.write(line(4) | {"mfu": None})
  (file,) = (tmp_path / metrics.BOARD).iterdir()
  found = {}
  for event in events(file.read_bytes()):
    for value in event.summary.value:
      found[value.tag] = (event.step, value.simple_value)
  expected = {name: (4, value) for name, value in line(4).items()}
  del expected["step"], expected["mfu"]
  assert found == expected


def events(content):
  """Length, its checksum, an event, its checksum; and so on."""
  from tensorboardX.proto import event_pb2

  at = 0
  while at < len(content):
    (length,) = struct.unpack_from("<Q", content, at)
    event = event_pb2.Event()
    event.ParseFromString(content[at + 12 : at + 12 + length])
    yield event
    at += length + 16
