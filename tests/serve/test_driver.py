import queue
import threading

import numpy as np
import pytest

from interaction_jax.serve import conversation
from interaction_jax.serve.conversation import Conversation
from interaction_jax.serve.driver import Driver
from interaction_jax.serve.meter import Meter
from interaction_jax.serve.pace import PaceConfig
from interaction_jax.serve.seat import Seat
from interaction_jax.serve.slots import Slots
from interaction_jax.turns import clock

NUM = 3


@pytest.fixture(scope="module")
def slots(model, lively):
  return Slots(model, NUM, sampling=lively)


@pytest.fixture
def said():
  return queue.SimpleQueue()


@pytest.fixture
def driver(slots, said):
  failed = threading.Event()
  driver = Driver(
    slots,
    cfg=PaceConfig(),
    meter=Meter(200.0),
    deliver=said.put,
    on_failure=failed.set,
  )
  driver.start()
  yield driver
  driver.stop()
  assert not driver._thread.is_alive() and not failed.is_set()


@pytest.fixture
def seat(driver, model):
  def seat(row):
    one = Seat(row, Conversation(model.words, model.cfg), PaceConfig(), 0.0)
    driver.tell(
      lambda: driver.sit(one, lambda slots: slots.join(row, 7))
    ).result()
    return one

  return seat


def push(driver, seat, cfg, num_turns):
  rng = np.random.default_rng(0)
  sound = rng.normal(0, 0.1, num_turns * clock.SAMPLES)
  seat.put(conversation.check(sound, cfg=cfg), 0.0)
  driver.poke()


def test_full_turns_are_run_and_handed_out(driver, seat, said, cfg):
  one, other = seat(0), seat(2)
  push(driver, one, cfg, 3)
  push(driver, other, cfg, 2)
  found = []
  while len(found) < 5:
    found += said.get(timeout=300)
  by_seat = {
    each: [one.turn for seat, one in found if seat is each]
    for each in (one, other)
  }
  assert [turn.index for turn in by_seat[one]] == [0, 1, 2]
  # The same seed and the same sound, in other rows.
  for a, b in zip(by_seat[one], by_seat[other], strict=False):
    assert a.voice.tobytes() == b.voice.tobytes() and a.text == b.text
  driver.tell(lambda: driver.leave(one)).result()
  assert list(driver._seats) == [2]


def test_what_cannot_be_done_is_told_to_who_asked(driver):
  def refuse():
    raise ValueError("no such thing")

  with pytest.raises(ValueError, match="no such thing"):
    driver.tell(refuse).result()
  assert driver.tell(lambda: 5).result() == 5


def test_after_the_end_nothing_is_done(slots):
  driver = Driver(
    slots,
    cfg=PaceConfig(),
    meter=Meter(200.0),
    deliver=print,
    on_failure=print,
  )
  driver.start()
  driver.stop()
  with pytest.raises(RuntimeError, match="has ended"):
    driver.tell(lambda: 5).result(timeout=300)
