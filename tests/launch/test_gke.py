"""GKE: the JobSet, held against the fields that its published schema has."""

import json

import pytest

LINE = (
  "--config tiny --workdir /mnt/runs/a --mesh data=32 --name one --tpu v6e "
  "--topology 4x4 --slices 2 --image registry/image:1 --claim runs"
)


def written(launch, line=LINE):
  done = launch("gke.py", f"{line} --dry-run")
  assert done.returncode == 0, done.stderr
  lines = done.stdout.splitlines()
  first = lines.index("write   one.json") + 1
  return json.loads("\n".join(lines[first:-1]))


def unknown(value, schema, path="$"):
  """What of a document the schema does not have, or has otherwise."""
  kind = schema["type"]
  plain = {
    "string": str,
    "integer": int,
    "boolean": bool,
    "object": dict,
    "array": list,
  }
  if kind == "quantity":
    return [] if isinstance(value, int | str) else [f"{path}: {value!r}"]
  if not isinstance(value, plain[kind]):
    return [f"{path}: {value!r} is no {kind}"]
  if kind == "array":
    return [
      found
      for place, one in enumerate(value)
      for found in unknown(one, schema["items"], f"{path}[{place}]")
    ]
  if kind != "object":
    return []
  fields = schema.get("properties")
  if fields is None:
    # A map of names to values of one type.
    each = schema["values"]
    return [
      x for k, v in value.items() for x in unknown(v, each, f"{path}.{k}")
    ]
  found = [f"{path}: no field {name}" for name in value if name not in fields]
  found += [
    f"{path}: {name} is missing"
    for name in schema.get("required", ())
    if name not in value
  ]
  for name, one in value.items():
    if name in fields:
      found += unknown(one, fields[name], f"{path}.{name}")
  return found


@pytest.fixture
def schema(root):
  """Names and types of JobSet v1alpha2 (release 0.12) along our document."""
  return json.loads((root / "tests/launch/jobset_v1alpha2.json").read_text())


def test_a_jobset_has_the_fields_of_the_schema(launch, schema):
  made = written(launch)
  assert unknown(made, schema) == []
  assert made["apiVersion"] == "jobset.x-k8s.io/v1alpha2"
  (job,) = made["spec"]["replicatedJobs"]
  # 16 chips, 4 of them a host.
  assert job["replicas"] == 2
  assert job["template"]["spec"]["parallelism"] == 4
  assert job["template"]["spec"]["completions"] == 4
  pod = job["template"]["spec"]["template"]["spec"]
  assert pod["nodeSelector"] == {
    "cloud.google.com/gke-tpu-accelerator": "tpu-v6e-slice",
    "cloud.google.com/gke-tpu-topology": "4x4",
  }
  (container,) = pod["containers"]
  assert container["command"][-1] == (
    "exec interaction-jax train --config=tiny --workdir=/mnt/runs/a "
    "--mesh=data=32 --distributed"
  )
  assert container["resources"] == {"limits": {"google.com/tpu": 4}}


@pytest.mark.parametrize(
  ("change", "found"),
  [
    (lambda x: x["spec"].update(replicas=2), "$.spec: no field replicas"),
    (
      lambda x: x["spec"]["replicatedJobs"][0].pop("name"),
      "$.spec.replicatedJobs[0]: name is missing",
    ),
    (
      lambda x: x["spec"]["failurePolicy"].update(maxRestarts="3"),
      "$.spec.failurePolicy.maxRestarts: '3' is no integer",
    ),
  ],
)
def test_the_check_finds_what_is_wrong(launch, schema, change, found):
  made = written(launch)
  change(made)
  assert unknown(made, schema) == [found]


@pytest.mark.parametrize(
  ("tpu", "topology", "hosts", "chips"),
  [
    ("v6e", "2x2", 1, 4),
    ("v5e", "16x16", 64, 4),
    ("v5p", "2x2x4", 4, 4),
    ("tpu7x", "4x4x4", 16, 4),
    ("v5e", "1x1", 1, 1),
  ],
)
def test_a_slice_has_its_hosts(launch, tpu, topology, hosts, chips):
  line = LINE.replace("v6e", tpu).replace("4x4", topology)
  job = written(launch, line)["spec"]["replicatedJobs"][0]["template"]["spec"]
  assert job["parallelism"] == job["completions"] == hosts
  container = job["template"]["spec"]["containers"][0]
  assert container["resources"]["limits"]["google.com/tpu"] == chips


@pytest.mark.parametrize(
  ("flag", "message"),
  [
    ("--topology=2x2x4", "is none of v6e, which has 2 axes"),
    ("--topology=3x3", "has 9 chips, which do not fill hosts of 4"),
    ("--slices=0", "--slices=0 must be 1 or more"),
    ("--workdir=/tmp/a", "--workdir=/tmp/a must lie in /mnt/runs"),
    ("--tpu=v3", "invalid choice: 'v3'"),
  ],
)
def test_mistakes_are_told(launch, flag, message):
  done = launch("gke.py", f"{LINE} --dry-run {flag}")
  assert done.returncode == 2 and message in done.stderr


def test_it_is_applied_when_nothing_is_missing(launch, tmp_path, programs):
  programs(
    "kubectl",
    'case "$1" in get) echo "$3" ;; apply) echo "applied $2" ;; esac',
  )
  done = launch("gke.py", LINE)
  assert done.returncode == 0, done.stdout + done.stderr
  assert "applied --filename=one.json" in done.stdout
  assert json.loads((tmp_path / "one.json").read_text())["kind"] == "JobSet"
