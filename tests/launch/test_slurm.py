"""Slurm: a batch script that is run here, with a stand-in for the cluster."""

import signal
import subprocess
import time

import pytest

LINE = (
  "--config tiny --workdir /shared/a --mesh data=2 --name one --nodes 2 "
  "--gpus 4 --time 1-00:00:00 --partition big"
)


def test_a_job_has_a_process_a_gpu(launch, tmp_path, programs):
  programs("sbatch", 'echo "submitted $1"')
  (tmp_path / ".venv" / "bin").mkdir(parents=True)
  (tmp_path / ".venv" / "bin" / "interaction-jax").touch()
  done = launch("slurm.py", LINE)
  assert done.returncode == 0, done.stdout + done.stderr
  assert "submitted one.sbatch" in done.stdout
  text = (tmp_path / "one.sbatch").read_text()
  for option in (
    *("--nodes=2", "--ntasks-per-node=4", "--gpus-per-node=4"),
    *("--time=1-00:00:00", "--partition=big", "--requeue"),
  ):
    assert f"#SBATCH {option}\n" in text
  assert f"source {tmp_path}/.venv/bin/activate" in text


@pytest.mark.parametrize("case", ["asked", "done", "failed"])
def test_a_run_that_was_asked_to_leave_is_queued_again(
  script, tmp_path, programs, case
):
  """Bash runs the script; srun and scontrol are stand-ins of ours."""
  (tmp_path / "env" / "bin").mkdir(parents=True)
  (tmp_path / "env" / "bin" / "activate").touch()
  waits = (
    f"trap 'echo saved >> {tmp_path}/log; exit 0' TERM\n"
    f"echo begun >> {tmp_path}/log\nwhile :; do sleep 0.02; done"
  )
  ends = f"echo begun >> {tmp_path}/log; exit {int(case == 'failed')}"
  programs("srun", waits if case == "asked" else ends)
  programs("scontrol", f'echo "$1 $2" >> {tmp_path}/log')
  text = script("slurm").script(
    name="one",
    nodes=1,
    gpus=1,
    time="1:00",
    partition=None,
    environment=str(tmp_path / "env"),
    command=["interaction-jax", "train"],
  )
  run = subprocess.Popen(
    ["/bin/bash", "-c", text],
    env={"PATH": f"{tmp_path}/programs:/usr/bin:/bin", "SLURM_JOB_ID": "7"},
  )
  if case == "asked":
    log = tmp_path / "log"
    while not log.exists():
      time.sleep(0.02)
    run.send_signal(signal.SIGTERM)
  code = run.wait(900)
  said = (tmp_path / "log").read_text().splitlines()
  assert code == int(case == "failed")
  wanted = ["begun", "saved", "requeue 7"] if case == "asked" else ["begun"]
  assert said == wanted


@pytest.mark.parametrize(
  ("flag", "message"),
  [
    ("--nodes=0", "--nodes=0 must be 1 or more"),
    ("--time=soon", "--time=soon is not such as 24:00:00"),
  ],
)
def test_mistakes_are_told(launch, flag, message):
  done = launch("slurm.py", f"{LINE} --dry-run {flag}")
  assert done.returncode == 2 and message in done.stderr
