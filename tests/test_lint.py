"""Layout, lint and types hold for the whole checkout."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
  "tool",
  [
    ("ruff", "format", "--check", "--no-cache"),
    ("ruff", "check", "--no-cache"),
    ("pyright", "--pythonpath", sys.executable),
  ],
  ids=["layout", "lint", "types"],
)
def test_tool_finds_nothing(tool, root):
  done = subprocess.run(
    [sys.executable, "-m", *tool], cwd=root, capture_output=True, text=True
  )
  assert done.returncode == 0, done.stdout + done.stderr
