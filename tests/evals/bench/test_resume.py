import json
import sys

import pytest

from interaction_jax.evals.bench import resume
from interaction_jax.evals.bench.resume import Line

# A run in small: it saves every second step, is killed or told to end, and
# goes on. With --drift it is another one whenever it is begun.
SCRIPT = """
import json, signal, sys, time
from pathlib import Path

import numpy as np
from interaction_jax.core import checkpoint

asked = []
signal.signal(signal.SIGTERM, lambda *told: asked.append(1))
folder = Path(sys.argv[-1].partition("=")[2])
(folder / "checkpoints").mkdir(parents=True, exist_ok=True)
value, step = np.float32(1), 0
drift = np.float32(time.time() % 1000) if "--drift" in sys.argv else 0
saved = sorted((folder / "checkpoints").glob("0*"))
if saved:
  loaded = checkpoint.load(saved[-1]).params
  value, step = np.float32(loaded["value"]), int(saved[-1].name)
metrics = folder / "metrics.jsonl"
lines = metrics.read_text().splitlines(True)[:step] if saved else []
metrics.write_text("".join(lines))
while step < 12:
  time.sleep(0.1)
  value = np.float32(value * 1.1) + drift
  step += 1
  line = {"step": step - 1, "loss": float(value), "seconds": time.time()}
  with metrics.open("a") as file:
    print(json.dumps(line), file=file)
  if step % 2 == 0 or asked:
    checkpoint.save(
      folder / "checkpoints" / f"{step:08}", {"value": value}, config={}
    )
  if asked:
    break
"""


@pytest.fixture(scope="module")
def line(tmp_path_factory):
  script = tmp_path_factory.mktemp("script") / "run.py"
  script.write_text(SCRIPT)

  def make(*arguments):
    return Line(arguments, program=(sys.executable, str(script)))

  return make


def test_a_run_that_goes_on_as_it_was_is_found_identical(line):
  done = []
  report = resume.run(
    line(), num_kills=2, num_stops=2, progress=lambda *told: done.append(told)
  )
  json.dumps(report)
  assert report["steps"] == 12
  assert 0 < report["first_step_s"] < report["whole_s"]
  for name, code in (("killed", -9), ("told", 0)):
    ends = report[name]
    assert ends["identical"], ends
    assert len(ends["blows"]) == 2
    # The first is struck at work, the second while it starts, or so: starting
    # may take less time than before.
    assert ends["blows"][0]["steps"] > 0
    assert all(one["lines"] == 12 for one in ends["runs"])
    for blow in ends["blows"]:
      assert blow["after_s"] > 0 and blow["left_s"] >= 0
      # Before it could listen, to be told to end is to end.
      assert blow["code"] in (code, -15 if code == 0 else code)
  (row,) = report["rows"]
  assert row["n"] == 2 and row["ours_ms"] >= 0
  assert done == [(n, 5) for n in range(1, 6)]
  said = resume.summary(report)
  assert said.count("are those of the whole run") == 2
  at_work = sum(blow["steps"] > 0 for blow in report["killed"]["blows"])
  assert f"killed 2 times, {at_work} of them at work" in said


def test_a_run_that_does_not_is_found_out(line, tmp_path):
  report = resume.run(
    line("--drift"), num_kills=1, num_stops=0, folder=tmp_path
  )
  killed = report["killed"]
  assert not killed["identical"]
  for one in killed["runs"]:
    assert one["first_difference"] == 0 and not one["same_checkpoint"]
  assert "DIFFERENT from step 0 on" in resume.summary(report)
  assert report["rows"] == []


def test_a_run_that_fails_by_itself_is_told(tmp_path):
  with pytest.raises(ValueError, match="ended with code 3"):
    resume.run(
      Line((), program=(sys.executable, "-c", "raise SystemExit(3)")),
      folder=tmp_path,
    )
