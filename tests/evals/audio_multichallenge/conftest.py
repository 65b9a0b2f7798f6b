import pytest

from interaction_jax.evals import table
from interaction_jax.evals.audio_multichallenge import suite
from interaction_jax.evals.harness.inventory import Inventory


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
  place = tmp_path_factory.mktemp("audio_multichallenge")
  suite.generate(place, 4, 0)
  return place


@pytest.fixture
def rows(folder):
  """All of its table, with the sounds, to be changed."""
  name = "data/test-00000-of-00001.parquet"
  found = table.read(Inventory(folder), name, wanted=())
  for number, row in enumerate(found):
    for column in row:
      if column.endswith("audio"):
        row[column] = table.cell(folder / name, number, column)
  return found
