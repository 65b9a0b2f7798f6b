"""Cloud TPU VMs: what gcloud would be asked, and a launch with a stand-in."""

import pytest

LINE = (
  "--config tiny --workdir /mnt/runs/a --mesh data=16 --name one "
  "--zone us-east5-a --accelerator v6e-16 --share 10.0.0.2:/runs"
)


def test_the_plan_asks_waits_installs_and_trains(launch, tmp_path):
  done = launch("tpu_vm.py", f"{LINE} --spot --dry-run")
  assert done.returncode == 0, done.stderr
  assert "cd to the root of the checkout" in done.stdout
  runs = [
    line.removeprefix("run").strip()
    for line in done.stdout.splitlines()
    if line.startswith("run")
  ]
  wheel, ask, wait, send, mount, install, train = runs
  assert wheel.startswith("pip wheel --no-deps")
  for part in (
    *("queued-resources create one", "--accelerator-type=v6e-16"),
    *("--runtime-version=v2-alpha-tpuv6e", "--spot", "--zone=us-east5-a"),
  ):
    assert part in ask
  assert "= ACTIVE ]; do sleep 30" in wait
  assert send.endswith("dist one: --zone=us-east5-a --worker=all")
  assert "mount -t nfs 10.0.0.2:/runs /mnt/runs" in mount
  assert "[tpu,data]" in install and "--python 3.12" in install
  assert "--worker=all" in train
  assert (
    "~/interaction/bin/interaction-jax train --config=tiny "
    "--workdir=/mnt/runs/a --mesh=data=16 --distributed"
  ) in train


def test_a_launch_does_what_the_plan_says(launch, tmp_path, programs):
  """gcloud is a stand-in that knows no such request, and then has it."""
  log = tmp_path / "log"
  programs("pip", f'echo "pip $1" >> {log}')
  programs(
    "gcloud",
    f"""echo "$1 $4 $5" >> {log}
case "$*" in
  *get-value*) echo someone ;;
  *describe*format*) echo ACTIVE ;;
  *describe*) exit 1 ;;
esac""",
  )
  (tmp_path / "pyproject.toml").touch()
  (tmp_path / "mine.py").touch()
  done = launch("tpu_vm.py", LINE.replace("tiny", "./mine.py"))
  assert done.returncode == 0, done.stdout + done.stderr
  said = log.read_text().splitlines()
  assert said[-8:] == [
    "pip wheel",
    # Not there, so it is asked for; then there.
    "compute describe one",
    "compute create one",
    "compute describe one",
    "compute scp --recurse",
    *["compute ssh one"] * 3,
  ]
  assert "dist mine.py one:" in done.stdout
  assert "train --config=mine.py" in done.stdout


@pytest.mark.parametrize(
  ("flag", "message"),
  [
    ("--accelerator=tpu7x-8", "is none of v5litepod-N, v5p-N, v6e-N"),
    ("--share=/runs", "--share=/runs is not HOST:/PATH"),
    ("--workdir=run1", "--workdir=run1 must lie on the share"),
  ],
)
def test_mistakes_are_told(launch, flag, message):
  done = launch("tpu_vm.py", f"{LINE} --dry-run {flag}")
  assert done.returncode == 2 and message in done.stderr
