"""Any launch: what is said, what is done, and when nothing is."""

import pytest

LINE = "--config tiny --workdir /mnt/runs/a --mesh data=2"


def test_a_dry_run_says_all_and_does_nothing(launch, tmp_path):
  done = launch("slurm.py", f"{LINE} --name one --dry-run")
  assert done.returncode == 0, done.stderr
  assert "MISSING the program sbatch" in done.stdout
  assert "run this on a login node" in done.stdout
  assert "#SBATCH --nodes=1" in done.stdout
  assert done.stdout.rstrip().endswith("run     sbatch one.sbatch")
  assert not (tmp_path / "one.sbatch").exists()


def test_what_is_missing_stops_it_before_anything(launch, tmp_path):
  done = launch("slurm.py", f"{LINE} --name one")
  assert done.returncode == 2
  assert "2 missing, nothing was done" in done.stderr
  assert not (tmp_path / "one.sbatch").exists()


def test_settings_reach_the_training_command(launch):
  line = f"{LINE} --name a --set train.num_steps=5 --set train.seed=2"
  done = launch("slurm.py", f"{line} --start /ckpt --dry-run")
  assert (
    "interaction-jax train --config=tiny --workdir=/mnt/runs/a --mesh=data=2 "
    "--start=/ckpt --set=train.num_steps=5 --set=train.seed=2 --distributed"
  ) in done.stdout


def test_the_command_is_one_that_train_takes(script):
  """Flags that a launch hands on, held against those of the command line."""
  from interaction_jax.command.table import COMMANDS

  plan = script("plan")
  given = plan.flags("").parse_args(
    [*LINE.split(), "--start=x", "--set=train.seed=1"]
  )
  _, name, *flags = plan.train(given, "--distributed", "--process=1")
  known = {flag.name for flag in COMMANDS[name].flags}
  used = {flag.removeprefix("--").partition("=")[0] for flag in flags}
  assert used == {
    *("config", "workdir", "mesh", "start", "set"),
    *("distributed", "process"),
  }
  assert used <= known


@pytest.mark.parametrize(
  ("command", "wanted", "after"), [("false", 1, ""), ("true", 0, "second")]
)
def test_a_command_that_fails_ends_the_launch(
  script, capfd, command, wanted, after
):
  plan = script("plan")
  commands = ((command,), ("echo", "second"))
  assert plan.carry_out(plan.Plan((), commands), dry_run=False) == wanted
  out, err = capfd.readouterr()
  assert out.endswith("second\n") == bool(after)
  assert ("it ended with 1; the rest was not run" in err) == bool(wanted)
