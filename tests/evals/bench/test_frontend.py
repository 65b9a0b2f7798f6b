import numpy as np
import pytest

from interaction_jax.evals.bench import frontend


@pytest.fixture(params=frontend.WORKS, ids=lambda work: work.name)
def work(request):
  return request.param


@pytest.fixture
def heard(work):
  return frontend.sound(work.window - work.hop + 3200, seed=2)


def test_sound_is_sound():
  one, other = frontend.sound(5000), frontend.sound(5000, seed=1)
  assert one.shape == (5000,) and one.dtype == np.float32
  assert np.abs(one).max() <= 1 and one.std() > 0.01
  assert not np.array_equal(one, other)


def test_ours_make_frames_or_levels(work, heard):
  for listen in frontend.ours(work).values():
    made = listen(heard)
    assert made.shape == (3200 // work.hop, 80)
    assert made.dtype == (np.int32 if work.rounded else np.float32)
    assert len(np.unique(made)) > 4


def test_all_front_ends_do_the_same_work(work, heard):
  own = frontend.ours(work)
  others = {name: frontend.peer(name, work) for name in frontend.installed()}
  made = {name: listen(heard) for name, listen in (own | others).items()}
  assert len(made) >= 2
  for name, frames in made.items():
    # Several ways to round float32 sums of 800 terms, after a logarithm; of
    # levels none differs.
    np.testing.assert_allclose(
      frames, made["host"], rtol=0, atol=2e-5, err_msg=name
    )


def test_rows_beside_every_peer():
  peers = frontend.installed()
  rows = frontend.run(rounds=1)
  each = len(frontend.WORKS) * len(frontend.LENGTHS) * 2
  assert len(rows) == each * max(1, len(peers))
  for row in rows:
    assert row["ours_ms"] > 0 and row["n"] >= 1
    assert (row["batch"], row["dtype"]) == (1, "float32")
    if peers:
      assert row["peer"] in peers and row["ratio"] > 0
      # A loud tone, 4,000 times the channels beside it, moves those by its
      # own rounding: 1e-7 x 4,000 / ln 10.
      assert row["max_difference"] <= (1 if "dMel" in row["what"] else 5e-4)
      # Halfway between levels, and there only, may levels differ.
      assert row.get("differing", 0) < 1e-3


def test_rows_without_any_peer():
  rows = frontend.run(rounds=1, peers=())
  assert len({row["what"] for row in rows}) == len(rows) == 8
  assert all(row["peer"] is None and row["ratio"] is None for row in rows)


def test_a_peer_nobody_knows():
  with pytest.raises(ValueError, match="'tensor' is none of: librosa; torch"):
    frontend.run(rounds=1, peers=("tensor",))
