import math

import numpy as np
import pytest

from interaction_jax.serve import conversation
from interaction_jax.serve.conversation import Conversation
from interaction_jax.serve.pace import PaceConfig
from interaction_jax.serve.seat import Seat

CFG = PaceConfig(patience_ms=50.0, pause_ms=1000.0)
BEGIN = 500.0


@pytest.fixture
def seat(model):
  return Seat(2, Conversation(model.words, model.cfg), CFG, BEGIN)


@pytest.fixture
def push(seat, cfg):
  """Puts sound in: samples, where they belong, when they came."""

  def push(num_samples, at, now):
    sound = np.full(num_samples, 0.5, np.float32)
    seat.put(conversation.check(sound, at=at, cfg=cfg), BEGIN + now)
    seat.settle(BEGIN + now)

  return push


def turns(seat):
  """All that are full: index, share lost, and when they were."""
  found = []
  while (one := seat.next()) is not None:
    ready, since = one
    found.append((ready.index, ready.lost[0], round(since - BEGIN, 6)))
  return found


def test_a_turn_is_full_when_its_last_sample_came(seat, push):
  push(3000, None, 0.2)
  assert seat.waiting(BEGIN + 0.2).num_full == 0
  push(4000, None, 0.45)
  waiting = seat.waiting(BEGIN + 0.5)
  assert (waiting.num_full, waiting.since) == (2, BEGIN + 0.45)
  assert waiting.next_at == pytest.approx(BEGIN + 0.65)
  assert turns(seat) == [(0, 0, 0.45), (1, 0, 0.45)]
  assert seat.end == 7000 / 16_000 and seat.num_waiting() == 0


def test_chunks_without_a_place_are_waited_for(seat, push):
  push(4000, None, 0.25)
  seat.settle(BEGIN + 100)
  assert turns(seat) == [(0, 0, 0.25)]
  assert seat.look_at(BEGIN + 0.3) == math.inf


def test_what_does_not_come_is_lost_after_a_while(seat, push):
  push(3200, 0.0, 0.21)
  assert turns(seat) == [(0, 0, 0.21)]
  push(1600, 0.2, 0.31)
  # The second half of the turn should be here at 0.41.
  assert seat.look_at(BEGIN + 0.32) == pytest.approx(BEGIN + 0.46)
  seat.settle(BEGIN + 0.45)
  assert turns(seat) == []
  seat.settle(BEGIN + 0.47)
  assert turns(seat) == [(1, 0.5, 0.47)]
  # It comes after all, and is not taken for what follows.
  push(1600, 0.3, 0.48)
  push(3200, 0.4, 0.62)
  assert turns(seat) == [(2, 0, 0.62)]
  assert seat.num_lost == 1


def test_a_hole_may_be_filled_in_time(seat, push):
  push(3200, 0.0, 0.2)
  push(1600, 0.3, 0.4)
  assert turns(seat) == [(0, 0, 0.2)]
  push(1600, 0.2, 0.43)
  assert turns(seat) == [(1, 0, 0.43)]
  push(1600, 0.5, 0.6)
  seat.settle(BEGIN + 0.66)
  assert turns(seat) == [(2, 0.5, 0.66)]


def test_a_dead_connection_stands_still_and_is_made_up_for(seat, push):
  push(3200, 0.0, 0.2)
  for now in np.arange(0.2, 5.0, 0.05):
    seat.settle(BEGIN + now)
  lost = [one for one in turns(seat) if one[1]]
  # One second of it; then nothing more is run.
  assert [index for index, *_ in lost] == [1, 2, 3, 4]
  assert seat.waiting(BEGIN + 5).next_at == math.inf
  assert seat.look_at(BEGIN + 5) == math.inf
  push(3200, 5.0, 5.2)
  back = turns(seat)
  assert [index for index, *_ in back] == list(range(5, 26))
  assert [share for _, share, _ in back] == [1.0] * 20 + [0.0]
