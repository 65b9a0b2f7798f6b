import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from interaction_jax.core import params, settings
from interaction_jax.model.heads.flow import Condition, FlowHead
from interaction_jax.ops import flow

FRAMES, M, D, U, PAST = 5, 10, 24, 3, 4


@pytest.fixture(scope="module")
def cfg(root):
  small = settings.load(root / "tests" / "small.py").model
  vocoder = dataclasses.replace(small.vocoder, hop=640, window=1280, num_mels=M)
  own = dataclasses.replace(small.flow, width=16, past_frames=PAST)
  return dataclasses.replace(small, vocoder=vocoder, flow=own)


@pytest.fixture(scope="module")
def build(cfg):
  return lambda key: FlowHead(cfg, rngs=nnx.Rngs(key))


@pytest.fixture(scope="module")
def weights(build):
  """Drawn ones, those that begin at 0 as well."""
  shapes = jax.eval_shape(
    lambda key: params.to_dict(build(key)), jax.random.key(0)
  )
  rng = np.random.default_rng(0)
  return jax.tree.map(
    lambda leaf: jnp.asarray(0.25 * rng.normal(size=leaf.shape), leaf.dtype),
    shapes,
  )


@pytest.fixture(scope="module")
def head(build, weights):
  return params.bind(build, weights)


def draw(rng, *shape):
  return jnp.asarray(rng.normal(size=shape), jnp.float32)


def condition(rows=3, seed=0, num_text=2):
  rng = np.random.default_rng(seed)
  return Condition(
    hidden=draw(rng, rows, D),
    text=draw(rng, rows, U, D),
    text_mask=jnp.broadcast_to(jnp.arange(U) < num_text, (rows, U)),
    past=draw(rng, rows, PAST, M),
  )


def noise(rows=3, seed=9):
  return draw(np.random.default_rng(seed), rows, FRAMES, M)


@pytest.fixture(scope="module")
def expect(head):
  program = jax.jit(head.expect)
  return lambda given, time=0.3: program(
    noise(len(given.hidden)),
    jnp.full((len(given.hidden),), time, jnp.float32),
    given,
  )


def changed(expect, **changes):
  """How far each row moves when a part of the condition is another."""
  given = condition()
  one = expect(given)
  two = expect(dataclasses.replace(given, **changes))
  return np.abs(np.asarray(one - two)).max(axis=(1, 2))


def test_every_part_of_the_condition_matters(expect):
  other = condition(seed=5)
  for part in ("hidden", "text", "past"):
    assert (changed(expect, **{part: getattr(other, part)}) > 1e-2).all()


@pytest.mark.parametrize("frame", range(PAST))
def test_every_past_frame_matters(expect, frame):
  past = condition().past.at[:, frame].add(1.0)
  assert (changed(expect, past=past) > 1e-3).all()


@pytest.mark.parametrize("fill", [100.0, np.nan], ids=str)
def test_text_that_was_not_written_is_not_read(expect, fill):
  text = condition().text
  assert not changed(expect, text=text.at[:, 2].set(fill)).any()
  assert (changed(expect, text=text.at[:, 1].set(0.5)) > 1e-3).all()


def test_the_time_matters(expect):
  given = condition()
  assert (
    np.abs(np.asarray(expect(given, 0.1) - expect(given, 0.9))).max() > 0.01
  )


def test_rows_do_not_touch(expect):
  given = condition()
  ill = dataclasses.replace(
    given,
    hidden=given.hidden.at[0].set(jnp.nan),
    past=given.past.at[2].set(jnp.nan),
  )
  np.testing.assert_array_equal(expect(ill)[1], expect(given)[1])


def test_nothing_is_expected_before_training(build):
  """So the first voice is what the noise decays to, the mean of all mel."""
  shapes = jax.eval_shape(
    lambda key: params.to_dict(build(key)), jax.random.key(0)
  )
  drawn = jax.tree.map(lambda leaf: jnp.ones(leaf.shape), shapes)
  begin = jax.jit(lambda key: build(key).mel_out[...])
  drawn["mel_out"] = begin(jax.random.key(0))
  head = params.bind(build, drawn)
  made = head.make(noise(), condition(), num_steps=3, guidance=1.0)
  np.testing.assert_allclose(made, 0.0, atol=1e-6)


@pytest.mark.parametrize("num_steps", [1, 2, 4, 8])
@pytest.mark.parametrize("guidance", [1.0, 2.0], ids=["plain", "guided"])
def test_a_voice_is_made_step_by_step(head, num_steps, guidance):
  given = condition()
  made = jax.jit(
    lambda noise, given: head.make(
      noise, given, num_steps=num_steps, guidance=guidance
    )
  )(noise(), given)
  expect = jax.jit(head.expect)
  point = np.asarray(noise(), np.float64)
  for step in range(num_steps):
    time = step / num_steps
    at = (jnp.asarray(point, jnp.float32), jnp.full((3,), time, jnp.float32))
    target = np.asarray(expect(*at, given), np.float64)
    if guidance != 1.0:
      free = np.asarray(expect(*at, head.without(given)), np.float64)
      target = free + guidance * (target - free)
    point = point + (target - point) / (1 - time) / num_steps
  # An ulp of numbers up to 10, over eight steps that each feed the next.
  np.testing.assert_allclose(made, point, rtol=1e-4, atol=1e-4)


