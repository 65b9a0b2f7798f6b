"""The command line, as a user meets it."""

import contextlib
import dataclasses
import io
import json
import os
import shutil
import signal
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
from interaction_jax.data.synthetic import recorder, world
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
    (
      ["evaluate", "--suite=qivd", "--out=x", "--server=ws://a/b"],
      "server='ws://a/b' is no address",
    ),
    (
      ["evaluate", "--suite=qivd", "--out=x", "--server=b", "--outputs=c"],
      "--outputs and --server are two systems",
    ),
    (
      ["evaluate", "--suite=behaviours", "--out=x", "--server=ws://a/b"],
      "--server='ws://a/b': behaviours runs models alone",
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

  def write(name, samples, rate=16_000, subtype="FLOAT"):
    soundfile.write(path / f"{name}.wav", samples, rate, subtype=subtype)

  rng = np.random.default_rng(0)
  write("good", rng.normal(0, 0.1, 8000))
  write("wide", rng.normal(0, 0.1, (1600, 8)))
  write("empty", np.zeros(0))
  write("nan", np.array([0.0, np.nan]))
  write("huge", np.array([0.0, 1e200]), subtype="DOUBLE")
  write("fast", np.zeros(9), 2**31 - 1)
  (path / "folder.wav").mkdir()
  (path / "png.wav").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(99))
  (path / "cut.wav").write_bytes((path / "good.wav").read_bytes()[:30])
  (path / "words.wav").write_text("these are words")
  return path


@pytest.mark.parametrize(
  ("name", "flags", "message"),
  [
    ("none", [], "There is no file"),
    ("words", [], "cannot be read as sound"),
    ("empty", [], "holds no sound: it has 0 samples"),
    ("nan", [], "NaN or infinity, first at 0.000 s"),
    ("huge", [], "NaN or infinity, first at 0.000 s"),
    ("fast", [], "fast.wav cannot be read as sound: source=2147483647 Hz"),
    ("folder", [], "folder.wav is not a file"),
    ("png", [], "cannot be read as sound"),
    ("cut", [], "cannot be read as sound"),
    ("good", ["--text=-1:hello"], "'hello' at -1.0 s is before"),
    ("good", ["--text=0.5:hello"], "'hello' at 0.5 s is after"),
    ("good", ["--text=hello"], "is not SECONDS:WORDS"),
    ("good", ["--text=0:caf\udce9"], "'\\udce9', which is no character"),
    ("good", ["--video=good.wav"], "has no pictures"),
    ("good", ["--video=none.mp4"], "There is no file"),
    ("good", ["--checkpoint=nothing"], "neither a folder nor a shipped model"),
    ("good", ["--seed=x"], "flag --seed=x"),
    ("good", ["--seed=-1"], "seed=-1 must lie in 0 to"),
    ("good", ["--mesh=cqu"], "mesh 'cqu' is not known (did you mean cpu?)"),
    ("good", ["--quantise=experts=int4"], "=int4': 'int4' is not known (did"),
    ("good", ["--quantise=int8"], "--quantise='int8' is not PART=KIND"),
    ("good", ["--out=words.wav"], "not a session and is left alone"),
    ("good", ["--out=words.wav/new"], "words.wav is a file, not a folder"),
    ("good", ["--out=/proc/none/new"], "'/proc/none'"),
  ],
  ids=[
    "missing", "unreadable", "empty", "nan", "huge", "rate", "folder", "png",
    "cut", "early", "late", "timeless", "letters", "no-pictures", "no-video",
    "no-model", "no-seed", "seed", "mesh", "quantise", "quantise-what",
    "out-file", "out-in-file", "out",
  ],
)  # fmt: skip
def test_talk_refuses_in_one_line_and_writes_nothing(
  recordings, name, flags, message, tmp_path, monkeypatch, capsys
):
  monkeypatch.chdir(recordings)
  out = tmp_path / "new" / "out"
  line = ["talk", f"{name}.wav", f"--out={out}"]
  if "--mesh=cqu" not in flags:
    # A model is asked for last: nothing that is wrong waits for it.
    line.append(f"--checkpoint={recordings}")
  before = sorted(recordings.rglob("*"))
  assert cli.main([*line, *flags]) == 2
  shown, err = capsys.readouterr()
  assert shown == "" and err.count("\n") == 1 and message in err
  assert list(tmp_path.iterdir()) == []
  assert sorted(recordings.rglob("*")) == before


