import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from interaction_jax.core import params
from interaction_jax.model.config import VideoConfig
from interaction_jax.model.embed import vision

SMALL = VideoConfig(patch=4, num_layers=3)
WIDTH = 7


def build(cfg=SMALL, **options):
  return vision.PatchEmbedding(cfg, WIDTH, **options, rngs=nnx.Rngs(0))


def draw(*batch: int, patch: int = 4) -> np.ndarray:
  shape = (*batch, 2, patch, patch, 3)
  return np.random.default_rng(1).normal(size=shape).astype("float32")


@pytest.mark.parametrize("num_layers", range(1, 13))
@pytest.mark.parametrize(
  ("frames", "patch", "channels"), [(2, 40, 3), (4, 36, 3), (1, 12, 1)]
)
def test_scales_equal_those_of_transformers(
  frames, patch, channels, num_layers
):
  from transformers.models.inkling import modeling_inkling

  wanted = modeling_inkling.plan_out_scales(
    frames, patch, num_layers, channels
  ).tolist()
  scales = vision.plan_scales(
    frames=frames, patch=patch, channels=channels, num_layers=num_layers
  )
  assert [[s.time, s.space, s.space, s.channels] for s in scales] == wanted


@pytest.mark.parametrize(
  ("patch", "num_layers"),
  # With more layers than factors a layer ends at 614,400 channels, which at a
  # patch of 40 nobody could hold; a patch of 4 goes the same way.
  [(40, 1), (40, 3), (40, 5), (4, 1), (4, 3), (4, 5), (4, 7)],
)
def test_parity_with_transformers(patch, num_layers):
  import torch
  from transformers.models.inkling import (
    configuration_inkling,
    modeling_inkling,
  )

  torch.manual_seed(0)
  theirs = modeling_inkling.InklingVisionModel(
    configuration_inkling.InklingVisionConfig(
      text_hidden_size=WIDTH, patch_size=patch, num_hidden_layers=num_layers
    )
  )
  ours = build(VideoConfig(patch=patch, num_layers=num_layers))
  weights = {name: w.detach() for name, w in theirs.named_parameters()}
  for name, weight in weights.items():
    if name.endswith("norm.weight"):
      weight.uniform_(0.5, 1.5)
  for i, layer in enumerate(ours.layers):
    name = f"encoder_layers.{i}"
    layer.kernel[...] = jnp.asarray(weights[f"{name}.projection.weight"].T)
    if layer.norm is not None:
      layer.norm[...] = jnp.asarray(weights[f"{name}.layer_norm.weight"])
  ours.norm[...] = jnp.asarray(weights["final_norm.weight"])
  x = draw(3, patch=patch)
  with torch.no_grad():
    wanted = theirs(torch.from_numpy(x)).last_hidden_state[:, 0].numpy()
  with jax.default_matmul_precision("highest"):
    y = ours(jnp.asarray(x))
  # Float32 sums of up to 9,600 values in another order, normed layer by layer.
  np.testing.assert_allclose(y, wanted, rtol=0, atol=1e-5)


def test_patches_do_not_see_each_other():
  module, x = build(), draw(2, 5)
  y = module(jnp.asarray(x))
  assert y.shape == (2, 5, WIDTH)
  spoilt = x.copy()
  spoilt[:, 3] = np.nan
  kept = [0, 1, 2, 4]
  z = module(jnp.asarray(spoilt))
  np.testing.assert_array_equal(z[:, kept], y[:, kept])
  assert np.isnan(z[:, 3]).all()


def test_every_pixel_counts():
  module = build()
  grad = jax.grad(lambda x: module(x)[0, 0])(jnp.asarray(draw(1)))
  assert np.abs(grad).min() > 0


def test_bfloat16_stays_near_float32():
  x = jnp.asarray(draw(3))
  y = build(dtype="bfloat16")(x)
  assert y.dtype == "bfloat16"
  # Three layers with 8 bits each, on values of order 1.
  np.testing.assert_allclose(y.astype("float32"), build()(x), rtol=0, atol=0.06)


def test_parameters_know_their_axes():
  axes = params.axes_of(lambda key: build())
  assert axes == {
    "layers": {
      "0": {"kernel": "I C", "norm": "C"},
      "1": {"kernel": "I C", "norm": "C"},
      "2": {"kernel": "I D"},
    },
    "norm": "D",
  }


def test_parameters_round_trip_as_a_dict():
  module = build()
  again = params.bind(lambda key: build(), params.to_dict(module))
  x = jnp.asarray(draw(2))
  np.testing.assert_array_equal(again(x), module(x))
