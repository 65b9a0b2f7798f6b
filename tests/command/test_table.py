import os
import shutil

import pytest

from interaction_jax import __main__ as cli
from interaction_jax.command import table
from interaction_jax.core import checkpoint


@pytest.mark.parametrize("name", table.COMMANDS)
def test_every_sub_command_has_help(name, capsys):
  assert cli.main([name, "--help"]) == 0
  shown = capsys.readouterr().out
  assert f"interaction-jax {name}" in shown
  for argument in table.COMMANDS[name].arguments:
    assert argument in shown
  for flag in table.COMMANDS[name].flags:
    assert f"--{flag.name}" in shown and flag.help in shown


def flip_a_byte(path):
  file = max((f for f in path.rglob("*") if f.is_file()), key=os.path.getsize)
  content = bytearray(file.read_bytes())
  content[len(content) // 2] ^= 1
  file.write_bytes(content)


def widen(path):
  """Settings that ask for other weights than there are."""
  saved = checkpoint.load(path)
  saved.config["backbone"]["width"] += 12
  checkpoint.save(
    path,
    saved.params,
    config=saved.config,
    tokenizer=saved.tokenizer,
    overwrite=True,
  )


@pytest.mark.parametrize(
  ("damage", "message"),
  [
    (flip_a_byte, "has changed: its SHA-256 is"),
    (lambda path: (path / "tokenizer.json").unlink(), "json is missing"),
    (lambda path: (path / "config.json").unlink(), "json is missing"),
    (widen, "is of another model: "),
  ],
  ids=["byte", "tokenizer", "config", "shape"],
)
@pytest.mark.parametrize(
  "line",
  [
    ["talk", "good.wav", "--out=../out"],
    ["evaluate", "--suite=behaviours", "--out=../out"],
    ["serve", "--port=0", "--snapshots=../out"],
  ],
  ids=lambda line: line[0],
)
def test_a_checkpoint_that_is_not_right_is_one_line(
  recordings, talker, tmp_path, line, damage, message, monkeypatch, capsys
):
  damage(shutil.copytree(talker, tmp_path / "copy"))
  (tmp_path / "here").mkdir()
  shutil.copy(recordings / "good.wav", tmp_path / "here")
  monkeypatch.chdir(tmp_path / "here")
  assert cli.main([*line, "--checkpoint=../copy"]) == 2
  shown, err = capsys.readouterr()
  assert shown == "" and err.count("\n") == 1 and message in err
  assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
  ("line", "message"),
  [
    (["serve", "--port=0", "--quantise=int8"], "='int8' is not PART=KIND"),
    (
      ["evaluate", "--suite=behaviours", "--quantise=expert=int8"],
      "'expert' is not a part that can be (did you mean experts?)",
    ),
    (
      ["evaluate", "--suite=qivd", "--server=ws://a", "--quantise=experts=fp8"],
      "--quantise='experts=fp8' is for the model of a --checkpoint alone",
    ),
  ],
  ids=["serve", "evaluate", "server"],
)
def test_what_cannot_be_quantised_is_one_line(line, message, tmp_path, capsys):
  if line[0] == "evaluate":
    line = [*line, f"--out={tmp_path / 'out'}"]
  assert cli.main(line) == 2
  shown, err = capsys.readouterr()
  assert shown == "" and err.count("\n") == 1 and message in err
  assert list(tmp_path.iterdir()) == []