@pytest.mark.parametrize(
  ("flags", "message"),
  [
    (["--documents=nowhere"], "documents='nowhere' is no folder"),
    (["--browse=https://a.b/c"], "browse='https://a.b/c' is no host"),
    (["--background=there"], "background='there' is no address"),
    (["--background=http://127.0.0.1:9/v1"], "needs background-model"),
    (["--background-model=m"], "is of use with --background URL only"),
    (["--mcp=python x.py"], "--mcp=python x.py is of use with --background"),
    (
      [
        "--background=http://127.0.0.1:9/v1",
        "--background-model=m",
        "--mcp=no-such-command",
      ],
      "there is no command 'no-such-command'",
    ),
  ],
  ids=["documents", "browse", "address", "model", "alone", "mcp", "command"],
)
@pytest.mark.parametrize("command", ["talk", "serve"])
def test_a_background_model_that_makes_no_sense_is_one_line(
  recordings, command, flags, message, tmp_path, capsys
):
  out = tmp_path / "out"
  talk = [str(recordings / "good.wav"), f"--out={out}"]
  line = [command, *(talk if command == "talk" else []), *flags]
  assert cli.main(line) == 2
  shown, err = capsys.readouterr()
  assert shown == "" and err.count("\n") == 1 and message in err
  assert not out.exists()


def test_talk_asks_for_a_folder(recordings, capsys):
  assert cli.main(["talk", str(recordings / "good.wav")]) == 2
  assert "needs --out DIR" in capsys.readouterr().err


def test_a_disk_that_is_full_is_one_line(recordings, tmp_path, root):
  """As far as a limit on the size of files is one."""
  code = (
    "import resource, signal, sys; from interaction_jax import __main__ as cli;"
    "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
    "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096));"
    "sys.exit(cli.main(sys.argv[1:]))"
  )
  line = ["talk", str(recordings / "good.wav"), f"--out={tmp_path / 'out'}"]
  done = subprocess.run(
    [sys.executable, "-c", code, *line],
    cwd=root,
    env={**os.environ, "XDG_CACHE_HOME": str(tmp_path)},
    capture_output=True,
    text=True,
  )
  assert (done.returncode, done.stdout) == (2, "")
  assert done.stderr.count("\n") == 1
  assert "out could not be written" in done.stderr
  assert list(tmp_path.iterdir()) == []


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


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
  path = tmp_path_factory.mktemp("bank") / "bank"
  recorder.make(
    path, seed=1, num_clips=300, num_shards=1, num_workers=1, num_voices=3
  )
  return path


@pytest.fixture(scope="module")
def generated(bank, tmp_path_factory):
  """What the command generated, and what it printed."""
  out = tmp_path_factory.mktemp("generated") / "talks"
  shown = io.StringIO()
  line = ["generate", f"--out={out}", f"--bank={bank}", "--episodes=3"]
  with contextlib.redirect_stdout(shown):
    assert cli.main([*line, "--seconds=8", "--seed=4", "--workers=1"]) == 0
  return out, json.loads(shown.getvalue())


def test_what_is_generated_can_be_inspected(generated, capsys):
  out, told = generated
  assert (told["kind"], told["records"], told["seconds"]) == ("records", 3, 24)
  assert cli.main(["inspect", str(out), "--json"]) == 0
  report = json.loads(capsys.readouterr().out)
  assert report["intact"] is True and report["problems"] == []
  assert report["made"] == told["made"] and report["made"]["seed"] == 4
  assert report["streams"]["heard_s"] == 24
  assert cli.main(["inspect", str(out)]) == 0
  shown = capsys.readouterr().out
  assert "intact" in shown and " yes" in shown and "text_out/say" in shown


