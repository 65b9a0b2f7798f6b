import dataclasses
import math

import numpy as np
import pytest

from interaction_jax import __main__ as cli
from interaction_jax.convert import inkling_weights
from interaction_jax.core import settings, sharding
from interaction_jax.evals.bench import weights
from interaction_jax.model import interaction

LINES = ("fsdp=4,expert=2", "data=2,fsdp=2,expert=2")


@pytest.fixture(scope="module")
def experiment():
  """A small one, of the types of the full size."""
  tiny = settings.load("tiny")
  model = dataclasses.replace(tiny.model, param_dtype="bfloat16")
  return dataclasses.replace(tiny, model=model)


@pytest.fixture(scope="module")
def written(experiment, tmp_path_factory):
  folder = tmp_path_factory.mktemp("hollow")
  told = weights.write(folder, experiment.model)
  return told, inkling_weights.survey(folder, dtype="bfloat16")


def test_the_layout_is_that_of_a_published_model(written, experiment):
  told, found = written
  ours = sharding.by_name(interaction.shapes(experiment.model))
  assert {name.split("/")[0] for name in found.stored} == {
    "embed", "backbone", "heads",
  }  # fmt: skip
  # All of a backbone is there, and nothing that nobody takes.
  assert found.unused == ()
  backbone = {name for name in ours if name.startswith("backbone/")}
  assert backbone <= found.stored.keys()
  for name, stored in found.stored.items():
    assert stored.shape == ours[name].shape
  assert found.cfg.backbone == experiment.model.backbone
  assert told["files"] == 1 + experiment.model.backbone.num_layers
  size = sum(stored.bytes_needed for stored in found.stored.values())
  assert told["gb"] == pytest.approx(size / 1e9, abs=0.001)


def test_the_full_size_is_written_in_no_space(tmp_path):
  """All 276 B parameters; only headers and one number are read."""
  model = settings.load("interaction_276b").model
  told = weights.write(tmp_path, model)
  assert told["gb"] > 500 and told["disk_mb"] < 5
  found = inkling_weights.survey(tmp_path, dtype="bfloat16")
  gate = found.stored["backbone/layers/41/feed/gate"]
  assert gate.bytes_needed == 2 * 256 * 4096 * 2048
  last = tuple(slice(size - 1, size) for size in gate.shape)
  assert not gate.part(last).read().any()


@pytest.mark.parametrize("line", LINES)
def test_all_hosts_together_hold_every_number(line, written):
  _, found = written
  mesh = sharding.planned(line)
  held = weights.places(found, mesh, range(mesh.size))
  for name, where in held.items():
    shape = found.stored[name].shape
    count = np.zeros(shape, int)
    for index in where.values():
      count[index] += 1
    copies = mesh.size * math.prod(
      len(range(*one.indices(size)))
      for one, size in zip(where[0], shape, strict=True)
    )
    assert (count == copies // count.size).all(), name


def test_every_host_reads_its_share(experiment):
  report = weights.run(
    experiment, mesh="expert=2,fsdp=4", num_hosts=0, per_host=4
  )
  assert report["hosts"] == len(report["rows"]) == 2
  assert report["layout"]["disk_mb"] < 1
  for row in report["rows"]:
    assert row["read_gb"] >= row["gb"] > 0
    assert row["gb"] < report["layout"]["gb"]
  assert report["peak_mib"] >= report["before_mib"] > 0
  assert "host 1 of 2" in weights.summary(report)


def test_hosts_that_are_not_there_are_refused(experiment):
  with pytest.raises(ValueError, match=r"hosts=3: mesh .* has 2 of 4 devices"):
    weights.run(experiment, mesh="expert=2,fsdp=4", num_hosts=3)


def test_a_mesh_that_does_not_fit_is_one_line(capsys):
  assert cli.main(["bench", "import", "--config=tiny", "--mesh=expert=4"]) == 2
  error = capsys.readouterr().err
  assert "E=10 (routed experts) cannot be split 4 ways" in error
  assert len(error.splitlines()) == 1
