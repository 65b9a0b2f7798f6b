r"""Trains on Cloud TPU VMs, one host or many, through a queued resource.

    python launch/tpu_vm.py --name run1 --zone us-east5-a \
      --accelerator v6e-64 --share 10.0.0.2:/runs \
      --config interaction_276b --workdir /mnt/runs/run1 --mesh v6e_64 --dry-run

It asks for the TPUs, waits until they are there, mounts a share on all hosts,
installs a wheel made of this checkout (the system image has an older Python, so
uv brings one), and starts the same training command on every host; JAX finds
the others by itself. When a spot machine is taken back the run has saved; give
the same line again and it goes on.
"""

import re
import shlex
import sys
from pathlib import Path

import plan

RUNTIMES = {
  "v5litepod": "v2-alpha-tpuv5-lite",
  "v5p": "v2-alpha-tpuv5",
  "v6e": "v2-alpha-tpuv6e",
}
"""The system image for each kind of TPU VM. tpu7x is had on GKE alone."""

DIST = "dist"
_UV = "~/.local/bin/uv"
_HOME = "~/interaction"


def main(line: list[str]) -> int:
  """Makes the plan, and carries it out."""
  parser = plan.flags(__doc__ or "")
  add = parser.add_argument
  add("--name", required=True, help="of the TPU and of its request")
  add("--zone", required=True, help="such as us-east5-a")
  add("--accelerator", required=True, help="such as v6e-64 or v5p-128")
  add("--share", required=True, help="NFS export that hosts see: HOST:/PATH")
  add("--runtime", help="system image; else the usual one of the kind")
  add("--spot", action="store_true", help="cheaper, and may be taken back")
  given = parser.parse_args(line)
  kind, _, size = given.accelerator.partition("-")
  if kind not in RUNTIMES or not size.isdecimal():
    parser.error(
      f"--accelerator={given.accelerator} is none of "
      f"{', '.join(f'{one}-N' for one in RUNTIMES)}"
    )
  if not re.fullmatch(r"[^:/\s]+:/\S*", given.share):
    parser.error(f"--share={given.share} is not HOST:/PATH")
  mount = _mount(given.workdir, parser.error)
  place = [f"--zone={given.zone}"]
  ask = ["gcloud", "compute", "tpus", "queued-resources", "create", given.name]
  ask += [f"--node-id={given.name}", *place]
  ask += [f"--accelerator-type={given.accelerator}"]
  ask += [f"--runtime-version={given.runtime or RUNTIMES[kind]}"]
  ask += ["--spot"] if given.spot else []
  # A request that is there already is gone on with.
  known = (
    f"gcloud compute tpus queued-resources describe {given.name} {place[0]}"
  )
  asked = f"{known} --format='value(state.state)'"
  ready = f'until [ "$({asked})" = ACTIVE ]; do sleep 30; done'

  def everywhere(command: str) -> tuple[str, ...]:
    return (
      *("gcloud", "compute", "tpus", "tpu-vm", "ssh", given.name, *place),
      *("--worker=all", f"--command={command}"),
    )

  send = ["gcloud", "compute", "tpus", "tpu-vm", "scp", "--recurse", DIST]
  # A config of one's own goes along; a shipped one is in the wheel.
  own = Path(given.config)
  if own.is_file():
    send.append(str(own))
    given.config = own.name
  commands = (
    ("pip", "wheel", "--no-deps", f"--wheel-dir={DIST}", "."),
    ("sh", "-c", f"{known} >/dev/null 2>&1 || {shlex.join(ask)}"),
    ("sh", "-c", ready),
    (*send, f"{given.name}:", *place, "--worker=all"),
    everywhere(
      "sudo apt-get install -qy nfs-common && "
      f"sudo mkdir -p {mount} && "
      f"(mountpoint -q {mount} || sudo mount -t nfs {given.share} {mount})"
    ),
    everywhere(
      "python3 -m pip install -q --user uv && "
      f"{_UV} venv -q --allow-existing --python 3.12 {_HOME} && "
      # A path with extras behind it is one requirement.
      f"{_UV} pip install -q --python {_HOME} "
      '"$(ls -t dist/interaction_jax-*.whl | head -1)[tpu,data]"'
    ),
    everywhere(
      f"{_HOME}/bin/" + shlex.join(plan.train(given, "--distributed"))
    ),
  )
  return plan.carry_out(plan.Plan(_needs(), commands), dry_run=given.dry_run)


def _needs() -> tuple[plan.Need, ...]:
  project = plan.answer("gcloud", "config", "get-value", "project")
  account = plan.answer("gcloud", "config", "get-value", "account")
  return (
    plan.program("gcloud", "install the Google Cloud CLI"),
    plan.Need(
      "an account that gcloud acts for", bool(account), "gcloud auth login"
    ),
    plan.Need(
      "a project, with the Cloud TPU API and quota for the zone",
      bool(project),
      "gcloud config set project NAME; "
      "gcloud services enable tpu.googleapis.com",
    ),
    plan.Need(
      "a checkout of interaction_jax as working folder",
      Path("pyproject.toml").is_file(),
      "cd to the root of the checkout",
    ),
  )


def _mount(workdir: str, refuse) -> str:
  """The first two parts of a path: where the share is mounted."""
  parts = Path(workdir).parts
  if len(parts) < 4 or parts[0] != "/":
    refuse(f"--workdir={workdir} must lie on the share: /mnt/runs/NAME")
  return str(Path(*parts[:3]))


if __name__ == "__main__":
  sys.exit(main(sys.argv[1:]))
