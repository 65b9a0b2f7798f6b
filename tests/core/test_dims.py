import string

import pytest

from interaction_jax.core import dims


def test_letters_are_single_capitals_with_a_meaning():
  assert set(dims.LETTERS) <= set(string.ascii_uppercase)
  assert all(meaning for meaning in dims.LETTERS.values())
  assert len(set(dims.LETTERS.values())) == len(dims.LETTERS)


@pytest.mark.parametrize(
  ("axes", "letters"),
  [("D N H", ("D", "N", "H")), (" B", ("B",)), ("", ())],
  ids=["three", "one", "scalar"],
)
def test_check_splits(axes, letters):
  assert dims.check(axes) == letters


@pytest.mark.parametrize("axes", ["D n", "DN", "B 3"])
def test_check_refuses_what_is_no_letter(axes):
  with pytest.raises(ValueError, match=rf"axes='{axes}'.* is not a dimension"):
    dims.check(axes)
