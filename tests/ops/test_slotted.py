import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.ops import grouped, slotted

EXPERTS, WIDTH, INNER, LENGTH, CHOSEN = 20, 6, 7, 26, 2


def draw(experts, seed=0):
  """Positions that chose these experts, their shares, and the weights."""
  rng = np.random.default_rng(seed)
  length, chosen = np.shape(experts)
  inner = (EXPERTS, WIDTH, INNER)
  return (
    jnp.float32(rng.normal(size=(length, WIDTH))),
    jnp.sort(jnp.asarray(experts, jnp.int32), axis=1),
    jnp.float32(rng.uniform(0.1, 2, (length, chosen))),
    jnp.float32(rng.normal(size=inner)),
    jnp.float32(rng.normal(size=inner)),
    jnp.float32(rng.normal(size=(EXPERTS, INNER, WIDTH))),
  )


def spread(seed):
  rng = np.random.default_rng(seed)
  return [
    rng.choice(EXPERTS, CHOSEN, replace=False).tolist() for _ in range(LENGTH)
  ]


CROWDS = {
  "spread": spread(1),
  # Four rounds of eight slots.
  "all to two": [[3, 19]] * LENGTH,
  "one more than slots": [[0, 1]] * 9 + [[5, 6]] * 17,
  "some are nobody's": [[7, EXPERTS]] * 11 + [[EXPERTS, EXPERTS]] * 15,
}


@pytest.mark.parametrize("experts", CROWDS.values(), ids=CROWDS)
def test_whoever_finds_no_slot_has_his_turn_in_another_round(experts):
  assert slotted.num_slots(LENGTH * CHOSEN, EXPERTS) == 8
  given = draw(experts)
  with jax.default_matmul_precision("highest"):
    got = jax.jit(slotted.apply)(*given)
    wanted = jax.jit(grouped.ragged)(*given)
  assert np.abs(wanted).max() > 1
  # Sums of six and seven products of numbers around one.
  np.testing.assert_allclose(got, wanted, rtol=2e-5, atol=2e-4)


@pytest.mark.parametrize("experts", CROWDS.values(), ids=CROWDS)
def test_the_gradient_is_that_of_the_same_sum(experts):
  given = draw(experts)

  def slopes(way):
    def loss(x, shares, *weights):
      return jnp.sum(jnp.sin(way(x, given[1], shares, *weights)))

    with jax.default_matmul_precision("highest"):
      run = jax.jit(jax.grad(loss, argnums=range(5)))
      return run(given[0], *given[2:])

  for got, wanted in zip(
    slopes(slotted.apply), slopes(grouped.ragged), strict=True
  ):
    scale = np.abs(wanted).max()
    assert scale > 0.1
    np.testing.assert_allclose(got, wanted, rtol=0, atol=2e-5 * scale)


def test_a_crowd_changes_nobodys_bits():
  rng = np.random.default_rng(3)
  run = jax.jit(slotted.apply)
  x, experts, *others = draw(spread(1))
  before = run(x, experts, *others)
  # All but three go to experts of those three, which then need more rounds.
  mine = np.array([2, 11, 25])
  crowd = np.broadcast_to(experts[11], experts.shape).copy()
  crowd[mine] = experts[mine]
  noisy = np.float32(rng.normal(size=x.shape) * 1e6)
  noisy[mine] = x[mine]
  after = run(jnp.asarray(noisy), jnp.asarray(crowd), *others)
  np.testing.assert_array_equal(before[mine], after[mine])
  assert np.bincount(crowd.ravel(), minlength=EXPERTS).max() > 16


@pytest.mark.parametrize(
  ("pairs", "experts", "slots"),
  [(1, 5, 8), (64, 32, 8), (34, 8, 16), (512, 32, 32), (52, 20, 8)],
)
def test_there_are_twice_as_many_slots_as_are_needed_on_average(
  pairs, experts, slots
):
  assert slotted.num_slots(pairs, experts) == slots
