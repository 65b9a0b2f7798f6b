import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.ops import flow

B, I, M = 2, 3, 5  # noqa: E741


def draw(seed):
  rng = np.random.default_rng(seed)
  return jnp.asarray(rng.normal(size=(B, I, M)), jnp.float32)


def test_a_path_leads_from_noise_to_data():
  noise, data = draw(0), draw(1)
  np.testing.assert_array_equal(
    flow.between(noise, data, jnp.asarray([0.0, 1.0])),
    jnp.stack([noise[0], data[1]]),
  )
  half = flow.between(noise, data, jnp.asarray([0.5, 0.25]))
  np.testing.assert_allclose(half[0], (noise[0] + data[0]) / 2, rtol=1e-6)
  wanted = 0.75 * noise[1] + 0.25 * data[1]
  np.testing.assert_allclose(half[1], wanted, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("time", [0.0, 0.3, 0.9])
def test_velocity_is_that_of_the_straight_path(time):
  noise, data = draw(0), draw(1)
  times = jnp.full((B,), time)
  point = flow.between(noise, data, times)
  # The division by 1 - t makes an ulp of the point ten at t = 0.9.
  np.testing.assert_allclose(
    flow.velocity(data, point, times), data - noise, rtol=0, atol=2e-5
  )


@pytest.mark.parametrize("num_steps", [1, 2, 4, 8])
def test_euler_is_exact_on_straight_paths(num_steps):
  noise, data = draw(0), draw(1)
  made = flow.euler(
    lambda point, time: flow.velocity(data, point, time),
    noise,
    num_steps=num_steps,
  )
  # A few roundings a step.
  np.testing.assert_allclose(made, data, rtol=0, atol=3e-6)


@pytest.mark.parametrize("num_steps", [1, 3, 7])
def test_euler_takes_equal_steps_from_zero(num_steps):
  start = jnp.ones((B, 2))
  seen = flow.euler(lambda x, time: -x, start, num_steps=num_steps)
  np.testing.assert_allclose(
    seen, (1 - 1 / num_steps) ** num_steps, rtol=1e-6, atol=1e-7
  )
  summed = flow.euler(
    lambda x, time: jnp.broadcast_to(time[:, None], x.shape),
    jnp.zeros((B, 2)),
    num_steps=num_steps,
  )
  wanted = np.mean(np.arange(num_steps) / num_steps)
  np.testing.assert_allclose(summed, wanted, rtol=1e-6)


@pytest.mark.parametrize(("mean", "std"), [(-1.5, 1.0), (0.7, 0.4)])
def test_times_are_logit_normal(mean, std):
  times = np.asarray(
    flow.times(jax.random.key(3), (200, 50), mean=mean, std=std)
  )
  assert times.shape == (200, 50)
  assert ((times > 0) & (times < 1)).all()
  normal = np.log(times / (1 - times)).astype(np.float64)
  # Five standard errors of 10,000 draws.
  assert abs(normal.mean() - mean) < 5 * std / 100
  assert abs(normal.std() - std) < 5 * std / 140
  median = 1 / (1 + np.exp(-mean))
  assert abs((times < median).mean() - 0.5) < 0.025
