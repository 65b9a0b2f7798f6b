"""What is installed, what may be imported from it, and at what price."""

import ast
import os
import subprocess
import sys
import zipfile

import pytest

import interaction_jax

HEAVY = ("grain", "jax", "orbax", "soundfile", "torch", "transformers")


def test_the_public_interface_is_small_and_resolves():
  names = interaction_jax.__all__
  assert len(names) <= 15
  assert names == sorted(names)
  for name in names:
    assert getattr(interaction_jax, name) is not None
  assert dir(interaction_jax) == names


def test_what_is_not_public_is_no_attribute():
  with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
    _ = interaction_jax.nothing


def test_import_is_light(root):
  code = (
    "import sys, interaction_jax; "
    f"print([name for name in {HEAVY} if name in sys.modules])"
  )
  done = subprocess.run(
    [sys.executable, "-c", code], cwd=root, capture_output=True, text=True
  )
  assert done.stdout.strip() == "[]", done.stderr


def test_nothing_catches_every_exception(root):
  caught = [
    f"{path.relative_to(root)}:{node.lineno}"
    for path in sorted((root / "interaction_jax").rglob("*.py"))
    # The server alone outlives what goes wrong in one session.
    if path.relative_to(root).as_posix() != "interaction_jax/serve/server.py"
    for node in ast.walk(ast.parse(path.read_text()))
    if isinstance(node, ast.ExceptHandler)
    if node.type is None
    or (isinstance(node.type, ast.Name) and node.type.id == "Exception")
  ]
  assert caught == []


@pytest.fixture(scope="module")
def wheel(root, tmp_path_factory):
  """The package as built for other machines, unpacked into a folder."""
  folder = tmp_path_factory.mktemp("wheel")
  command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
  command += ["--no-build-isolation", "--no-index", "--wheel-dir", str(folder)]
  done = subprocess.run(
    [*command, str(root)], capture_output=True, text=True, cwd=folder
  )
  assert done.returncode == 0, done.stderr
  (built,) = folder.glob("interaction_jax-*.whl")
  with zipfile.ZipFile(built) as archive:
    archive.extractall(folder / "site")
  return folder / "site"


def test_the_wheel_holds_all_that_is_needed(wheel, root):
  package = wheel / "interaction_jax"
  configs = {path.name for path in (root / "configs").glob("*.py")}
  assert {path.name for path in (package / "configs").glob("*.py")} == configs
  assert (package / "py.typed").is_file()
  modules = sorted(path.name for path in root.glob("interaction_jax/**/*.py"))
  shipped = sorted(
    path.name
    for path in package.rglob("*.py")
    if path.parent != package / "configs"
  )
  assert shipped == modules
  (info,) = wheel.glob("interaction_jax-*.dist-info")
  entry = "interaction-jax = interaction_jax.__main__:run"
  assert entry in (info / "entry_points.txt").read_text()
  assert (info / "licenses" / "LICENSE").is_file()


def test_the_wheel_works_from_another_folder(wheel, tmp_path):
  done = subprocess.run(
    [sys.executable, "-m", "interaction_jax", "inspect", "tiny"],
    cwd=tmp_path,
    env={**os.environ, "PYTHONPATH": str(wheel), "JAX_PLATFORMS": "cpu"},
    capture_output=True,
    text=True,
  )
  assert done.returncode == 0, done.stderr
  assert "tiny" in done.stdout and "total" in done.stdout
