"""Leaving a run when the machine is wanted back: SIGTERM, told by a step.

What is asked to stop has little time. A run saves after the update it is in,
and where nothing would be lost, as while its first program is compiled, it
ends at once. The processes of one run agree on the step after which they save.
"""

import os
import signal
import socket
import threading
import types
from collections.abc import Callable

import jax


class Stop:
  """Catches SIGTERM while it is entered; only the main thread can.

  Elsewhere, as in a thread of a notebook, it never asks for anything.
  """

  def __init__(self, leave: Callable[[], None] = lambda: os._exit(0)):
    """Args: leave: ends this process; called from a thread of its own."""
    self._asked = False
    self._clean = False
    self._lock = threading.Lock()
    self._leave = leave
    self._undo: list[Callable[[], object]] = []

  def __enter__(self) -> "Stop":
    # Several processes hear of it through JAX, which has a handler of its own.
    main = threading.current_thread() is threading.main_thread()
    if not main or jax.process_count() > 1:
      return self
    # Python runs its handlers between two of its own instructions, and so not
    # while a program is compiled. A byte in a socket arrives at once.
    ear, mouth = socket.socketpair()
    mouth.setblocking(False)
    before = signal.signal(signal.SIGTERM, self._note)
    wakeup = signal.set_wakeup_fd(mouth.fileno(), warn_on_full_buffer=False)
    thread = threading.Thread(target=self._listen, args=(ear,), daemon=True)
    thread.start()
    self._undo = [
      lambda: signal.signal(signal.SIGTERM, before),
      lambda: signal.set_wakeup_fd(wakeup),
      mouth.close,
      thread.join,
      ear.close,
    ]
    return self

  def __exit__(self, *reason: object) -> None:
    for undo in self._undo:
      undo()
    self._undo = []

  def asked(self, step: int) -> bool:
    """Whether to save now and leave.

    Every process of a run asks after every step.

    Args:
      step: updates done.
    """
    if jax.process_count() > 1:
      from jax.experimental import multihost_utils

      return multihost_utils.reached_preemption_sync_point(step)
    return self._asked

  def clean(self, clean: bool) -> None:
    """Says whether all that was done is saved, so that nothing can be lost."""
    with self._lock:
      self._clean = clean
      self._leave_if_clean()

  def _note(self, number: int, frame: types.FrameType | None) -> None:
    del number, frame
    self._asked = True

  def _listen(self, ear: socket.socket) -> None:
    while numbers := ear.recv(64):
      if signal.SIGTERM in numbers:
        with self._lock:
          self._asked = True
          self._leave_if_clean()

  def _leave_if_clean(self) -> None:
    if self._asked and self._clean:
      self._leave()
