"""Processes that prepare batches, and end with the one that wants them."""

import concurrent.futures
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from typing import Final

_PATIENCE: Final = 30.0
"""Seconds between being told to end and ending."""


def pool(num_workers: int) -> concurrent.futures.ProcessPoolExecutor:
  """A pool of processes that do not outlive this one, however it ends.

  A script that uses it needs the usual `if __name__ == "__main__":`, since
  each process imports it.
  """
  return concurrent.futures.ProcessPoolExecutor(
    num_workers,
    mp_context=multiprocessing.get_context("spawn"),
    initializer=end_with_parent,
  )


def end_with_parent() -> None:
  """Ends this process as soon as the one that started it is gone.

  A parent that is killed cannot tell its children, and those of a pool wait
  for work from one another's ends of a pipe, which therefore never closes.

  What a terminal or a scheduler tells all processes of a group is left to the
  parent, which may need batches while it comes to an end.

  Raises:
    RuntimeError: no other process started this one.
  """
  parent = multiprocessing.parent_process()
  if parent is None:
    raise RuntimeError("end_with_parent is for children of multiprocessing.")

  signal.signal(signal.SIGINT, signal.SIG_IGN)
  signal.signal(signal.SIGTERM, lambda *told: _end_later())

  def watch() -> None:
    multiprocessing.connection.wait([parent.sentinel])
    # Nobody is left to whom an orderly end would matter.
    os._exit(1)

  threading.Thread(target=watch, name="end_with_parent", daemon=True).start()


def _end_later() -> None:
  timer = threading.Timer(_PATIENCE, os._exit, (1,))
  timer.daemon = True
  timer.start()
