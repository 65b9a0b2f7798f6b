import json

import jax
import pytest

from interaction_jax.serve import machine


def test_a_machine_is_told_by_what_its_bits_depend_on():
  told = machine.describe()
  assert told == json.loads(json.dumps(told)) == machine.describe()
  assert told["jax"] == jax.__version__
  assert told["devices"] == len(jax.devices()) and told["cores"] >= 1
  assert {"processor", "jaxlib", "xla_flags", "interaction_jax"} <= set(told)


@pytest.mark.parametrize("room", ["ops", "serve"])
def test_a_line_of_source_is_another_machine(tmp_path, monkeypatch, room):
  for name in ("ops", "serve", "evals"):
    (tmp_path / name).mkdir()
    (tmp_path / name / "one.py").write_text("ONE = 1\n")
  monkeypatch.setattr(machine, "_PACKAGE", tmp_path)

  # What was found of the real source is kept beyond this test.
  def found():
    return machine.source.__wrapped__(("ops", "serve"))

  before = found()
  (tmp_path / "evals" / "one.py").write_text("ONE = 2\n")
  assert found() == before
  (tmp_path / room / "one.py").write_text("ONE = 2\n")
  assert found() != before
