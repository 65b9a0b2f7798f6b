"""What README and docs/ tell one to do is done, page by page, in its order.

The commands are those of the pages, and what they do is smaller: training is
one update on short rows, a suite has an item, a server is told to end once it
is well. What a page takes for granted (recordings of the reader's own, a
certificate) is laid out beforehand. Three kinds are left to other tests: those
with a word in capitals, which the reader is to replace; `bench` and `fit`,
which measure for minutes, and whose results are kept; installations.

The how-tos are walked with every run of the tests, the other pages with
`pytest --walk`.
"""

import json
import os
import re
import signal
import ssl
import subprocess
import sys
import time
import traceback
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from tests.film import film
from tests.pages import PAGES, ROOT, SHOWN, commands, name

WALKED = {"talk", "replay", "inspect", "convert", "generate", "train"}
WALKED |= {"evaluate", "serve"}
PROGRAM = (sys.executable, "-m", "interaction_jax")
ALTERNATIVES = {"talk", "convert", "evaluate", "generate"}
# What the reader is to fill in.
BLANK = re.compile(r"\b[A-Z]{3,}\b")
SMALL = ("num_steps=1", "save_every=1", "data.workers=0")
SMALL += ("data.num_turns=12", "data.positions=160")
RATE = 16_000
SECONDS = 5


def lines(page):
  """What is walked of a page, each line once, in its order."""
  found = [
    tuple(words[1:])
    for words in commands(page)
    if words[0] == "interaction-jax" and words[1] in WALKED
  ]
  return [
    list(line)
    for line in dict.fromkeys(found)
    # Published data are the reader's to bring, too.
    if not any(BLANK.search(word) or word == "--data" for word in line)
  ]


WITH_LINES = [page for page in PAGES + SHOWN if lines(page)]
EVALUATIONS = [page for page in WITH_LINES if page.parent.name == "benchmarks"]
HOW_TO = [page for page in WITH_LINES if page.parent.name == "how-to"]
REST = [
  page for page in WITH_LINES if page not in EVALUATIONS and page not in HOW_TO
]