def test_a_damaged_folder_of_records_is_told(generated, tmp_path, capsys):
  copy = shutil.copytree(generated[0], tmp_path / "copy")
  flip_a_byte(copy)
  assert cli.main(["inspect", str(copy), "--json"]) == 0
  report = json.loads(capsys.readouterr().out)
  assert report["intact"] is False
  assert "00000.arrayrecord has changed" in report["problems"][0]
  (copy / "index.json").write_text("{")
  assert cli.main(["inspect", str(copy)]) == 2
  assert "is not a folder of records" in capsys.readouterr().err


@pytest.mark.parametrize(
  ("flags", "message"),
  [
    ([], "needs --out DIR, the folder to write, or --clips N"),
    (["--out=talks", "--split=test"], "there is train, held_out"),
    (["--out=talks", "--episodes=0"], "episodes=0 must be 1 or more"),
    (["--out=talks", "--seconds=1"], "seconds=1.0 must be 4 or more"),
    (["--clips=5000"], "exists already, so clips=5000 would change nothing"),
    (["--clips=20", "--bank=new"], "num_clips=20 must be"),
  ],
  ids=["nothing", "split", "episodes", "seconds", "bank", "clips"],
)
def test_generate_refuses_in_one_line(
  bank, flags, message, tmp_path, monkeypatch, capsys
):
  monkeypatch.chdir(tmp_path)
  assert cli.main(["generate", f"--bank={bank}", *flags]) == 2
  shown, err = capsys.readouterr()
  assert shown == "" and err.count("\n") == 1 and message in err
  assert list(tmp_path.iterdir()) == []


def test_recordings_are_converted_and_what_is_not_is_told(tmp_path, capsys):
  rng = np.random.default_rng(0)
  lines = []
  for name in ("a", "b"):
    sound = rng.normal(0, 0.1, (32_000, 2))
    soundfile.write(tmp_path / f"{name}.wav", sound, 16_000)
    lines.append(json.dumps({"path": f"{name}.wav", "duration": 2.0}))
  (tmp_path / "talks.jsonl").write_text("\n".join(lines))
  words = [["hello", [0.4, 0.8], "SPEAKER_MAIN"]]
  (tmp_path / "a.json").write_text(json.dumps({"alignments": words}))
  line = ["convert", "moshi", str(tmp_path / "talks.jsonl")]
  assert cli.main([*line, str(tmp_path / "made")]) == 0
  report = json.loads(capsys.readouterr().out)
  assert report["converted"] == 1
  (dropped,) = report["dropped"]
  assert (
    dropped["name"] == "b.wav"
    and "b.json does not exist" in (dropped["reason"])
  )
  assert cli.main(["inspect", str(tmp_path / "made"), "--json"]) == 0
  assert json.loads(capsys.readouterr().out)["intact"] is True
  (tmp_path / "a.json").unlink()
  assert cli.main([*line, str(tmp_path / "none")]) == 2
  err = capsys.readouterr().err
  assert err.count("\n") == 1 and "nothing in" in err and "a.json" in err
  assert not (tmp_path / "none").exists()


CONFIG = """
from interaction_jax.core import settings

def experiment():
  return settings.load({small!r})
"""


def test_told_to_end_before_it_began_a_run_ends_well():
  before = signal.getsignal(signal.SIGTERM)
  with cli._leaving_when_told():
    during = signal.getsignal(signal.SIGTERM)
  assert during != before == signal.getsignal(signal.SIGTERM)
  code = (
    "import os, signal\n"
    "from interaction_jax import __main__ as cli\n"
    "with cli._leaving_when_told():\n"
    "  os.kill(os.getpid(), signal.SIGTERM)\n"
    "  raise SystemExit(3)\n"
  )
  assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.fixture
