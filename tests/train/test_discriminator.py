import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from interaction_jax.core import params
from interaction_jax.model.config import VocoderConfig
from interaction_jax.train import discriminator

CFG = VocoderConfig(
  sample_rate=4000,
  hop=40,
  window=160,
  num_mels=13,
  width=10,
  num_layers=1,
  taps=3,
  num_pitches=9,
  pitch_low=70.0,
  pitch_high=400.0,
)
WIDTH = 5


@pytest.fixture(scope="module")
def weights():
  build = discriminator.build(CFG, WIDTH)
  return params.to_dict(build(jax.random.key(0)))


@pytest.fixture(scope="module")
def features():
  @jax.jit
  def run(weights, sound):
    return discriminator.features(weights, sound, cfg=CFG, width=WIDTH)

  return run


def hums(num, seed, *, rough):
  """Voices; rough ones have harmonics of random phase in every hop."""
  rng = np.random.default_rng(seed)
  sounds = []
  for _ in range(num):
    pitch = rng.uniform(90, 200)
    phase = np.cumsum(np.full(800, pitch)) / 4000
    jitter = np.repeat(rng.uniform(0, 1, (8, 20)), 40, axis=1) * rough
    waves = [
      np.cos(2 * np.pi * (k * phase + jitter[k])) / k for k in range(1, 8)
    ]
    sounds.append(0.1 * np.sum(waves, axis=0))
  return jnp.asarray(np.stack(sounds), jnp.float32)


def test_each_resolution_has_a_judgement_of_every_patch(weights, features):
  found = features(weights, hums(2, 0, rough=0.0))
  assert len(found) == len(discriminator.RESOLUTIONS) == 3
  # 800 samples in half hops, hops and double hops; bins halve three times.
  for one, frames, bins in zip(
    found, (40, 20, 10), ((41, 21, 11, 6), (81, 41, 21, 11), (161, 81, 41, 21)),
    strict=True,
  ):  # fmt: skip
    shapes = [layer.shape for layer in one]
    assert shapes == [
      (2, frames, bins[1], WIDTH),
      (2, frames, bins[2], WIDTH),
      (2, frames, bins[3], WIDTH),
      (2, frames, bins[3], 1),
    ]


def test_at_first_layers_keep_the_size_of_what_they_see(weights, features):
  noise = 0.1 * np.random.default_rng(0).standard_normal((3, 800))
  for one in features(weights, jnp.asarray(noise, jnp.float32)):
    for layer in one:
      size = float(np.sqrt(np.mean(np.square(layer))))
      assert 0.1 < size < 10


def test_losses_are_those_of_the_papers():
  def picture(*values):
    return [jnp.ones((1, 1, 1, 2)) * value for value in values]

  recorded = [picture(1.0, 2.0, 0.5), picture(4.0, 1.0, 3.0)]
  made = [picture(2.0, 2.0, -0.25), picture(1.0, 2.0, -2.0)]
  # By hand: (1 - 0.5) + (1 - 0.25), and 0 + 0.
  assert discriminator.tell(recorded, made) == pytest.approx((1.25 + 0) / 2)
  assert discriminator.convince(made) == pytest.approx((0.25 + 2) / 2)
  # |1 - 2| / 1, 0 / 2, |4 - 1| / 4, |1 - 2| / 1; judgements do not count.
  assert discriminator.match(recorded, made) == pytest.approx(
    (1 + 0 + 0.75 + 1) / 4, rel=1e-5
  )


def test_what_is_told_apart_well_enough_is_learned_no_further():
  """The hinge: beyond 1 there is no gradient, on either side."""

  def loss(judgement):
    one = [[jnp.zeros((1, 1, 1, 1)), judgement[0].reshape(1, 1, 1, 1)]]
    two = [[jnp.zeros((1, 1, 1, 1)), judgement[1].reshape(1, 1, 1, 1)]]
    return discriminator.tell(one, two)

  assert jax.grad(loss)(jnp.asarray([1.5, -1.5])).tolist() == [0, 0]
  assert jax.grad(loss)(jnp.asarray([0.5, 0.5])).tolist() == [-1, 1]


def test_judges_learn_to_tell_smooth_voices_from_rough_ones(weights, features):
  """And tell those apart that they have never heard."""
  optimizer = optax.adam(3e-3)

  @jax.jit
  def step(weights, memory, recorded, made):
    def loss(weights):
      see = {"cfg": CFG, "width": WIDTH}
      return discriminator.tell(
        discriminator.features(weights, recorded, **see),
        discriminator.features(weights, made, **see),
      )

    told, slope = jax.value_and_grad(loss)(weights)
    moves, memory = optimizer.update(slope, memory)
    return optax.apply_updates(weights, moves), memory, told

  memory, losses = optimizer.init(weights), []
  for seed in range(60):
    weights, memory, told = step(
      weights, memory, hums(4, seed, rough=0.0), hums(4, 1000 + seed, rough=1.0)
    )
    losses.append(float(told))
  # Where nothing is told apart it is 2, or nearly.
  assert 1.5 < losses[0] < 3.0
  assert np.mean(losses[-5:]) < 0.5
  unheard = [
    features(weights, hums(8, 5000, rough=rough)) for rough in (0.0, 1.0)
  ]
  for smooth, rough in zip(*unheard, strict=True):
    assert smooth[-1].mean(axis=(1, 2, 3)).min() > (
      rough[-1].mean(axis=(1, 2, 3)).max()
    )


def test_a_vocoder_is_led_through_the_sound(weights):
  """Both of its losses have a gradient at every sample, and none elsewhere."""
  recorded, made = hums(2, 0, rough=0.0), hums(2, 1, rough=1.0)

  def losses(weights, recorded, made):
    see = {"cfg": CFG, "width": WIDTH}
    one = discriminator.features(weights, recorded, **see)
    two = discriminator.features(weights, made, **see)
    return discriminator.convince(two), discriminator.match(one, two)

  slopes = jax.jit(jax.jacrev(losses, argnums=(1, 2)))(weights, recorded, made)
  (of_recorded, convincing), (_, matching) = slopes
  # What was recorded has no part in convincing.
  assert not np.asarray(of_recorded).any()
  for slope in (convincing, matching):
    assert np.isfinite(slope).all()
    assert (np.abs(np.asarray(slope)) > 0).mean() > 0.9


def test_silence_has_finite_gradients(weights):
  def loss(sound):
    see = {"cfg": CFG, "width": WIDTH}
    return discriminator.convince(discriminator.features(weights, sound, **see))

  assert np.isfinite(jax.jit(jax.grad(loss))(jnp.zeros((1, 800)))).all()
