"""Moshi's own client, unmodified, on a machine with sound of our making.

python moshi_chat.py moshi HOST:PORT SOUND.pcm

Two things stand in for what the client is run on, neither of them part of it:
`sounddevice`, the way to microphone and loudspeaker, which here plays a file
and hears; and the package `moshi` around the client, which imports torch, for
which the client has no use.
"""

import contextlib
import importlib.util
import io
import os
import runpy
import signal
import sys
import threading
import time
import types
from collections.abc import Callable
from pathlib import Path

import numpy as np
from ear import RATE, TAIL_S, Ear


class Stream:
  """Calls back with a block of sound whenever one is over."""

  def __init__(self, blocksize: int, callback: Callable, **_: object):
    self._block, self._callback = blocksize, callback
    self._going = threading.Event()
    self._thread = threading.Thread(target=self._run, daemon=True)

  def __enter__(self) -> "Stream":
    self._going.set()
    self._thread.start()
    return self

  def __exit__(self, *_: object) -> None:
    self._going.clear()
    self._thread.join()

  def _run(self) -> None:
    start, blocks = time.monotonic(), 0
    while self._going.is_set():
      blocks += 1
      due = start + blocks * self._block / RATE
      time.sleep(max(0.0, due - time.monotonic()))
      self.block()

  def block(self) -> None:
    """A block is over."""
    raise NotImplementedError


def sounddevice(path: str, ear: Ear) -> types.ModuleType:
  """A microphone that plays a file, and a loudspeaker that is listened to."""
  pcm = np.frombuffer(Path(path).read_bytes(), "<i2")
  pcm = np.concatenate([pcm, np.zeros(int(RATE * TAIL_S), "<i2")])
  place = 0

  class InputStream(Stream):
    def block(self) -> None:
      nonlocal place
      part = pcm[place : place + self._block]
      place += self._block
      if not len(part):
        # Whoever talks to it presses Ctrl-C, which is how it ends.
        os.kill(os.getpid(), signal.SIGINT)
        self._going.clear()
        return
      part = np.pad(part, (0, self._block - len(part)))
      ear.sent(part.tobytes())
      sound = part[:, None].astype(np.float32) / 2**15
      self._callback(sound, self._block, None, None)

  class OutputStream(Stream):
    def block(self) -> None:
      out = np.zeros((self._block, 1), np.float32)
      self._callback(out, self._block, None, None)
      # The client fills up with zeros what has not come.
      if out.any():
        loud = np.clip(np.rint(out[:, 0] * 2**15), -(2**15), 2**15 - 1)
        ear.hear(loud.astype("<i2").tobytes())

  module = types.ModuleType("sounddevice")
  module.__dict__.update(InputStream=InputStream, OutputStream=OutputStream)
  return module


def main(protocol: str, at: str, sound: str) -> int:
  """Plays a sound to a server, and says what came back."""
  ear = Ear("moshi", protocol)
  found = importlib.util.find_spec("moshi")
  if found is None or found.origin is None:
    raise ModuleNotFoundError("moshi is not installed.")
  package = types.ModuleType("moshi")
  package.__path__ = [str(Path(found.origin).parent)]
  sys.modules["moshi"] = package
  sys.modules["sounddevice"] = sounddevice(sound, ear)
  host, _, port = at.partition(":")
  sys.argv = ["moshi.client", "--host", host, "--port", port]
  said, logged = io.StringIO(), io.StringIO()
  with contextlib.redirect_stdout(said), contextlib.redirect_stderr(logged):
    runpy.run_module("moshi.client", run_name="__main__")
  ear.read(said.getvalue())
  ear.ended = "All done!" in logged.getvalue()
  if "Lost connection" in logged.getvalue():
    ear.fail("Lost connection with the server!")
  return ear.report()


if __name__ == "__main__":
  sys.exit(main(*sys.argv[1:]))
