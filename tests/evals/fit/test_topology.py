import importlib.util

import pytest

from interaction_jax.evals.fit import topology


@pytest.mark.parametrize(
  ("name", "slices", "chips", "devices"),
  [
    ("v5e:4x8", 1, 32, 32),
    ("v5p:2x2x4", 2, 32, 32),
    ("v5p:8x8x8", 1, 512, 512),
    ("v6e:16x16", 1, 256, 256),
    ("tpu7x:2x2x2", 1, 8, 16),
    ("v6e:1x1", 1, 1, 1),
    ("h200:8", 1, 8, 8),
  ],
)
def test_names_are_read(name, slices, chips, devices):
  found = topology.parse(name, num_slices=slices)
  assert (found.num_chips, found.num_devices) == (chips, devices)
  assert found.name == name + (f" x {slices}" if slices > 1 else "")


@pytest.mark.parametrize(
  ("name", "slices", "message"),
  [
    ("v5p", 1, r"'v5p' has no size; v5p:4x4x4 is the form"),
    ("v5p:2x2xtwo", 1, "has no size"),
    ("v5p:0x2x4", 1, "has no size"),
    ("v6e:16x32", 1, r"not a slice that is offered; of v6e there is 1x1, .*16"),
    ("v6e:4x4x4", 1, "not a slice that is offered"),
    ("v5p:3x3x3", 1, "or sides that are multiples of 4, 6144 chips at most"),
    ("v5p:16x16x28", 1, "not a slice that is offered"),
    ("h200:2x4", 1, "not a host of 1 to 72 GPUs; h200:8 is"),
    ("h100:8", 1, r"no known machine \(did you mean h200"),
    ("v5e:4x4", 0, "--slices=0 must be 1 or more"),
  ],
)
def test_what_cannot_be_had_is_refused(name, slices, message):
  with pytest.raises(ValueError, match=message):
    topology.parse(name, num_slices=slices)


@pytest.mark.parametrize(
  ("name", "slices", "count"), [("v5e:1x1", 1, 1), ("v5p:2x2x1", 2, 8)]
)
def test_devices_come_from_the_compiler_or_it_says_what_to_install(
  name, slices, count
):
  where = topology.parse(name, num_slices=slices)
  if importlib.util.find_spec("libtpu") is None:
    with pytest.raises(ModuleNotFoundError) as caught:
      topology.devices(where)
    assert caught.value.name == "libtpu"
  else:
    found = topology.devices(where)
    assert len(found) == count
    assert len({device.slice_index for device in found}) == slices