@pytest.mark.parametrize(
  "pages", [HOW_TO, EVALUATIONS, REST], ids=["how-to", "evaluations", "rest"]
)
def test_the_commands_of_the_pages_do_what_they_say(
  pages, tmp_path, quick_flags, request
):
  # The others take seven minutes of a core. Suites, servers, training and the
  # first command of README have tests of their own, which always run.
  if pages is not HOW_TO and not request.config.getoption("--walk"):
    pytest.skip("takes minutes; pytest --walk does it")
  run = subprocess.run(
    [sys.executable, __file__, *map(name, pages)],
    cwd=tmp_path,
    env=os.environ
    | {"PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    | {"JAX_PLATFORMS": "cpu", "OPENAI_API_KEY": "none"}
    # Runs of training on several pages are one program.
    | {"JAX_COMPILATION_CACHE_DIR": str(tmp_path / "programs")}
    | {"XLA_FLAGS": "" if pages is EVALUATIONS else quick_flags},
    capture_output=True,
    text=True,
  )
  ran = json.loads((tmp_path / "ran.json").read_text())
  assert {page: [one[0] for one in ran[page]] for page in ran} == {
    name(page): lines(page) for page in pages
  }, run.stderr
  failed = [(p, line) for p in ran for line, code in ran[p] if code != 0]
  assert not failed, f"{failed}\n{run.stdout}\n{run.stderr}"


def test_every_kind_of_command_is_walked():
  walked = [line[0] for page in WITH_LINES for line in lines(page)]
  assert min(walked.count(kind) for kind in WALKED) > 1
  assert len(walked) > 50


def _smaller(line):
  """The same line with less to do."""
  kind, *flags = line
  given = " ".join(flags)
  if kind == "train":
    mesh = re.search(r"data=(\d)", given)
    more = [*SMALL, f"batch={mesh[1] if mesh else 1}"]
    return [*line, *(w for one in more for w in ("--set", f"train.{one}"))]
  if kind == "generate" and "--out" not in flags:
    return _with(line, bank="new_bank", clips=10_000)
  if kind == "generate":
    return _with(line, episodes=2, seconds=10)
  if kind == "evaluate" and "behaviours" in flags:
    line = _with(line, items=1, row="turn_taking", bank="bank", out="report")
    return line if "--noother" in line else [*line, "--noother"]
  if kind == "evaluate":
    return _with(line, items=1)
  return line


def _with(line, **flags):
  """The line with flags of our choice, whatever they were."""
  line = list(line)
  for flag, value in flags.items():
    name = f"--{flag}"
    if name in line:
      line[line.index(name) + 1] = str(value)
    else:
      line += [name, str(value)]
  return line


def _lay_out(page, bank):
  """What a page takes for granted, in the folder where one is."""
  import soundfile

  sound, rate = soundfile.read(
    ROOT / "examples" / "conversation.flac", dtype="float32"
  )
  assert rate == RATE
  voice = sound[: SECONDS * RATE]
  soundfile.write("voice.wav", voice, RATE)
  Path("examples").symlink_to(ROOT / "examples")
  Path("bank").symlink_to(bank)
  Path("my.py").write_text((ROOT / "configs" / "tiny.py").read_text())
  Path("notes").mkdir()
  Path("notes", "codes.txt").write_text("anna: red box\n")
  if not any("runs/mine" in line for line in lines(page)):
    # It was trained on another page.
    Path("runs/mine").mkdir(parents=True)
    nano = ROOT / "interaction_jax" / "assets" / "nano"
    Path("runs/mine/model").symlink_to(nano)
  Path("tokens").write_text("a-secret-of-this-test\n")
  line = "openssl req -x509 -nodes -newkey rsa:2048 -keyout key.pem"
  line += " -out cert.pem -subj /CN=localhost"
  subprocess.run(line.split(), check=True, capture_output=True)
  _lay_out_recordings(voice)


def _lay_out_recordings(voice):
  """One conversation in three layouts, the assistant's words with times."""
  import soundfile

  # It says one word, half a second long.
  reply = np.zeros_like(voice)
  reply[RATE : RATE + RATE // 2] = 0.1 * np.sin(np.arange(RATE // 2) * 0.1)
  Path("talks").mkdir()
  Path("stereo").mkdir()
  Path("videos").mkdir()
  soundfile.write("talks/a.wav", np.stack([voice, reply], 1), RATE)
  recording = {"id": "a", "sampling_rate": RATE, "num_samples": len(voice)}
  source = {"type": "file", "channels": [0, 1], "source": "a.wav"}
  segment = {"recording_id": "a", "start": 1.0, "duration": 0.5}
  segment |= {"channel": 1, "text": "book"}
  _write("talks/recordings.jsonl", recording | {"sources": [source]})
  _write("talks/supervisions.jsonl", segment)
  soundfile.write("stereo/a.wav", np.stack([reply, voice], 1), RATE)
  _write("talks.jsonl", {"path": "stereo/a.wav", "duration": SECONDS})
  _write(
    "stereo/a.json", {"alignments": [["book", [1.0, 1.5], "SPEAKER_MAIN"]]}
  )
  film(Path("videos/a.mp4"))
  Path("videos/a.srt").write_text("1\n00:00:00,100 --> 00:00:01,000\nbook\n")


def _write(path, line):
  Path(path).write_text(json.dumps(line) + "\n")


def _devices(line):
  """An environment with as many devices as the mesh of a line has."""
  count = 1
  if "--mesh" in line:
    for size in re.findall(r"=(\d+)", line[line.index("--mesh") + 1]):
      count *= int(size)
  forced = f"--xla_force_host_platform_device_count={count}"
  return os.environ | {"XLA_FLAGS": f"{os.environ['XLA_FLAGS']} {forced}"}


def _do(line):
  """Does it here, or where there are other devices; returns its code."""
  from interaction_jax import __main__ as cli

  if line[0] == "serve":
    return _serve(line)
  if "--mesh" in line and line[0] != "inspect":
    return subprocess.run([*PROGRAM, *line], env=_devices(line)).returncode
  return cli.main(line)


def _serve(line):
  """Starts a server, asks whether it is well, and tells it to end."""
  run = [*PROGRAM, *line, "--port=0"]
  # Its own certificate signs itself.
  context = ssl._create_unverified_context()
  env = _devices(line)
  with subprocess.Popen(
    run, stderr=subprocess.PIPE, text=True, env=env
  ) as server:
    assert server.stderr is not None
    for told in server.stderr:
      if '"listening"' in told:
        url = json.loads(told)["at"].replace("0.0.0.0", "127.0.0.1")
        break
    else:
      return server.wait()
    for _ in range(600):
      try:
        with urllib.request.urlopen(f"{url}/healthz", context=context):
          break
      except urllib.error.HTTPError as error:
        assert error.code == 503, error
        time.sleep(0.2)
    else:
      server.kill()
      return 1
    server.send_signal(signal.SIGTERM)
    server.stderr.read()
    return server.wait(timeout=60)


def _walk(page, bank):
  """Does what a page says; returns each line with its code."""
  _lay_out(page, bank)
  ran = []
  for line in lines(page):
    smaller = _smaller(line)
    if line[0] in ALTERNATIVES and "--force" not in line:
      # Pages show several ways to make one folder.
      smaller = [*smaller, "--force"]
    try:
      code = _do(smaller)
    except Exception:
      traceback.print_exc()
      code = 70
    ran.append((line, code))
  return ran


def _main(pages):
  from interaction_jax.data.synthetic import recorder

  home = Path.cwd()
  bank = recorder.make(
    home / "bank", seed=1, num_clips=1500, num_shards=2, num_voices=3
  ).path
  ran = {}
  for number, page in enumerate(pages):
    folder = home / str(number)
    folder.mkdir()
    os.chdir(folder)
    ran[page] = _walk(ROOT / page, bank)
  (home / "ran.json").write_text(json.dumps(ran))


if __name__ == "__main__":
  _main(sys.argv[1:])
