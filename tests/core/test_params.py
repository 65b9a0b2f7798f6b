import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from interaction_jax.core import params

SIZES = {"D": 3, "F": 5, "V": 700}


class Part(nnx.Module):
  """Two parameters, one of them inside a list."""

  def __init__(self, key):
    rngs = nnx.Rngs(key)
    self.scale = params.constant(2.0, "D", SIZES)
    self.layers = nnx.List([Inner(rngs), Inner(rngs)])


class Inner(nnx.Module):
  def __init__(self, rngs):
    self.weight = params.normal(rngs, "D F", SIZES, std=0.5)


@pytest.fixture
def tree():
  return params.to_dict(Part(jax.random.key(0)))


def test_normal_has_the_shape_the_spread_and_the_letters_asked_for():
  weight = params.normal(
    nnx.Rngs(jax.random.key(1)), "V F D", SIZES, std=0.5, dtype="bfloat16"
  )
  assert weight.shape == (700, 5, 3)
  assert weight.dtype == jnp.bfloat16
  assert weight.get_metadata("axes") == "V F D"
  # 10,500 draws: the spread is known to 0.7 % (one sigma), the mean to 0.005.
  values = np.asarray(weight[...], np.float32)
  assert abs(values.std() - 0.5) < 0.02
  assert abs(values.mean()) < 0.025


def test_constant_is_the_same_everywhere():
  scale = params.constant(2.0, "F D", SIZES)
  np.testing.assert_array_equal(scale[...], np.full((5, 3), 2.0, np.float32))


def test_a_letter_without_a_size_is_refused():
  with pytest.raises(KeyError, match="N"):
    params.constant(0.0, "D N", SIZES)


def test_to_dict_is_plain_with_strings_for_keys(tree):
  assert set(tree) == {"scale", "layers"}
  assert set(tree["layers"]) == {"0", "1"}
  assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(tree))


def test_bind_gives_the_module_back_with_the_arrays_given(tree):
  module = params.bind(Part, jax.tree.map(lambda leaf: leaf + 1, tree))
  np.testing.assert_array_equal(
    module.layers[1].weight[...], tree["layers"]["1"]["weight"] + 1
  )
  np.testing.assert_array_equal(module.scale[...], tree["scale"] + 1)


def test_bind_works_while_tracing_and_lets_gradients_through(tree):
  @jax.jit
  def loss(tree):
    return jnp.sum(params.bind(Part, tree).layers[0].weight[...] ** 2)

  gradient = jax.grad(loss)(tree)
  # The product by two is exact in floating point.
  np.testing.assert_array_equal(
    gradient["layers"]["0"]["weight"], 2 * tree["layers"]["0"]["weight"]
  )
  assert not np.any(gradient["layers"]["1"]["weight"])


def test_bind_names_what_is_missing_and_what_is_unknown(tree):
  del tree["scale"]
  tree["scales"] = jnp.zeros(3)
  with pytest.raises(ValueError, match=r"missing \['scale'\].*\['scales'\]"):
    params.bind(Part, tree)


def test_an_outline_has_shapes_and_letters_and_draws_nothing(tree):
  drawn = []

  def build(key):
    drawn.append(isinstance(key, jax.core.Tracer))
    return Part(key)

  outline = params.outline(build)
  assert drawn == [True]
  shapes = params.to_dict(outline)
  assert jax.tree.structure(shapes) == jax.tree.structure(tree)
  for shape, leaf in zip(
    jax.tree.leaves(shapes), jax.tree.leaves(tree), strict=True
  ):
    assert isinstance(shape, jax.ShapeDtypeStruct)
    assert (shape.shape, shape.dtype) == (leaf.shape, leaf.dtype)
  assert outline.layers[1].weight.get_metadata("axes") == "D F"
  # Afterwards arrays are drawn again, after a mistake too.
  with pytest.raises(ZeroDivisionError):
    params.outline(lambda key: 1 // 0)
  assert isinstance(params.constant(1.0, "D", SIZES)[...], jax.Array)


def test_axes_of_has_the_tree_of_the_parameters(tree):
  axes = params.axes_of(Part)
  assert axes["layers"]["1"]["weight"] == "D F"
  assert jax.tree.structure(axes) == jax.tree.structure(tree)
