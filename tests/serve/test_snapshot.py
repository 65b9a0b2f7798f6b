import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.serve import snapshot
from interaction_jax.serve.snapshot import Snapshot


@pytest.fixture
def taken():
  return Snapshot(
    fields={"turn": 3, "texts": [[0.5, "é"]]},
    state=(
      np.arange(6, dtype=np.float32).reshape(2, 3),
      np.array([1.5, -2.0], jnp.bfloat16),
      np.array([True, False]),
    ),
    audio=np.linspace(-1, 1, 5, dtype=np.float32),
    frames=(np.full((2, 3, 3), 7, np.uint8),),
  )


def test_a_file_gives_everything_back(taken, tmp_path):
  taken.save(tmp_path / "one.snapshot")
  back = Snapshot.load(tmp_path / "one.snapshot")
  assert back.fields == taken.fields
  for kept, was in (
    *zip(back.state, taken.state, strict=True),
    *zip(back.frames, taken.frames, strict=True),
    (back.audio, taken.audio),
  ):
    assert kept.dtype == was.dtype and kept.tobytes() == was.tobytes()
    assert kept.shape == was.shape


@pytest.mark.parametrize(
  "spoil",
  [lambda c: b"", lambda c: b"no zip at all", lambda c: c[:-40]],
  ids=["empty", "foreign", "cut"],
)
def test_what_is_no_snapshot_is_refused(taken, spoil):
  with pytest.raises(ValueError, match="no snapshot of a session"):
    Snapshot.from_bytes(spoil(taken.to_bytes()))


def test_another_version_is_refused(taken, monkeypatch):
  with monkeypatch.context() as patch:
    patch.setattr(snapshot, "FORMAT", 99)
    content = taken.to_bytes()
  with pytest.raises(ValueError, match="format=99, not 3"):
    Snapshot.from_bytes(content)
