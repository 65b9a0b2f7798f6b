"""Scripts run as a person runs them, on a machine of our making."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def programs(tmp_path):
  """A function that puts a program of a few lines on the path of `launch`."""
  folder = tmp_path / "programs"
  folder.mkdir()

  def make(name, lines):
    (folder / name).write_text(f"#!/bin/sh\n{lines}\n")
    (folder / name).chmod(0o755)

  return make


@pytest.fixture
def launch(root, tmp_path, programs):
  """A function that runs a script in an empty folder, and returns all of it.

  On its path lie the programs that a test makes, and those of Debian.
  """

  def run(script, line):
    return subprocess.run(
      [sys.executable, str(root / "launch" / script), *line.split()],
      cwd=tmp_path,
      env={"PATH": f"{tmp_path / 'programs'}:/usr/bin:/bin", "HOME": "/"},
      capture_output=True,
      text=True,
      timeout=1800,
    )

  return run


@pytest.fixture
def script(root):
  """A function that imports a script, as the scripts import each other."""
  import importlib

  def load(name):
    sys.path.insert(0, str(root / "launch"))
    try:
      return importlib.import_module(name)
    finally:
      sys.path.remove(str(root / "launch"))

  return load


@pytest.fixture
def around():
  """The environment of this process, for what needs all that is installed."""
  folder = Path(sys.executable).parent
  return os.environ | {"PATH": f"{folder}:{os.environ['PATH']}"}
