import pytest

from interaction_jax.evals.fit import chip


@pytest.mark.parametrize("name", chip.CHIPS)
def test_every_device_is_found_by_its_name(name):
  found = chip.find(name)
  assert found.name == name
  assert found.capacity > 2**33
  assert found.flops_per_s > 1e14 and found.bytes_per_s > 5e11


@pytest.mark.parametrize(
  "name", [c.name for c in chip.CHIPS.values() if c.platform == "tpu"]
)
def test_a_tpu_has_links_and_a_clock(name):
  found = chip.find(name)
  assert found.link_bytes_per_s > 0 and found.clock_hz > 1e9
  assert {len(size) for size in found.sizes} == {found.num_axes}


def test_an_unknown_machine_is_refused_with_those_there_are():
  with pytest.raises(ValueError, match=r"'v5x'.*did you mean .*v5[ep].*tpu7x"):
    chip.find("v5x")
