"""The command line, as a user meets it."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import soundfile

import interaction_jax
from interaction_jax import __main__ as cli
from interaction_jax.core import checkpoint, settings
from interaction_jax.data.synthetic import world
from interaction_jax.model import config, interaction


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_lists_every_sub_command_and_nothing_foreign(flag, capsys):
  assert cli.main([flag]) == 0
  shown = capsys.readouterr().out
  for name, command in cli.COMMANDS.items():
    assert name in shown
    assert command.summary in shown
  assert "logtostderr" not in shown


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_sub_command_has_help(name, capsys):
  assert cli.main([name, "--help"]) == 0
  shown = capsys.readouterr().out
  assert f"interaction-jax {name}" in shown
  for argument in cli.COMMANDS[name].arguments:
    assert argument in shown
  for flag in cli.COMMANDS[name].flags:
    assert f"--{flag.name}" in shown and flag.help in shown


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
    (["inspect", "tiny", "--jsn"], "'jsn'. Did you mean: json"),
    (["inspect", "tiny", "--json=5"], "flag --json=5"),
    (["inspect"], "takes CONFIG-or-CHECKPOINT-or-RECORDS, not"),
    (["inspect", "tiny", "nano"], "not tiny nano"),
    (["inspect", "tinny"], "mean tiny?"),
    (["inspect", "no/such/file.py"], "shipped are"),
    (["convert", "inkling", "a"], "captioned} SRC DST, not inkling a"),
    (["convert", "inklin", "a", "b"], "mean inkling?"),
    (["bench", "frontent"], "mean frontend?"),
    (["bench", "step", "--batch=1", "--batch=many"], "--batch='many' must"),
    (["bench", "frontend", "--rounds=-1"], "rounds=-1 must be 1 or more"),
    (["train"], "train needs --workdir DIR"),
    (["train", "--workdir=x", "--profile=5"], "'5' is not FIRST:END"),
    (["train", "--workdir=x", "--profile=9:9"], "'9:9' is not FIRST:END"),
    (["train", "--workdir=x", "--mesh=fake_9"], "mean fake_8?"),
    (
      [
        "train",
        "--workdir=x",
        "--distributed",
        "--processes=2",
        "--process=2",
        "--coordinator=127.0.0.1:9",
      ],
      "process=2 must lie in 0 to 1",
    ),
    (
      ["train", "--workdir=x", "--distributed", "--processes=2"],
      "coordinator is not known",
    ),
    (["evaluate", "--suite=behaviours"], "evaluate needs --out DIR"),
    (["evaluate", "--suite=behavior", "--out=x"], "mean behaviours?"),
    (
      ["evaluate", "--suite=behaviours", "--out=x", "--items=0"],
      "items=0 must",
    ),
    (
      ["evaluate", "--suite=behaviours", "--out=x", "--row=barge"],
      "mean barge_in?",
    ),
  ],
  ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_line_and_code_two(line, message, capsys):
  assert cli.main(line) == 2
  out, err = capsys.readouterr()
  assert out == ""
  assert err.startswith("interaction-jax: ") and err.count("\n") == 1
  assert message in err


def test_a_bad_config_is_one_line(tmp_path, capsys):
  path = tmp_path / "bad.py"
  path.write_text("def experiment(:")
  assert cli.main(["inspect", str(path)]) == 2
  err = capsys.readouterr().err
  assert "SyntaxError" in err and err.count("\n") == 1


def test_convert_leaves_what_exists_alone(tmp_path, capsys):
  (tmp_path / "kept.txt").write_text("kept")
  assert cli.main(["convert", "inkling", "nowhere", str(tmp_path)]) == 2
  assert "--force" in capsys.readouterr().err
  assert (tmp_path / "kept.txt").read_text() == "kept"


def test_inspect_json_holds_the_promised_fields(capsys):
  assert cli.main(["inspect", "tiny", "--json"]) == 0
  report = json.loads(capsys.readouterr().out)
  assert report["config"]["name"] == "tiny"
  counts = report["parameters"]
  assert sum(counts["parts"].values()) == counts["total"] > counts["active"] > 0


def test_inspect_shows_a_table(capsys):
  assert cli.main(["inspect", "tiny"]) == 0
  lines = capsys.readouterr().out.splitlines()
  assert len({len(line) for line in lines[1:]}) == 1
  assert [line.split()[0] for line in lines[-2:]] == ["total", "active"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
  """A checkpoint of the tiny model; its config alone says what it is."""
  path = tmp_path_factory.mktemp("saved") / "tiny"
  plain = settings.to_dict(settings.load("tiny"))
  checkpoint.save(path, {"part": {"scale": jnp.ones(3)}}, config=plain)
  return path


def test_inspect_tells_a_checkpoint_that_is_intact(saved, capsys):
  assert cli.main(["inspect", str(saved), "--json"]) == 0
  report = json.loads(capsys.readouterr().out)
  assert report["intact"] is True
  assert report["config"]["name"] == "tiny"
  assert report["parameters"]["active"] > 0


def test_inspect_tells_a_checkpoint_that_is_damaged(saved, tmp_path, capsys):
  damaged = shutil.copytree(saved, tmp_path / "damaged")
  (damaged / "config.json").write_text("{}")
  assert cli.main(["inspect", str(damaged), "--json"]) == 0
  report = json.loads(capsys.readouterr().out)
  assert report["intact"] is False
  assert report["parameters"]["total"] == 3
  assert cli.main(["inspect", str(damaged)]) == 0
  shown = capsys.readouterr().out
  assert "config.json" in shown and " no" in shown


def test_the_module_runs_as_a_program(root):
  done = subprocess.run(
    [sys.executable, "-m", "interaction_jax", "inspekt"],
    cwd=root,
    capture_output=True,
    text=True,
  )
  assert done.returncode == 2
  assert done.stderr.startswith("interaction-jax: ")


@pytest.mark.parametrize(
  ("line", "arguments", "values"),
  [
    (["a"], ["a"], {"steps": 3, "dry_run": False, "set": []}),
    (
      ["--steps=5", "a", "--dry-run", "--set", "x=1", "--set=y=2"],
      ["a"],
      {"steps": 5, "dry_run": True, "set": ["x=1", "y=2"]},
    ),
  ],
  ids=["defaults", "all"],
)
def test_flags_reach_a_command_typed(line, arguments, values):
  command = cli.Command(
    "probe",
    "",
    lambda: None,
    arguments=("A",),
    flags=(
      cli.Flag("steps", 3, ""),
      cli.Flag("dry-run", False, ""),
      cli.Flag("set", (), ""),
    ),
  )
  assert cli._parse(command, line) == (arguments, values)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
  """Files of sound, good and bad; all are called `name.wav`."""
  path = tmp_path_factory.mktemp("recordings")

  def write(name, samples):
    soundfile.write(path / f"{name}.wav", samples, 16_000, subtype="FLOAT")

  rng = np.random.default_rng(0)
  write("good", rng.normal(0, 0.1, 8000))
  write("wide", rng.normal(0, 0.1, (1600, 8)))
  write("empty", np.zeros(0))
  write("nan", np.array([0.0, np.nan]))
  (path / "words.wav").write_text("these are words")
  return path


@pytest.mark.parametrize(
  ("name", "flags", "message"),
  [
    ("none", [], "There is no file"),
    ("words", [], "cannot be read as sound"),
    ("empty", [], "holds no sound: it has 0 samples"),
    ("nan", [], "NaN or infinity, first at 0.000 s"),
    ("good", ["--text=-1:hello"], "'hello' at -1.0 s is before"),
    ("good", ["--text=0.5:hello"], "'hello' at 0.5 s is after"),
    ("good", ["--text=hello"], "is not SECONDS:WORDS"),
    ("good", ["--video=good.wav"], "has no pictures"),
    ("good", ["--video=none.mp4"], "There is no file"),
    ("good", ["--checkpoint=nothing"], "neither a folder nor a shipped model"),
    ("good", ["--seed=x"], "flag --seed=x"),
  ],
  ids=[
    "missing", "unreadable", "empty", "nan", "early", "late", "timeless",
    "no-pictures", "no-video", "no-model", "seed",
  ],
)  # fmt: skip
def test_talk_refuses_in_one_line_and_writes_nothing(
  recordings, name, flags, message, tmp_path, monkeypatch, capsys
):
  monkeypatch.chdir(recordings)
  out = tmp_path / "new" / "out"
  line = ["talk", f"{name}.wav", f"--out={out}", f"--checkpoint={recordings}"]
  assert cli.main([*line, *flags]) == 2
  shown, err = capsys.readouterr()
  assert shown == "" and err.count("\n") == 1 and message in err
  assert list(tmp_path.iterdir()) == []


def test_talk_asks_for_a_folder(recordings, capsys):
  assert cli.main(["talk", str(recordings / "good.wav")]) == 2
  assert "needs --out DIR" in capsys.readouterr().err


def test_replay_asks_for_a_session(tmp_path, capsys):
  assert cli.main(["replay", str(tmp_path)]) == 2
  assert "holds no session" in capsys.readouterr().err


@pytest.fixture(scope="module")
def talker(root, tmp_path_factory):
  """A small model with words, drawn at random, as it would be shipped."""
  words = world.vocabulary()
  size = words.table_size
  text = config.TextConfig(size, size, words.first_control)
  model = settings.load(root / "tests" / "small.py").model
  model = dataclasses.replace(model, text=text)
  shapes = jax.eval_shape(
    lambda: interaction.init(jax.random.key(0), cfg=model)
  )
  rng = np.random.default_rng(0)
  params = jax.tree.map(
    lambda leaf: jnp.asarray(rng.normal(0, 0.3, leaf.shape), leaf.dtype), shapes
  )
  path = tmp_path_factory.mktemp("talker") / "small"
  checkpoint.save(
    path,
    params,
    config=settings.to_dict(model),
    tokenizer=words.tokenizer.to_str().encode(),
  )
  return path


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
@pytest.mark.parametrize("command", ["talk", "evaluate"])
def test_a_checkpoint_that_is_not_right_is_one_line(
  recordings, talker, tmp_path, command, damage, message, capsys
):
  damage(shutil.copytree(talker, tmp_path / "copy"))
  line = [command, str(recordings / "good.wav")]
  if command == "evaluate":
    line = [command, "--suite=behaviours"]
  line += [f"--out={tmp_path / 'out'}", f"--checkpoint={tmp_path / 'copy'}"]
  assert cli.main(line) == 2
  shown, err = capsys.readouterr()
  assert shown == "" and err.count("\n") == 1 and message in err
  assert not (tmp_path / "out").exists()


def test_talk_and_replay(recordings, talker, tmp_path, monkeypatch, capsys):
  monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
  out = tmp_path / "out"
  line = ["talk", str(recordings / "wide.wav"), "--text", "0:hello"]
  line += [f"--out={out}", f"--checkpoint={talker}", "--mesh=cpu"]
  assert cli.main(line[:-1]) == 0
  shown, err = capsys.readouterr()
  assert "0.1 s in 1 turns" in shown and err == ""
  assert {path.name for path in out.iterdir()} == {
    "input.wav", "output.wav", "stereo.wav", "events.jsonl", "session.json",
    "timeline.png",
  }  # fmt: skip
  assert cli.main(line) == 2
  assert "holds a session already; --force" in capsys.readouterr().err
  assert cli.main(["replay", str(out)]) == 0
  assert "identical: every bit of 1 turns" in capsys.readouterr().out
  told = json.loads((out / "session.json").read_text())
  told["turns"]["gate"][0] += 1.0
  (out / "session.json").write_text(json.dumps(told))
  assert cli.main(["replay", str(out)]) == 1
  assert "from turn 0 on" in capsys.readouterr().out
