import json
import mmap

import jax
import jax.numpy as jnp

from interaction_jax.evals.bench import machine


def test_a_machine_is_described_in_json():
  found = json.loads(json.dumps(machine.describe()))
  assert found["cores"] >= 1 and found["jax"] == jax.__version__
  assert found["load"] >= 0 and "T" in found["date"]
  memory = machine.memory_bytes()
  assert memory is not None and memory > 2**28
  assert abs(found["memory_gib"] - memory / 2**30) < 0.06


def test_vectors_are_those_that_the_processor_has(monkeypatch, tmp_path):
  file = tmp_path / "cpuinfo"
  file.write_text("model name : X\nflags : fpu avx2 avx avx512f\nflags : sve\n")
  monkeypatch.setattr(machine, "_CPUS", file)
  assert machine.vectors() == "avx2 avx512f"
  file.write_text("model name : X\n")
  assert machine.vectors() == ""
  monkeypatch.setattr(machine, "_CPUS", tmp_path / "missing")
  assert machine.vectors() == ""


def test_memory_that_is_written_to_counts():
  # Pages of its own: an allocator would take what was freed before.
  with mmap.mmap(-1, 2**26) as held:
    before = machine.resident_bytes()
    held.write(bytes(2**26))
    grown = machine.resident_bytes() - before
  assert 2**25 < grown < 2**28


def test_compilations_are_told_by_name():
  def first_program(x):
    return 2 * x + 1

  def second_program(x):
    return x * x

  x = jnp.ones((3,))
  program = jax.jit(first_program)
  with machine.compilations() as names:
    program(x)
    program(x)
    jax.jit(second_program).lower(x).compile()
  assert len(names) == 2
  assert "first_program" in names[0] and "second_program" in names[1]
  with machine.compilations() as none:
    program(x)
  jax.jit(lambda x: x - 5)(x)
  assert none == [] and len(names) == 2
