"""Imports point down only, and rooms of one floor do not know each other."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "interaction_jax"
FILES = sorted(PACKAGE.rglob("*.py"))
FLOORS = {
  "core": 0,
  "ops": 1,
  "turns": 1,
  "model": 2,
  "data": 2,
  "train": 3,
  "serve": 3,
  "convert": 3,
  "evals": 4,
  "command": 5,
}
FORBIDDEN = {"utils", "util", "common", "misc", "helpers", "helper"}


def _name(path: Path) -> str:
  return path.relative_to(PACKAGE).as_posix()


def _rooms_imported(path: Path) -> Iterator[tuple[int, str]]:
  """Every room of the package a file imports, inside functions too."""
  for node in ast.walk(ast.parse(path.read_text())):
    if isinstance(node, ast.Import):
      names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
      assert node.level == 0, f"{path}:{node.lineno}: a relative import"
      names = [f"{node.module}.{alias.name}" for alias in node.names]
    else:
      continue
    for name in names:
      parts = name.split(".")
      if parts[0] == "interaction_jax" and len(parts) > 1:
        yield node.lineno, parts[1]


def _breaches(path: Path, room: str) -> list[str]:
  return [
    f"line {line}: {room} (floor {FLOORS[room]}) imports {other}"
    for line, other in _rooms_imported(path)
    if other in FLOORS and other != room and FLOORS[other] >= FLOORS[room]
  ]


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_imports_point_down(path):
  room = path.relative_to(PACKAGE).parts[0]
  if room in FLOORS:
    assert _breaches(path, room) == []
  else:
    # What stands above all rooms: the public names and the command line.
    assert room in {"__init__.py", "__main__.py"}


def test_every_room_has_its_floor():
  rooms = {path.parent.name for path in PACKAGE.glob("*/*.py")}
  # Config files come with the wheel; no room is made of them.
  assert rooms - set(FLOORS) <= {"configs"}


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_no_module_is_a_drawer_for_everything(path):
  assert not FORBIDDEN & {path.stem, *path.relative_to(PACKAGE).parts}


@pytest.mark.parametrize(
  ("room", "line", "breached"),
  [
    ("ops", "from interaction_jax.model import cost", True),
    ("ops", "import interaction_jax.turns.clock", True),
    ("model", "def f():\n  from interaction_jax import data", True),
    ("model", "from interaction_jax.core import dims", False),
    ("model", "from interaction_jax.model import config", False),
    ("evals", "from interaction_jax.serve import session", False),
  ],
)
def test_the_rule_itself(room, line, breached, tmp_path):
  path = tmp_path / "module.py"
  path.write_text(line)
  assert bool(_breaches(path, room)) == breached
