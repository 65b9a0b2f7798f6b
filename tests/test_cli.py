"""The command line, as a user meets it."""

import subprocess
import sys

import pytest

import interaction_jax
from interaction_jax import __main__ as cli
from interaction_jax.command.table import COMMANDS


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_lists_every_sub_command_and_nothing_foreign(flag, capsys):
  assert cli.main([flag]) == 0
  shown = capsys.readouterr().out
  for name, command in COMMANDS.items():
    assert name in shown
    assert command.summary in shown
  assert "logtostderr" not in shown


def test_nothing_at_all_shows_the_help_and_fails(capsys):
  assert cli.main([]) == 2
  assert "usage: interaction-jax COMMAND" in capsys.readouterr().out


def test_version(capsys):
  assert cli.main(["--version"]) == 0
  assert capsys.readouterr().out == f"{interaction_jax.__version__}\n"


@pytest.mark.parametrize(
  ("line", "message"),
  [
    (["inspekt"], "mean inspect?"),
    (["--jsn"], "no flag '--jsn'"),
  ],
  ids=["command", "flag"],
)
def test_what_there_is_not_is_one_line_and_code_two(line, message, capsys):
  assert cli.main(line) == 2
  out, err = capsys.readouterr()
  assert out == ""
  assert err.startswith("interaction-jax: ") and err.count("\n") == 1
  assert message in err


def test_the_module_runs_as_a_program(root):
  done = subprocess.run(
    [sys.executable, "-m", "interaction_jax", "inspekt"],
    cwd=root,
    capture_output=True,
    text=True,
  )
  assert done.returncode == 2
  assert done.stderr.startswith("interaction-jax: ")


def test_a_reader_that_has_read_enough_is_no_mistake(root):
  line = [sys.executable, "-m", "interaction_jax", "inspect", "tiny"]
  pipe = subprocess.PIPE
  with subprocess.Popen(line, cwd=root, stdout=pipe, stderr=pipe) as run:
    assert run.stdout is not None and run.stderr is not None
    run.stdout.close()
    assert run.stderr.read() == b"" and run.wait() == 1