def voice_line(root, tmp_path):
  """The command that trains a small vocoder on three recordings."""
  (tmp_path / "mine.py").write_text(
    CONFIG.format(small=str(root / "tests" / "small.py"))
  )
  sounds = tmp_path / "sounds"
  sounds.mkdir()
  for seed in range(3):
    phase = np.cumsum(np.full(20_000, 100 + 40 * seed)) / 16_000
    hum = sum(np.cos(2 * np.pi * k * phase) / k for k in range(1, 8))
    soundfile.write(sounds / f"{seed}.wav", 0.1 * hum, 16_000)
  return [
    *("vocoder", f"--config={tmp_path / 'mine.py'}", f"--sounds={sounds}"),
    *("--set=num_steps=6", "--set=save_every=3", "--set=warmup=1"),
    *("--set=batch=2", "--set=frames=20", "--sentences=2"),
  ]


def test_a_voice_is_trained_judged_and_given_to_a_model(
  voice_line, talker, tmp_path, capsys
):
  run, out = tmp_path / "run", tmp_path / "out"
  line = [*voice_line, f"--workdir={run}", "--set=judges=0.1"]
  line += [f"--into={talker}", f"--out={out}"]
  assert cli.main(line) == 0
  shown = capsys.readouterr().out
  assert "griffin_lim" in shown and "WER" in shown
  report = json.loads((run / "report.json").read_text())
  assert report["distances"].keys() == {"vocoder", "griffin_lim"}
  assert report["words"].keys() == {"recorded", "griffin_lim", "vocoder"}
  lines = (run / "metrics.jsonl").read_text().splitlines()
  assert len(lines) == 6 and "held_out/mel" in json.loads(lines[-1])
  trained = checkpoint.load(run / "checkpoint").params["params"]
  before, after = checkpoint.load(talker), checkpoint.load(out)
  for name, leaf in trained.items():
    if not isinstance(leaf, dict):
      np.testing.assert_array_equal(
        after.params["heads"]["vocoder"][name], leaf
      )
  np.testing.assert_array_equal(
    after.params["embed"]["text"]["table"],
    before.params["embed"]["text"]["table"],
  )
  assert after.config == before.config
  assert after.tokenizer == before.tokenizer
  assert cli.main(line) == 2
  assert "exists already; --force replaces it" in capsys.readouterr().err


@pytest.mark.parametrize(
  ("flags", "message"),
  [
    ([], "vocoder needs --workdir DIR"),
    (["--workdir=run", "--into=nano"], "--into CHECKPOINT and --out DIR"),
    (["--workdir=run", "--set=judge=1"], "did you mean judges"),
    (["--workdir=run", "--set=batch=0"], "vocoder_training.batch=0 must be"),
    (["--workdir=run", "--sounds=nothing"], "holds no .wav, .flac or .ogg"),
  ],
  ids=["workdir", "into", "setting", "number", "sounds"],
)
def test_vocoder_refuses_in_one_line(
  flags, message, tmp_path, monkeypatch, capsys
):
  monkeypatch.chdir(tmp_path)
  assert cli.main(["vocoder", *flags]) == 2
  shown, err = capsys.readouterr()
  assert shown == "" and err.count("\n") == 1 and message in err
  assert list(tmp_path.iterdir()) == []


def test_a_run_begins_with_a_model_that_there_is(tmp_path, capsys):
  line = ["train", f"--workdir={tmp_path / 'run'}", "--start=nana"]
  assert cli.main(line) == 2
  told = capsys.readouterr().err
  assert "'nana'" in told and "shipped are: nano" in told
  assert not (tmp_path / "run").exists()


def test_a_reader_that_has_read_enough_is_no_mistake(root):
  line = [sys.executable, "-m", "interaction_jax", "inspect", "tiny"]
  pipe = subprocess.PIPE
  with subprocess.Popen(line, cwd=root, stdout=pipe, stderr=pipe) as run:
    assert run.stdout is not None and run.stderr is not None
    run.stdout.close()
    assert run.stderr.read() == b"" and run.wait() == 1
