import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.model import tables

OLD, NEW, WIDTH = 40, 300, 50
ROWS = np.full(NEW, -1)
ROWS[5:25] = np.arange(20)[::-1]


@pytest.fixture(scope="module")
def params():
  """Tables whose rows are large, those that stay behind far larger."""
  numbers = np.random.default_rng(0)

  def table(spread, mean):
    drawn = mean + spread * numbers.normal(size=(OLD, WIDTH))
    drawn[20:] *= 1000
    return {"table": jnp.asarray(drawn, jnp.float32)}

  return {
    "embed": {"text": table(3.0, 0.0) | {"norm": jnp.ones(WIDTH)}},
    "heads": {"text": table(0.5, 7.0), "gate": {"bias": jnp.zeros(())}},
  }


@pytest.fixture(scope="module")
def remade(params):
  return tables.remade(params, jnp.asarray(ROWS, jnp.int32), jax.random.key(0))


@pytest.mark.parametrize("room", ["embed", "heads"])
def test_rows_with_a_source_keep_their_bits(params, remade, room):
  old = np.asarray(params[room]["text"]["table"])
  new = np.asarray(remade[room]["text"]["table"])
  assert new.shape == (NEW, WIDTH)
  np.testing.assert_array_equal(new[5:25], old[19::-1][:20])


def test_rows_to_be_read_are_as_large_as_those_carried(params, remade):
  old = np.asarray(params["embed"]["text"]["table"])[:20]
  new = np.asarray(remade["embed"]["text"]["table"])[25:]
  sizes = [np.sqrt(np.mean(table**2)) for table in (old, new)]
  # 13,750 draws.
  assert sizes[1] == pytest.approx(sizes[0], rel=0.03)
  assert abs(new.mean()) < 0.1


def test_rows_to_be_written_lie_close_to_the_mean(params, remade):
  old = np.asarray(params["heads"]["text"]["table"])[:20]
  new = np.asarray(remade["heads"]["text"]["table"])[25:]
  away = new - old.mean(axis=0)
  spread = np.sqrt(np.mean((old - old.mean(axis=0)) ** 2))
  assert np.sqrt(np.mean(away**2)) == pytest.approx(0.1 * spread, rel=0.03)
  assert len(np.unique(new, axis=0)) == len(new)


def test_nothing_else_is_touched(params, remade):
  assert remade["embed"]["text"]["norm"] is params["embed"]["text"]["norm"]
  assert remade["heads"]["gate"] is params["heads"]["gate"]


def test_tables_keep_their_type(params):
  low = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), params)
  rows = jnp.asarray(ROWS, jnp.int32)
  new = tables.remade(low, rows, jax.random.key(0))
  assert new["embed"]["text"]["table"].dtype == jnp.bfloat16
  assert np.isfinite(new["heads"]["text"]["table"].astype("float32")).all()
