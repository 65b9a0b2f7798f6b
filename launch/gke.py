r"""Trains on TPUs of a GKE cluster as a JobSet, one slice or several.

    python launch/gke.py --name run1 --tpu v6e --topology 4x4 \
      --image REGION-docker.pkg.dev/PROJECT/REPO/interaction-jax:1 \
      --claim runs --config nano --workdir /mnt/runs/run1 --mesh data=16 \
      --dry-run

It writes `NAME.json`, which is what `kubectl apply` takes, and applies it. The
cluster needs the JobSet controller, node pools of that TPU, and a claim of a
volume that many nodes may write. A host that is lost restarts all of them,
which go on from the last checkpoint; one that is asked to leave has saved.
"""

import json
import math
import shlex
import sys
from typing import Any

import plan

ACCELERATORS = {
  "v5e": "tpu-v5-lite-podslice",
  "v5p": "tpu-v5p-slice",
  "v6e": "tpu-v6e-slice",
  "tpu7x": "tpu7x",
}
"""What GKE calls each kind, in `cloud.google.com/gke-tpu-accelerator`."""

_AXES = {"v5e": 2, "v6e": 2, "v5p": 3, "tpu7x": 3}
_CHIPS_PER_HOST = 4
_MOST_RESTARTS = 100
_GRACE_S = 60
"""To save in: a run saves within 20 s."""


def jobset(
  *,
  name: str,
  image: str,
  claim: str,
  mount: str,
  tpu: str,
  topology: str,
  slices: int,
  command: list[str],
) -> dict[str, Any]:
  """The JobSet: a job a slice, a pod a host.

  Raises:
    ValueError: the topology is none of that TPU.
  """
  hosts = _hosts(tpu, topology)
  container = {
    "name": "train",
    "image": image,
    "command": command,
    # JAX listens here, and slices find each other here.
    "ports": [{"containerPort": 8471}, {"containerPort": 8080}],
    "resources": {
      "limits": {"google.com/tpu": min(_chips(topology), _CHIPS_PER_HOST)}
    },
    "volumeMounts": [{"name": "runs", "mountPath": mount}],
  }
  pod = {
    "restartPolicy": "Never",
    "terminationGracePeriodSeconds": _GRACE_S,
    "nodeSelector": {
      "cloud.google.com/gke-tpu-accelerator": ACCELERATORS[tpu],
      "cloud.google.com/gke-tpu-topology": topology,
    },
    "containers": [container],
    "volumes": [
      {"name": "runs", "persistentVolumeClaim": {"claimName": claim}}
    ],
  }
  job = {
    "parallelism": hosts,
    "completions": hosts,
    "backoffLimit": 0,
    "template": {"spec": pod},
  }
  return {
    "apiVersion": "jobset.x-k8s.io/v1alpha2",
    "kind": "JobSet",
    "metadata": {
      "name": name,
      "annotations": {
        # One slice is one node pool, whole.
        "alpha.jobset.sigs.k8s.io/exclusive-topology": (
          "cloud.google.com/gke-nodepool"
        ),
      },
    },
    "spec": {
      "failurePolicy": {"maxRestarts": _MOST_RESTARTS},
      "replicatedJobs": [
        {"name": "slice", "replicas": slices, "template": {"spec": job}}
      ],
    },
  }


def _chips(topology: str) -> int:
  return math.prod(int(one) for one in topology.split("x"))


def _hosts(tpu: str, topology: str) -> int:
  """Hosts of a slice.

  Raises:
    ValueError: it is no topology of that TPU.
  """
  sizes = topology.split("x")
  if len(sizes) != _AXES[tpu] or not all(one.isdecimal() for one in sizes):
    example = "4x4" if _AXES[tpu] == 2 else "2x2x4"
    raise ValueError(
      f"--topology={topology} is none of {tpu}, which has {_AXES[tpu]} axes: "
      f"{example}"
    )
  chips = _chips(topology)
  if chips < 1 or (chips > _CHIPS_PER_HOST and chips % _CHIPS_PER_HOST):
    raise ValueError(
      f"--topology={topology} has {chips} chips, which do not fill hosts of "
      f"{_CHIPS_PER_HOST}"
    )
  return max(1, chips // _CHIPS_PER_HOST)


def main(line: list[str]) -> int:
  """Makes the plan, and carries it out."""
  parser = plan.flags(__doc__ or "")
  add = parser.add_argument
  add("--name", required=True, help="of the JobSet")
  add("--tpu", required=True, choices=ACCELERATORS, help="its kind")
  add("--topology", required=True, help="of a slice: 4x4, or 2x2x4 for v5p")
  add("--slices", type=int, default=1, help="how many (default 1)")
  add("--image", required=True, help="with interaction-jax[tpu,data] in it")
  add("--claim", required=True, help="PersistentVolumeClaim, ReadWriteMany")
  add("--mount", default="/mnt/runs", help="where (default /mnt/runs)")
  given = parser.parse_args(line)
  if given.slices < 1:
    parser.error(f"--slices={given.slices} must be 1 or more")
  if not given.workdir.startswith(given.mount.rstrip("/") + "/"):
    parser.error(f"--workdir={given.workdir} must lie in {given.mount}")
  try:
    made = jobset(
      name=given.name,
      image=given.image,
      claim=given.claim,
      mount=given.mount,
      tpu=given.tpu,
      topology=given.topology,
      slices=given.slices,
      # exec, so that SIGTERM reaches the run and not a shell.
      command=[
        *("sh", "-c"),
        f"exec {shlex.join(plan.train(given, '--distributed'))}",
      ],
    )
  except ValueError as error:
    parser.error(str(error))
  file = f"{given.name}.json"
  return plan.carry_out(
    plan.Plan(
      _needs(given.claim),
      (("kubectl", "apply", f"--filename={file}"),),
      {file: json.dumps(made, indent=2) + "\n"},
    ),
    dry_run=given.dry_run,
  )


def _needs(claim: str) -> tuple[plan.Need, ...]:
  ask = ("kubectl", "get", "--output=name")
  kind = plan.answer(*ask, "crd", "jobsets.jobset.x-k8s.io")
  volume = plan.answer(*ask, "persistentvolumeclaim", claim)
  return (
    plan.program("kubectl", "install kubectl, then get-credentials of gcloud"),
    plan.Need(
      "the JobSet controller in the cluster",
      bool(kind),
      "install it as its own documentation says, jobset.sigs.k8s.io",
    ),
    plan.Need(
      f"the volume claim {claim}",
      bool(volume),
      "make one with accessModes: [ReadWriteMany], such as Filestore",
    ),
  )


if __name__ == "__main__":
  sys.exit(main(sys.argv[1:]))
