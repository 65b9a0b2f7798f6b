import importlib.util
import re

import pytest

from interaction_jax.evals.fit import chip, gpu


@pytest.mark.parametrize("name", gpu.CARDS)
def test_a_card_is_described_in_the_numbers_of_its_maker(name):
  card = gpu.CARDS[name]
  text = gpu.describe(card)
  assert text.count("{") == text.count("}") == 3
  found = dict(re.findall(r"(\w+): ([\d.]+)", text))
  assert int(found["device_memory_size"]) == card.memory
  assert int(found["core_count"]) == card.num_cores
  major, minor = card.capability
  assert f"{{ major: {major} minor: {minor} " in text
  assert f'name: "{card.name}"' in text
  assert chip.find(name).capacity == card.memory


def test_without_the_plugin_it_says_what_is_missing():
  if importlib.util.find_spec("jax_cuda12_plugin") is None:
    with pytest.raises(ModuleNotFoundError) as caught:
      gpu.devices("h200", 8)
    assert caught.value.name == "jax_cuda12_plugin"
  else:
    assert len(gpu.devices("h200", 8)) == 8
