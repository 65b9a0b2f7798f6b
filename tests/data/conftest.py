"""A small bank, made once for all tests, and a conversation with everything."""

import numpy as np
import pytest

from interaction_jax.data.record import Record, TextIn, TextOut
from interaction_jax.data.synthetic import recorder


@pytest.fixture(scope="session")
def bank(tmp_path_factory):
  path = tmp_path_factory.mktemp("bank") / "bank"
  return recorder.make(
    path, seed=1, num_clips=500, num_shards=2, num_workers=2, num_voices=3
  )


@pytest.fixture
def conversation():
  """A record of six turns and a quarter, with something in every stream."""
  rng = np.random.default_rng(3)
  turn = 3200

  def sound():
    return (rng.integers(-9000, 9000, 20000) / 32768).astype(np.float32)

  return Record(
    heard=sound(),
    voice=sound(),
    speech=((500, 3 * turn + 500), (3 * turn + 900, 20000)),
    frames=rng.integers(0, 256, (3, 6, 5, 3), np.uint8),
    frame_times=np.array([1600, 2 * turn + 600, 5 * turn + 7]),
    text_in=(
      TextIn(0, "instruction", "be brief"),
      TextIn(2 * turn + 100, "user", "hello"),
      TextIn(6 * turn, "background", "22 degrees"),
    ),
    text_out=(
      TextOut(turn, "say", " one"),
      TextOut(4 * turn - 9, "say", " two"),
      TextOut(6 * turn + 50, "show", " three"),
    ),
    background=({"at": 2 * turn + 700, "kind": "done", "job": "a"},),
    labels=({"scenario": "sums", "start": 0.4},),
    lost=((turn, 2 * turn + 300),),
    lost_frames=(800, 4 * turn),
    source="a test",
  )
