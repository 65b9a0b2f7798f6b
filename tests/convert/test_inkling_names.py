import dataclasses
import functools

import jax
import numpy as np
import pytest

from interaction_jax.convert import inkling_names
from interaction_jax.core import settings, sharding
from interaction_jax.model import config, interaction


@pytest.fixture(scope="module")
def cfg():
  tiny = settings.load("tiny").model
  # A table as small as all else.
  return dataclasses.replace(tiny, text=config.TextConfig(96, 89))


@pytest.fixture(scope="module")
def table(cfg):
  return inkling_names.sources(cfg)


@pytest.fixture(scope="module")
def shapes(cfg):
  draw = functools.partial(interaction.init, cfg=cfg)
  return sharding.by_name(jax.eval_shape(draw, jax.random.key(0)))


def test_every_parameter_named_is_one_of_ours(table, shapes):
  assert {"/".join(path) for path in table} <= shapes.keys()


def test_all_of_the_backbone_and_the_towers_has_a_source(table, shapes):
  ours = {"/".join(path) for path in table}
  rooms = ("backbone/", "embed/text/", "embed/audio/", "embed/video/")
  wanted = {name for name in shapes if name.startswith(rooms)}
  assert wanted | {"heads/text/table"} == ours


def test_both_namings_serve(table):
  for naming in (0, 1):
    names = {options[naming].name: None for options in table.values()}
    found = inkling_names.resolve(table, names)
    assert found.keys() == table.keys()
    assert all(found[path].name in names for path in table)


def test_what_has_no_tensor_is_left_out(table):
  path = ("backbone", "layers", "3", "attention", "key")
  names = {
    options[0].name: None for key, options in table.items() if key != path
  }
  found = inkling_names.resolve(table, names)
  assert table.keys() - found.keys() == {path}


@pytest.mark.parametrize("naming", [0, 1, 3], ids=["files", "modules", "text"])
def test_what_is_missing_is_named_as_the_others_are(naming, table):
  names = {
    options[naming % len(options)].name: None for options in table.values()
  }
  absent = {
    ("backbone", "layers", "3", "attention", "key"),
    ("backbone", "layers", "1", "feed", "gate"),
    ("backbone", "layers", "1", "feed", "up"),
    ("heads", "text", "table"),
  }
  gone = {table[path][naming % len(table[path])].name for path in absent}
  for name in gone:
    del names[name]
  found = inkling_names.resolve(table, names)
  assert table.keys() - found.keys() == absent
  assert inkling_names.missing(table, found) == sorted(gone)
  # Gate and up of all experts lie in one tensor.
  assert len(gone) == 3


def test_where_all_is_missing_it_is_named_as_in_the_files(table):
  named = inkling_names.missing(table, {})
  assert "model.llm.embed.weight" in named


@pytest.mark.parametrize(
  ("path", "shape"),
  [
    ("backbone/layers/5/attention/query", (15 * 12, 48)),
    ("backbone/layers/0/attention/key", (3 * 8, 48)),
    ("backbone/layers/0/attention/features", (6 * 7, 48)),
    ("backbone/layers/5/attention/out", (48, 15 * 12)),
    ("backbone/layers/0/attention/value_taps", (3 * 8, 1, 4)),
    ("backbone/layers/0/feed_taps", (48, 1, 4)),
    ("backbone/layers/0/feed/gate", (2 * 72, 48)),
    ("backbone/layers/0/feed/scale", (1,)),
    ("backbone/layers/1/feed/up", (10, 2 * 20, 48)),
    ("backbone/layers/1/feed/down", (10, 48, 20)),
    ("backbone/layers/1/feed/shared_gate", (2, 2 * 20, 48)),
    ("backbone/layers/1/feed/router/routed", (12, 48)),
    ("backbone/layers/1/feed/router/shared", (12, 48)),
    ("embed/audio/table", (13 * 11, 48)),
    ("heads/text/table", (96, 48)),
  ],
)
def test_layouts_give_our_shapes(path, shape, table, shapes):
  source = table[tuple(path.split("/"))][0]
  got = source.layout(np.zeros(shape))
  assert got.shape == shapes[path].shape


def test_gate_and_up_are_stored_in_turn_in_files_and_apart_in_modules(table):
  feed = ("backbone", "layers", "1", "feed")
  in_turn = np.array([[[10.0], [20], [11], [21], [12], [22]]])
  apart = np.array([[[10.0], [11], [12], [20], [21], [22]]])
  for name, rows in (("gate", [10, 11, 12]), ("up", [20, 21, 22])):
    files, modules, *_ = table[(*feed, name)]
    np.testing.assert_array_equal(files.layout(in_turn)[0, 0], rows)
    np.testing.assert_array_equal(modules.layout(apart)[0, 0], rows)


def test_heads_are_cut_from_the_rows(table):
  layer = ("backbone", "layers", "0", "attention")
  tensor = np.arange(3 * 8 * 48).reshape(3 * 8, 48)
  got = table[(*layer, "key")][0].layout(tensor)
  assert got[5, 2, 1] == tensor[2 * 8 + 1, 5]
  tensor = np.arange(48 * 6 * 8).reshape(48, 6 * 8)
  got = table[(*layer, "out")][0].layout(tensor)
  assert got[4, 3, 7] == tensor[7, 4 * 8 + 3]
