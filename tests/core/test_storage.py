import functools
import gc
import logging

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.core import storage


def _wanted(params):
  place = jax.sharding.SingleDeviceSharding(jax.devices()[0])
  return jax.tree.map(
    lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=place), params
  )


def test_what_is_donated_meanwhile_is_written_as_it_was(tmp_path):
  params = {"a": {"b": jnp.arange(300_000.0)}, "c": jnp.ones(5, jnp.bfloat16)}
  expected = jax.tree.map(np.array, params)
  wanted = _wanted(params)
  finish = storage.begin(tmp_path / "x", params)
  double = functools.partial(jax.tree.map, lambda x: 2 * x)
  after = jax.jit(double, donate_argnums=0)(params)
  # Whether XLA writes into a buffer that others still hold, or takes another
  # one, is up to it; what was given up is gone in either case.
  jax.block_until_ready(after)
  for leaf in jax.tree.leaves(params):
    leaf.delete()
  finish()
  found = storage.read(tmp_path / "x", wanted)
  for one, other, new in zip(
    *map(jax.tree.leaves, (expected, found, after)), strict=True
  ):
    assert one.tobytes() == np.asarray(other).tobytes()
    np.testing.assert_array_equal(2 * one, new)


def test_shards_larger_than_what_may_be_held_are_written(tmp_path):
  params = {"a": jnp.arange(300_000.0), "b": np.ones(7, np.float32)}
  storage.begin(tmp_path / "x", params, held_bytes=1000)()
  found = storage.read(tmp_path / "x", _wanted(params))
  np.testing.assert_array_equal(found["a"], params["a"])
  np.testing.assert_array_equal(found["b"], params["b"])


@pytest.mark.parametrize("what", ["file", "nothing"])
def test_what_cannot_be_read_is_told_in_a_line(tmp_path, what, caplog):
  params = {"a": jnp.arange(7.0)}
  storage.begin(tmp_path / "x", params)()
  if what == "file":
    for file in (tmp_path / "x").rglob("*"):
      if file.is_file() and "/d/" in file.as_posix():
        file.write_bytes(b"")
  else:
    (tmp_path / "x").rename(tmp_path / "y")
  with pytest.raises(
    ValueError, match=r"x: the arrays cannot be read: \S"
  ) as e:
    storage.read(tmp_path / "x", _wanted(params))
  assert len(str(e.value)) < 500
  assert not caplog.records


def test_what_others_log_passes(tmp_path, caplog):
  finish = storage.begin(tmp_path / "x", {"a": jnp.arange(7.0)})
  with caplog.at_level(logging.INFO, "absl"), storage._quiet():
    logging.getLogger("absl").warning("mine")
  finish()
  assert "mine" in caplog.text
  assert not logging.getLogger("absl").filters


LATE = """
import asyncio

async def fail():
  raise ValueError("tensorstore_spec")

async def main():
  task = asyncio.ensure_future(fail())
  await asyncio.sleep(0)
  await asyncio.sleep(0)

def late():
  loop = asyncio.new_event_loop()
  loop.run_until_complete(main())
  loop.close()
"""


@pytest.mark.parametrize("whose", ["orbax", "mine"])
def test_what_fails_behind_what_was_told_is_not_told(tmp_path, whose, caplog):
  with pytest.raises(ValueError, match="the arrays cannot be read"):
    storage.read(tmp_path / "x", _wanted({"a": jnp.arange(7.0)}))
  # Tasks of Orbax that nobody asks any more, long after it has been left.
  names = {}
  exec(compile(LATE, f"/site/{whose}/checkpoint/handler.py", "exec"), names)
  names["late"]()
  gc.collect()
  assert ("never retrieved" in caplog.text) == (whose == "mine")
