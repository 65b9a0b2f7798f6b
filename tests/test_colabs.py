"""The notebooks of colabs/: source and notebook agree, and both are true."""

import ast
import base64
import importlib.util
import io
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import jupytext
import nbclient
import nbformat
import pytest
import soundfile
from packaging.requirements import Requirement
from PIL import Image
from traitlets.config import Config

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "colabs").glob("[0-9]_*.py"))
MOST_BYTES = 700_000

each = pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)


def notebook(path):
  return nbformat.read(path.with_suffix(".ipynb"), 4)


def code(path):
  return [cell for cell in notebook(path).cells if cell.cell_type == "code"]


def outputs(path):
  return [output for cell in code(path) for output in cell.outputs]


def shown(path, kind):
  """What the outputs hold of one kind, such as `image/png`."""
  return [
    output.data[kind]
    for output in outputs(path)
    if kind in output.get("data", {})
  ]


def sounds(path):
  """The sounds of all players."""
  found = []
  for html in shown(path, "text/html"):
    for data in re.findall(r"data:audio/mpeg;base64,([^']*)'", html):
      found.append(soundfile.read(io.BytesIO(base64.b64decode(data)))[0])
  return found


def test_there_are_six():
  assert [path.stem[:2] for path in SOURCES] == [f"{n}_" for n in range(1, 7)]
  assert {path.with_suffix(".ipynb") for path in SOURCES} == set(
    (ROOT / "colabs").glob("*.ipynb")
  )
  listed = (ROOT / "colabs" / "README.md").read_text()
  assert all(f"`{path.stem}`" in listed for path in SOURCES)


@each
def test_source_and_notebook_agree(path):
  def cells(read):
    return [(cell.cell_type, cell.source) for cell in read.cells]

  assert cells(jupytext.read(path)) == cells(notebook(path)), (
    f"colabs/README.md says how {path.stem}.ipynb is made from its source"
  )


@each
def test_it_was_run_from_a_fresh_kernel_without_trouble(path):
  counts = [cell.execution_count for cell in code(path)]
  assert counts == list(range(1, len(counts) + 1))
  assert [output.output_type for output in outputs(path)].count("error") == 0
  assert not [o for o in outputs(path) if o.get("name") == "stderr"]
  assert path.with_suffix(".ipynb").stat().st_size < MOST_BYTES


@each
def test_there_is_something_to_see(path):
  pictures = shown(path, "image/png")
  assert pictures
  for data in pictures:
    picture = Image.open(io.BytesIO(base64.b64decode(data)))
    # A blank one would have a colour or two.
    assert picture.width <= 2000 and len(picture.convert("L").getcolors()) > 8


@pytest.mark.parametrize("number, least", [(1, 2), (3, 3)], ids=["1", "3"])
def test_there_is_something_to_hear(number, least):
  (path,) = (path for path in SOURCES if path.stem.startswith(f"{number}_"))
  heard = sounds(path)
  assert len(heard) >= least
  assert all(abs(sound).max() > 0.05 for sound in heard)


@each
def test_outputs_tell_nothing_of_the_machine(path):
  texts = [output.get("text", "") for output in outputs(path)]
  for kind in ("text/plain", "text/html"):
    texts += shown(path, kind)
  told = re.sub("base64,[^']*'", "", "\n".join(texts))
  assert re.findall(r"/(?:home|root|tmp|usr|work|Users)/\S*", told) == []


@each
@pytest.mark.parametrize("machine", ["cpu", "cuda"])
def test_the_install_line_names_what_there_is(path, machine, monkeypatch):
  project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
  (line,) = [c.source for c in code(path) if "REPOSITORY =" in c.source]
  asked = []
  monkeypatch.setattr(subprocess, "run", lambda args, **_: asked.append(args))
  monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
  monkeypatch.setattr(
    "shutil.which", lambda name: machine == "cuda" or None, raising=True
  )
  names = {}
  exec(line, names)
  ((python, *pip, package),) = asked
  assert python == sys.executable and pip[:3] == ["-m", "pip", "install"]
  wanted = Requirement(package)
  assert wanted.name == project["name"]
  assert wanted.extras == {"data", machine} - {"cpu"}
  assert wanted.extras <= project["optional-dependencies"].keys()
  assert wanted.url == f"git+{names['REPOSITORY']}"
  # The badge opens this notebook of the same repository.
  home = names["REPOSITORY"].removeprefix("https://")
  place = f"{home.replace('.com', '')}/blob/main/colabs/{path.stem}.ipynb"
  assert f"(https://colab.research.google.com/{place})" in path.read_text()
  assert names["REPOSITORY"] in project.get("urls", names).values()


@each
def test_it_is_not_installed_where_it_is_there(path, monkeypatch):
  (line,) = [c.source for c in code(path) if "REPOSITORY =" in c.source]
  monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("pip"))
  exec(line, {})


@each
def test_it_ends_with_what_it_has_shown(path):
  last = ast.parse(code(path)[-1].source)
  claims = [node for node in ast.walk(last) if isinstance(node, ast.Assert)]
  assert len(claims) >= 4


@each
def test_it_runs(path, tmp_path, tmp_path_factory, monkeypatch):
  monkeypatch.setenv("INTERACTION_JAX_SMALL", "1")
  fresh = jupytext.read(path)
  client = nbclient.NotebookClient(
    fresh,
    timeout=7200,
    startup_timeout=1800,
    kernel_name="python3",
    # Over ports of the network it would look for free ones, and take them when
    # they may be somebody else's. The names of sockets have to be short.
    config=Config(
      {
        "KernelManager": {
          "transport": "ipc",
          "connection_file": str(tmp_path_factory.mktemp("k") / "k.json"),
        }
      }
    ),
    resources={"metadata": {"path": str(tmp_path)}},
  )
  # Its own claims, the last cell, are among what may fail.
  client.execute()
  assert all(c.execution_count for c in fresh.cells if c.cell_type == "code")
