import os
import subprocess
import sys

import pytest

from interaction_jax import __main__ as cli


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
