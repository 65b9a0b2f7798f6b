"""Twins of Full-Duplex-Bench, made once."""

import pytest

from interaction_jax.evals.fd_bench.v1 import suite as v1
from interaction_jax.evals.fd_bench.v1_5 import suite as v1_5
from interaction_jax.evals.fd_bench.v2 import suite as v2
from interaction_jax.evals.fd_bench.v3 import suite as v3


@pytest.fixture(scope="session")
def v1_folder(tmp_path_factory):
  place = tmp_path_factory.mktemp("v1")
  v1.SUITE.generate(place, 4, 0)
  return place


@pytest.fixture(scope="session")
def v1_5_folder(tmp_path_factory):
  place = tmp_path_factory.mktemp("v1_5")
  v1_5.SUITE.generate(place, 3, 0)
  return place


@pytest.fixture(scope="session")
def v2_folder(tmp_path_factory):
  place = tmp_path_factory.mktemp("v2")
  v2.SUITE.generate(place, 1, 0)
  return place


@pytest.fixture(scope="session")
def v3_folder(tmp_path_factory):
  place = tmp_path_factory.mktemp("v3")
  v3.SUITE.generate(place, 5, 0)
  return place
