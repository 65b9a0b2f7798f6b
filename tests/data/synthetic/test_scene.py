import dataclasses
import itertools

import numpy as np
import pytest

from interaction_jax.data.synthetic import scene, world
from interaction_jax.data.synthetic.scene import Thing

TURN = 3200
SHAPES = (*world.SHAPES, "person")
BALL = Thing("ball", "red", 3200, 6400, across=0.5, size=0.4)


def _picture(*things, at=4000, rows=40, columns=60):
  return scene.picture(things, at, rows=rows, columns=columns)


def _place(thing, at):
  """The middle of what is painted, in rows and columns."""
  seen = (_picture(thing, at=at) == scene.COLOURS[thing.colour]).all(-1)
  return np.argwhere(seen).mean(0)


@pytest.mark.parametrize(
  ("at", "there"),
  [(3199, False), (3200, True), (6399, True), (6400, False)],
)
def test_things_come_and_go(at, there):
  empty = (_picture(BALL, at=at) == scene.FLOORS[0]).all()
  assert empty != there


@pytest.mark.parametrize("floor", scene.FLOORS, ids=str)
def test_colours_differ_from_each_other_and_from_the_floor(floor):
  colours = np.array([floor, *scene.COLOURS.values()], float)
  for a, b in itertools.combinations(colours, 2):
    # Of 441, from black to white.
    assert np.linalg.norm(a - b) > 75


def test_shapes_differ_at_the_smallest_size():
  drawn = {}
  for shape in SHAPES:
    small = dataclasses.replace(BALL, shape=shape, size=0.3)
    drawn[shape] = (_picture(small) != scene.FLOORS[0]).any(-1)
    assert drawn[shape].sum() > 20
  for a, b in itertools.combinations(SHAPES, 2):
    both, either = drawn[a] & drawn[b], drawn[a] | drawn[b]
    assert both.sum() < 0.82 * either.sum(), (a, b)


def test_a_thing_lies_where_it_is_said_to():
  rows, columns = _place(dataclasses.replace(BALL, across=0.25), 4000)
  # Half a pixel.
  assert columns == pytest.approx(0.25 * 60 - 0.5, abs=0.5)
  assert rows == pytest.approx(0.62 * 40 - 0.5, abs=0.5)


def test_a_jump_goes_up_and_down():
  ball = dataclasses.replace(BALL, first=0, last=90_000, jumps=(32_000,))
  ground = _place(ball, 0)
  for at, up in [(31_999, 0), (32_000, 0), (36_800, 0.3), (41_600, 0)]:
    rows, columns = _place(ball, at)
    # The height of a pixel in 40.
    assert (ground[0] - rows) / 40 == pytest.approx(up, abs=0.025)
    assert columns == ground[1]


def test_whatever_is_seen_of_a_jump_shows_it():
  """Wherever it begins, one of the pictures that count has it in the air."""
  ball = dataclasses.replace(BALL, first=0, last=90_000)
  ground = _place(ball, 0)[0]
  for begin in range(12_800, 19_200, 160):
    jumping = dataclasses.replace(ball, jumps=(begin,))
    heights = [
      ground - _place(jumping, turn * TURN + late)[0]
      for turn in range(0, 14, scene.EVERY)
      for late in (0, scene.PERIOD)
    ]
    # An eighth of the picture, of 40 rows.
    assert max(heights) > 5
    turn = scene.seen_turn(begin + scene.JUMP)
    assert _place(jumping, turn * TURN + scene.PERIOD)[0] == ground


def test_a_thing_moves_to_and_fro():
  ball = dataclasses.replace(BALL, first=0, last=90_000, moves=(16_000, 48_000))
  still = _place(ball, 0)
  assert (_place(ball, 15_999) == still).all()
  assert (_place(ball, 48_000) == still).all()
  columns = [_place(ball, at)[1] for at in range(16_000, 48_000, 1600)]
  assert max(columns) - still[1] > 10 and still[1] - min(columns) > 10


@pytest.mark.parametrize(
  ("at", "turn"),
  [(0, 0), (1600, 0), (1601, 2), (6400, 2), (8000, 2), (8001, 4)],
)
def test_what_has_begun_is_seen_in_the_second_picture_of_a_turn(at, turn):
  assert scene.seen_turn(at) == turn
  assert turn % scene.EVERY == 0
  assert turn * TURN + scene.PERIOD >= at


def test_an_unknown_shape_is_refused():
  with pytest.raises(ValueError, match="shape='heart' cannot be drawn"):
    _picture(dataclasses.replace(BALL, shape="heart"))


def test_the_face_of_a_person_is_no_colour_of_things():
  person = dataclasses.replace(BALL, shape="person", colour="blue")
  seen = {tuple(pixel) for pixel in _picture(person).reshape(-1, 3).tolist()}
  assert seen == {scene.FLOORS[0], scene.COLOURS["blue"], scene._SKIN}
