import subprocess
import sys

import pytest

from interaction_jax.core import cluster

GIVEN = {
  cluster.COORDINATOR: "127.0.0.1:9", cluster.COUNT: "2", cluster.INDEX: "1",
}  # fmt: skip
SCRIPT = """
import jax, jax.numpy as jnp
from jax.experimental import multihost_utils
from interaction_jax.core import cluster

cluster.join()
print(multihost_utils.process_allgather(jnp.asarray(jax.process_index())))
"""


@pytest.mark.parametrize("missing", GIVEN)
def test_what_is_missing_is_named(monkeypatch, missing):
  for name, value in GIVEN.items():
    if name != missing:
      monkeypatch.setenv(name, value)
  with pytest.raises(ValueError, match=f"is not known: .* or {missing} says"):
    cluster.join()


@pytest.mark.parametrize(
  ("name", "value", "message"),
  [
    (cluster.INDEX, "2", "process=2 must lie in 0 to 1, below processes=2"),
    (cluster.COUNT, "two", "JAX_NUM_PROCESSES='two' must be a whole number"),
  ],
  ids=["index", "count"],
)
def test_what_makes_no_sense_is_refused(monkeypatch, name, value, message):
  for variable in GIVEN:
    monkeypatch.setenv(variable, value if variable == name else GIVEN[variable])
  with pytest.raises(ValueError, match=message):
    cluster.join()


def test_flags_come_before_the_environment(monkeypatch):
  for name, value in GIVEN.items():
    monkeypatch.setenv(name, value)
  with pytest.raises(ValueError, match="process=4 must lie in 0 to 2"):
    cluster.join(count=3, index=4)


def test_two_processes_find_each_other(root, meeting):
  address = meeting()
  running = [
    subprocess.Popen(
      [sys.executable, "-c", SCRIPT],
      env={
        "PYTHONPATH": str(root),
        "JAX_PLATFORMS": "cpu",
        cluster.COORDINATOR: address,
        cluster.COUNT: "2",
        cluster.INDEX: str(index),
      },
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
    )
    for index in range(2)
  ]
  said = [one.communicate(timeout=900) for one in running]
  # Before it, the collectives say that they are connected.
  assert [out.splitlines()[-1] for out, _ in said] == ["[0 1]"] * 2, said