def test_in_bfloat16_it_expects_and_learns_about_the_same(build, weights):
  """A CPU has not all products of bfloat16, and tells when they are run."""

  def run(weights, dtype):
    given = jax.tree.map(
      lambda x: x.astype(dtype) if x.dtype == jnp.float32 else x, condition()
    )

    def loss(weights):
      head = params.bind(build, weights)
      made = head.expect(noise(), jnp.full((3,), 0.3), given)
      return jnp.square(made).mean(), made

    return jax.grad(loss, has_aux=True)(weights)

  program = jax.jit(run, static_argnames="dtype")
  wide, narrow = (program(weights, dtype) for dtype in ("float32", "bfloat16"))
  for one, other in zip(
    jax.tree.leaves(wide), jax.tree.leaves(narrow), strict=True
  ):
    assert other.dtype == jnp.float32
    size = float(jnp.abs(one).max())
    # Eight bits of a mantissa, through two blocks.
    assert float(jnp.abs(one - other).max()) <= 0.15 * size


def test_without_a_condition_only_the_past_is_left(head):
  one, two = condition(seed=1), condition(seed=2)
  two = dataclasses.replace(two, past=one.past)
  got = [
    head.expect(noise(), jnp.full((3,), 0.5), head.without(given))
    for given in (one, two)
  ]
  np.testing.assert_array_equal(*got)


STEPS, ROWS = 500, 128


@pytest.fixture(scope="module")
def trained(build, weights):
  """A head that has seen two voices, each of them in two moods, + and -."""
  rng = np.random.default_rng(3)
  voices = draw(rng, 2, FRAMES, M)
  start = weights | {"mel_out": jnp.zeros_like(weights["mel_out"])}
  chain = optax.adam(optax.linear_schedule(4e-3, 0.0, STEPS))

  def given(which):
    rows = which.shape[0]
    hidden = jnp.where(which[:, None] == 1, 1.0, -1.0) * jnp.ones((rows, D))
    hidden = hidden.at[:, : D // 2].set(1.0)
    return Condition(
      hidden=hidden,
      text=jnp.zeros((rows, U, D)),
      text_mask=jnp.zeros((rows, U), bool),
      past=jnp.zeros((rows, PAST, M)),
    )

  def loss(weights, key):
    keys = jax.random.split(key, 4)
    which = jax.random.bernoulli(keys[0], shape=(ROWS,)).astype(jnp.int32)
    mood = jnp.where(jax.random.bernoulli(keys[1], shape=(ROWS, 1, 1)), 1, -1)
    data = mood * voices[which]
    time = flow.times(keys[2], (ROWS,), mean=-1.0, std=1.2)
    point = flow.between(jax.random.normal(keys[3], data.shape), data, time)
    head = params.bind(build, weights)
    return jnp.square(head.expect(point, time, given(which)) - data).mean()

  def update(carry, key):
    weights, memory = carry
    value, gradient = jax.value_and_grad(loss)(weights, key)
    moves, memory = chain.update(gradient, memory, weights)
    return (optax.apply_updates(weights, moves), memory), value

  @jax.jit
  def train(weights):
    keys = jax.random.split(jax.random.key(4), STEPS)
    carry, values = jax.lax.scan(update, (weights, chain.init(weights)), keys)
    return carry[0], values

  weights, values = train(start)
  return params.bind(build, weights), values, voices, given


def test_training_lowers_the_loss(trained):
  values = np.asarray(trained[1])
  assert values[-50:].mean() < 0.4 * values[:5].mean()


@pytest.mark.parametrize("which", [0, 1], ids=["one", "other"])
def test_a_trained_head_makes_both_moods_from_noise(trained, which):
  """Not their mean, which has the least squared error and is no voice."""
  head, _, voices, given = trained
  rows = 200
  chosen = jnp.full((rows,), which, jnp.int32)
  made = jax.jit(
    lambda noise, given: head.make(noise, given, num_steps=8, guidance=1.0)
  )(noise(rows), given(chosen))
  far = [
    np.sqrt(np.mean(np.square(np.asarray(made - mode)), axis=(1, 2)))
    for mode in (voices[which], -voices[which], voices[1 - which])
  ]
  size = float(jnp.sqrt(jnp.square(voices[which]).mean()))
  near = np.minimum(far[0], far[1])
  assert (near < 0.3 * size).mean() > 0.95
  # Drawn evenly; five standard errors of 200 draws are 0.18.
  assert 0.3 < (far[0] < far[1]).mean() < 0.7
  assert (far[2] > near).mean() > 0.99
