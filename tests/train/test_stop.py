import os
import signal
import threading

import pytest

from interaction_jax.train.stop import Stop


@pytest.fixture
def left():
  return threading.Event()


def tell():
  os.kill(os.getpid(), signal.SIGTERM)


def test_a_run_is_asked_once_it_was_told(left):
  before = signal.getsignal(signal.SIGTERM)
  with Stop(left.set) as stop:
    assert not stop.asked(1)
    tell()
    assert stop.asked(2)
    assert stop.asked(3)
    assert not left.is_set()
  assert signal.getsignal(signal.SIGTERM) == before
  assert signal.set_wakeup_fd(-1) == -1


@pytest.mark.parametrize("first", ["clean", "told"])
def test_where_nothing_would_be_lost_it_leaves_at_once(left, first):
  with Stop(left.set) as stop:
    if first == "clean":
      stop.clean(True)
      assert not left.is_set()
      tell()
    else:
      tell()
      stop.clean(True)
    assert left.wait(300)


def test_a_run_that_did_something_stays(left):
  with Stop(left.set) as stop:
    stop.clean(True)
    stop.clean(False)
    tell()
  # The listener has ended, and so has heard of it.
  assert not left.is_set()
  assert stop.asked(1)


def test_another_thread_is_never_asked():
  found = []

  def run():
    with Stop() as stop:
      found.append(stop.asked(1))

  thread = threading.Thread(target=run)
  thread.start()
  thread.join()
  assert found == [False]
