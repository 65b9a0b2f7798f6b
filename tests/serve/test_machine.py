import json

import jax

from interaction_jax.serve import machine


def test_a_machine_is_told_by_what_its_bits_depend_on():
  told = machine.describe()
  assert told == json.loads(json.dumps(told)) == machine.describe()
  assert told["jax"] == jax.__version__
  assert told["devices"] == len(jax.devices()) and told["cores"] >= 1
  assert {"processor", "jaxlib", "xla_flags", "interaction_jax"} <= set(told)
