r"""Trains on GPU nodes under Slurm, a process a GPU.

    python launch/slurm.py --name run1 --nodes 2 --gpus 8 --time 24:00:00 \
      --config nano --workdir /shared/runs/run1 --mesh expert=8,data=2 --dry-run

It writes `NAME.sbatch` and submits it. Two minutes before its time is over
Slurm sends SIGTERM; the run saves, and the job is queued again and goes on. A
job that is preempted Slurm itself queues again. JAX learns from Slurm where
the others are.
"""

import re
import shlex
import sys
from pathlib import Path

import plan


def script(
  *,
  name: str,
  nodes: int,
  gpus: int,
  time: str,
  partition: str | None,
  environment: str,
  command: list[str],
) -> str:
  """The batch script."""
  options = [
    f"--job-name={name}",
    f"--nodes={nodes}",
    f"--ntasks-per-node={gpus}",
    f"--gpus-per-node={gpus}",
    f"--time={time}",
    f"--output={name}-%j.log",
    "--requeue",
    "--open-mode=append",
    # To this script, which hands it on and knows then why the run ended.
    "--signal=B:TERM@120",
    *([f"--partition={partition}"] if partition else []),
  ]
  lines = ["#!/bin/bash", *(f"#SBATCH {one}" for one in options), ""]
  lines += [
    f"source {shlex.quote(environment + '/bin/activate')}",
    "asked=",
    """trap 'asked=1; kill -TERM "$run"' TERM""",
    # One process sees one GPU, its own.
    f"srun --gpus-per-task=1 --kill-on-bad-exit=1 {shlex.join(command)} &",
    "run=$!",
    'wait "$run"',
    "code=$?",
    'if [ -n "$asked" ]; then',
    "  # The first wait ended with the signal, not with the run.",
    '  wait "$run"',
    "  code=$?",
    '  [ "$code" = 0 ] && scontrol requeue "$SLURM_JOB_ID"',
    "fi",
    'exit "$code"',
  ]
  return "\n".join(lines) + "\n"


def main(line: list[str]) -> int:
  """Makes the plan, and carries it out."""
  parser = plan.flags(__doc__ or "")
  add = parser.add_argument
  add("--name", required=True, help="of the job")
  add("--nodes", type=int, default=1, help="how many (default 1)")
  add("--gpus", type=int, default=8, help="of each node (default 8)")
  add("--time", default="24:00:00", help="limit (default 24:00:00)")
  add("--partition", help="of the cluster; else its usual one")
  add(
    "--environment",
    default=".venv",
    help="a virtual environment that all nodes see (default .venv)",
  )
  given = parser.parse_args(line)
  for name in ("nodes", "gpus"):
    if getattr(given, name) < 1:
      parser.error(f"--{name}={getattr(given, name)} must be 1 or more")
  if not re.fullmatch(r"(\d+-)?\d+(:\d\d){1,2}", given.time):
    parser.error(f"--time={given.time} is not such as 24:00:00 or 2-00:00:00")
  file = f"{given.name}.sbatch"
  environment = Path(given.environment).absolute()
  text = script(
    name=given.name,
    nodes=given.nodes,
    gpus=given.gpus,
    time=given.time,
    partition=given.partition,
    environment=str(environment),
    command=plan.train(given, "--distributed"),
  )
  needs = (
    plan.program("sbatch", "run this on a login node of the cluster"),
    plan.Need(
      f"an environment in {environment}",
      (environment / "bin" / plan.TRAIN).exists(),
      "python -m venv it, on a shared disk; pip install '.[cuda,data]'",
    ),
  )
  return plan.carry_out(
    plan.Plan(needs, (("sbatch", file),), {file: text}),
    dry_run=given.dry_run,
  )


if __name__ == "__main__":
  sys.exit(main(sys.argv[1:]))
