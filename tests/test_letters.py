"""Every shape, everywhere, is spelt with the letters of core/dims.py."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import jaxtyping
import pytest

from interaction_jax.core import dims

PACKAGE = Path(__file__).parent.parent / "interaction_jax"
FILES = sorted(PACKAGE.rglob("*.py"))
TYPES = {name for name in dir(jaxtyping) if name[0].isupper()} - {"PyTree"}
EINSUMS = {"contract", "einsum"}
DRAWN = {"normal", "constant"}


def _text(node: ast.AST) -> str | None:
  if isinstance(node, ast.Constant) and isinstance(node.value, str):
    return node.value
  return None


def _called(node: ast.Call) -> str:
  if isinstance(node.func, ast.Attribute):
    return node.func.attr
  return node.func.id if isinstance(node.func, ast.Name) else ""


def _shapes(tree: ast.AST) -> Iterator[tuple[int, str]]:
  """Every string that spells a shape, with its line."""
  for node in ast.walk(tree):
    spelt: list[str | None] = []
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Tuple):
      value = node.value
      name = value.attr if isinstance(value, ast.Attribute) else None
      name = value.id if isinstance(value, ast.Name) else name
      if name in TYPES and len(node.slice.elts) == 2:
        spelt.append(_text(node.slice.elts[1]))
    elif isinstance(node, ast.Call):
      spelt += [_text(k.value) for k in node.keywords if k.arg == "axes"]
      if _called(node) in EINSUMS:
        spelt += [" ".join(_text(arg) or "") for arg in node.args[:1]]
      if _called(node) in DRAWN and len(node.args) > 1:
        spelt.append(_text(node.args[1]))
    for text in spelt:
      if text is not None:
        yield node.lineno, text


def _strange(source: str) -> list[str]:
  """Words of shapes that are neither letters nor signs of the notation."""
  return [
    f"line {line}: {word!r} in {text!r}"
    for line, text in _shapes(ast.parse(source))
    for word in re.findall(r"\w+", re.sub(r"\{[^}]*\}|\b\w+=", " ", text))
    if not word.isdigit() and word != "_" and word not in dims.LETTERS
  ]


@pytest.mark.parametrize(
  "path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix()
)
def test_shapes_speak_the_alphabet(path):
  assert _strange(path.read_text()) == []


@pytest.mark.parametrize(
  ("source", "strange"),
  [
    ('x: Float[Array, "B T D"]', 0),
    ('x: Float[Array, " B"]', 0),
    ('x: Float[Array, "*B T+1 3 ..."]', 0),
    ('x: Int[jax.Array, ""]', 0),
    ('x: jt.Float[Array, "B t"]', 1),
    ('x: Float[Array, "batch T"]', 1),
    ('linear.contract("BTD,DNH->BTNH", x, w)', 0),
    ('jnp.einsum("...D,DF->...F", x, w)', 0),
    ('jnp.einsum("btd,DF->BTF", x, w)', 3),
    ('params.normal(rngs, "D width", sizes, std=1.0)', 1),
    ('nnx.Param(value, axes="D n")', 1),
  ],
)
def test_the_rule_itself(source, strange):
  assert len(_strange(source)) == strange
