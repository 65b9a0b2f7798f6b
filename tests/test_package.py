"""What is installed, what may be imported from it, and at what price."""

import ast
import os
import subprocess
import sys
import zipfile

import pytest

import interaction_jax

ALL_CAUGHT = (
  "interaction_jax/serve/background/desk.py",
  "interaction_jax/serve/server.py",
)

HEAVY = ("grain", "jax", "orbax", "soundfile", "torch", "transformers")


def test_the_public_interface_is_small_and_resolves():
  names = interaction_jax.__all__
  assert len(names) <= 15
  assert names == sorted(names)
  for name in names:
    assert getattr(interaction_jax, name) is not None
  assert dir(interaction_jax) == names


def test_a_model_runs_by_public_names_alone(root):
  import jax
  import jax.numpy as jnp

  whole = interaction_jax
  cfg = whole.load_config(root / "tests" / "small.py").model

  def ints(*shape):
    return jnp.zeros(shape, jnp.int32)

  def turns(*lead):
    return whole.TurnInput(
      active=jnp.ones(lead, bool),
      heard=jnp.zeros((*lead, 3200)),
      text=ints(*lead, cfg.turn.text_in),
      num_text=ints(*lead),
    )

  def run(key):
    params = whole.init(key, cfg=cfg)
    state = whole.start(jnp.arange(2, dtype=jnp.uint32), cfg=cfg)
    every = jnp.ones(2, bool)
    media = whole.Media(every, ints(2, 4), ints(2), every)
    state = whole.absorb(params, state, media, cfg=cfg)
    state, output = whole.step(params, state, turns(2), cfg=cfg)
    state, outputs = whole.stream(params, state, turns(7, 2), cfg=cfg)
    mel = jnp.zeros((2, 7, cfg.vocoder.frames_per_turn, cfg.vocoder.num_mels))
    episode = whole.Episode(
      start=ints(2), num_turns=ints(2), heard=jnp.zeros((2, 7, 3200)),
      voice=jnp.zeros((2, 7, 3200)), speaks=jnp.ones((2, 7), bool), mel=mel,
      text_in=ints(2, 7, 5), num_text_in=ints(2, 7), text_out=ints(2, 7, 3),
      num_text_out=ints(2, 7), pinned=ints(2, 4), num_pinned=ints(2),
    )  # fmt: skip
    found = whole.forward(params, episode, cfg=cfg)
    return output.voice, outputs.voice, found.logits, state.turn

  # Nothing is computed: the shapes tell that all fits together.
  shapes = [leaf.shape for leaf in jax.eval_shape(run, jax.random.key(0))]
  assert shapes == [(2, 3200), (7, 2, 3200), (2, 7, 3 + 1, 13), (2,)]


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
    # The server outlives what goes wrong in one session, and the desk whatever
    # a foreign background model raises in one job.
    if path.relative_to(root).as_posix() not in ALL_CAUGHT
    for node in ast.walk(ast.parse(path.read_text()))
    if isinstance(node, ast.ExceptHandler)
    if node.type is None
    or (isinstance(node.type, ast.Name) and node.type.id == "Exception")
  ]
  assert caught == []


@pytest.fixture(scope="module")
def built(root, tmp_path_factory):
  """A folder with the source as an index has it, and the wheel made of that."""
  folder = tmp_path_factory.mktemp("built")

  def make(*command, cwd):
    line = [sys.executable, "-m", *command]
    done = subprocess.run(line, capture_output=True, text=True, cwd=cwd)
    assert done.returncode == 0, done.stderr

  make(
    "hatchling", "build", "--target=sdist", f"--directory={folder}", cwd=root
  )
  (source,) = folder.glob("interaction_jax-*.tar.gz")
  flags = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
  make("pip", "wheel", *flags, f"--wheel-dir={folder}", source, cwd=folder)
  return folder


@pytest.fixture(scope="module")
def wheel(built):
  """The wheel, unpacked into a folder."""
  (file,) = built.glob("interaction_jax-*.whl")
  with zipfile.ZipFile(file) as archive:
    archive.extractall(built / "site")
  return built / "site"


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
  page = root / "interaction_jax" / "serve" / "web" / "static"
  assert {path.name for path in (package / "serve/web/static").iterdir()} == {
    path.name for path in page.iterdir()
  }
  (info,) = wheel.glob("interaction_jax-*.dist-info")
  entry = "interaction-jax = interaction_jax.__main__:run"
  assert entry in (info / "entry_points.txt").read_text()
  assert (info / "licenses" / "LICENSE").is_file()


def test_the_index_of_packages_would_take_both(built):
  files = [str(path) for path in built.glob("interaction_jax-*")]
  done = subprocess.run(
    [sys.executable, "-m", "twine", "check", "--strict", *files],
    capture_output=True,
    text=True,
  )
  assert done.returncode == 0, done.stdout
  assert done.stdout.count("PASSED") == len(files) == 2


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
