import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.ops import patches

# The statistics of Radford et al. 2021, typed a second time.
MEAN = np.array([0.48145466, 0.4578275, 0.40821073])
STD = np.array([0.26862954, 0.26130258, 0.27577711])


def pixels(*shape: int) -> np.ndarray:
  numbers = np.random.default_rng(6)
  return numbers.integers(0, 256, shape).astype("uint8")


def test_normalize_equals_its_equation():
  x = pixels(2, 3, 5, 4, 3)
  wanted = (x / 255 - MEAN) / STD
  y = patches.normalize(jnp.asarray(x))
  assert y.dtype == "float32"
  # Values up to 2.7 in float32.
  np.testing.assert_allclose(y, wanted, rtol=0, atol=1e-6)


def test_cut_is_in_reading_order():
  frames = pixels(2, 3, 8, 20, 3)
  y = np.asarray(patches.cut(jnp.asarray(frames), patch=4))
  assert y.shape == (2, 10, 3, 4, 4, 3)
  for place in range(10):
    row, column = 4 * (place // 5), 4 * (place % 5)
    np.testing.assert_array_equal(
      y[:, place], frames[:, :, row : row + 4, column : column + 4]
    )


@pytest.mark.parametrize(
  ("time", "space", "shape"),
  [(1, 1, (2, 4, 6, 3)), (1, 2, (2, 2, 3, 12)), (2, 1, (1, 4, 6, 6))],
)
def test_fold_gathers_neighbours(time, space, shape):
  x = pixels(5, 2, 4, 6, 3)
  y = np.asarray(patches.fold(jnp.asarray(x), time=time, space=space))
  assert y.shape == (5, *shape)
  for t, h, w in np.ndindex(shape[:3]):
    block = x[
      :,
      t * time : (t + 1) * time,
      h * space : (h + 1) * space,
      w * space : (w + 1) * space,
    ]
    np.testing.assert_array_equal(y[:, t, h, w], block.reshape(5, -1))


def test_fold_takes_any_batch():
  x = jnp.asarray(pixels(2, 3, 2, 4, 4, 3))
  y = patches.fold(x, time=2, space=4)
  assert y.shape == (2, 3, 1, 1, 1, 96)
  one = patches.fold(x[1, 2], time=2, space=4)
  np.testing.assert_array_equal(y[1, 2], one)


@pytest.mark.parametrize(
  ("rows", "columns", "count"),
  [(80, 120, (2, 4)), (41, 79, (2, 2)), (1, 1, (1, 1)), (40, 40, (1, 2))],
)
def test_from_image_patches_as_inkling_does(rows, columns, count):
  image = pixels(rows, columns, 3)
  y = patches.from_image(image, patch=40, frames=2)
  assert y.shape == (count[0] * count[1], 2, 40, 40, 3)
  for place, (i, j) in enumerate(np.ndindex(count)):
    part = image[40 * i : 40 * i + 40, 40 * j : 40 * j + 40]
    padded = np.full((40, 40, 3), -1.0)
    padded[: part.shape[0], : part.shape[1]] = part
    wanted = (padded / 255 - MEAN) / STD
    for frame in range(2):
      # Values up to 2.7 in float32.
      np.testing.assert_allclose(y[place, frame], wanted, rtol=0, atol=1e-6)


def test_from_image_equals_cut_where_the_picture_fills_the_canvas():
  image = pixels(40, 80, 3)
  stills = patches.from_image(image, patch=40, frames=2)
  frames = jnp.asarray(np.stack([image, image])[None])
  moving = patches.cut(patches.normalize(frames), patch=40)
  # XLA divides by multiplying with a reciprocal: one rounding more.
  np.testing.assert_allclose(stills[:2], moving[0], rtol=0, atol=3e-7)


def test_errors_name_what_is_wrong():
  with pytest.raises(ValueError, match=r"30 x 85 pixels.*20 x 80 or 40 x 100"):
    patches.cut(jnp.zeros((1, 2, 30, 85, 3)), patch=20)
  with pytest.raises(ValueError, match="2 x 6 x 6 cannot be folded by time=1"):
    patches.fold(jnp.zeros((1, 2, 6, 6, 3)), time=1, space=4)
  with pytest.raises(ValueError, match=r"shape \(8, 8\)"):
    patches.from_image(pixels(8, 8), patch=4, frames=2)
  with pytest.raises(ValueError, match="dtype float64"):
    patches.from_image(np.zeros((8, 8, 3)), patch=4, frames=2)
