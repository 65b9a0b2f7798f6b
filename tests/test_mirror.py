"""Every module has its test where one looks for it."""

import ast
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "interaction_jax"


def _has_code(path: Path) -> bool:
  """Whether a module does more than describe itself and import."""
  inert = (ast.Expr, ast.Import, ast.ImportFrom)
  body = ast.parse(path.read_text()).body
  return any(not isinstance(node, inert) for node in body)


def _test_of(path: Path) -> Path:
  place = path.relative_to(PACKAGE)
  return ROOT / "tests" / place.parent / f"test_{place.name}"


def test_every_module_has_its_test():
  missing = [
    f"{path.relative_to(ROOT)} wants {_test_of(path).relative_to(ROOT)}"
    for path in sorted(PACKAGE.rglob("*.py"))
    if path.stem not in {"__init__", "__main__"}
    and _has_code(path)
    and not _test_of(path).exists()
  ]
  assert missing == []


def test_every_test_of_a_room_has_its_module():
  rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
  orphans = [
    str(path.relative_to(ROOT))
    for room in sorted(rooms)
    for path in sorted((ROOT / "tests" / room).rglob("test_*.py"))
    if not (
      PACKAGE
      / path.parent.relative_to(ROOT / "tests")
      / path.name.removeprefix("test_")
    ).exists()
  ]
  assert orphans == []
