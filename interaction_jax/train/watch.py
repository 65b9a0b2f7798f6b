"""Watching a run: a line for a person, its share of the machine, a profile."""

import contextlib
import dataclasses
import io
import math
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import jax
import jax.numpy as jnp

from interaction_jax.model import cost
from interaction_jax.train.config import Experiment

PROFILE: Final = "profile"
"""Below the folder of a run: what the profiler wrote."""

_ENOUGH: Final = 0.02
"""Seconds that a product takes at least which tells the peak of a machine."""


@dataclasses.dataclass
class Bar:
  """The state of a run in one line, written over where a person looks on.

  Elsewhere, as in a log, there is a line a minute.

  Attributes:
    total: steps in all.
    stream: where it is written; None: to stderr.
  """

  total: int
  stream: io.TextIOBase | None = None
  _first: int | None = None
  _began: float = -math.inf
  _shown: float = -math.inf

  def show(self, line: Mapping[str, Any]) -> None:
    """Takes a line of `metrics.jsonl`."""
    stream: Any = sys.stderr if self.stream is None else self.stream
    now, done = time.perf_counter(), int(line["step"]) + 1
    if self._first is None:
      # The first step waits for the compiler, and foretells nothing.
      self._first, self._began = done, now
    last = done == self.total
    each = (now - self._began) / max(1, done - self._first)
    left = each * (self.total - done) if done > self._first else None
    if stream.isatty():
      width = max(20, shutil.get_terminal_size().columns - 1)
      text = f"{_bar(done, self.total)} {describe(line, self.total, left)}"
      stream.write(f"\r{text[:width]:<{width}}" + "\n" * last)
    elif last or now - self._shown > 60:
      self._shown = now
      stream.write(describe(line, self.total, left) + "\n")
    stream.flush()


def describe(
  line: Mapping[str, Any], total: int, left: float | None = None
) -> str:
  """A line of `metrics.jsonl` for a person to read.

  Args:
    left: seconds to the end; None: not known.
  """
  parts = " ".join(
    f"{name.removeprefix('loss/')} {value:.3f}"
    for name, value in line.items()
    if name.startswith("loss/")
  )
  words = [
    f"{line['step'] + 1}/{total}",
    f"loss {line['loss']:.3f} ({parts})",
    f"{_short(line['tokens_per_s'])} tokens/s",
    f"{line['seconds']:.3f} s/step",
    "MFU not known" if line["mfu"] is None else f"MFU {line['mfu']:.1%}",
  ]
  if line["waited"] > 0.1 * line["seconds"]:
    words.append(f"{line['waited'] / line['seconds']:.0%} waiting for data")
  if line["skipped"]:
    words.append(f"{line['skipped']} skipped")
  if left is not None:
    words.append(f"{_span(left)} left")
  return "  ".join(words)


class Flops:
  """How much of the machine the mathematics of a run uses: its MFU.

  Counted are the operations of the backbone and of its text head, forward and
  backward, as `model/cost.py` counts them, for a row that is half full behind
  each position on the average. Towers and the voice are left out, and so is
  what is computed twice to save memory.
  """

  def __init__(self, experiment: Experiment, num_devices: int):
    """Measures the machine, unless `train.watch.peak_tflops` says its peak."""
    model, train = experiment.model, experiment.train
    self._experiment = experiment
    self._each: int | None = None
    told = train.watch.peak_tflops
    peak = (
      peak_flops(train.dtype or model.dtype) if told is None else 1e12 * told
    )
    self._peak = peak and peak * num_devices

  def utilization(self, positions: float, seconds: float) -> float | None:
    """The share of the peak that a step reached; None: not known.

    Args:
      positions: real ones of the batch.
    """
    if not self._peak:
      return None
    if self._each is None:
      # One batch is as full as another.
      context = round(positions / self._experiment.train.batch / 2)
      self._each = 3 * cost.flops(self._experiment.model, context=context)
    return positions * self._each / seconds / self._peak


def peak_flops(dtype: str, *, device: Any = None) -> float | None:
  """Operations a second of the best matrix product that one device can do.

  Measured by products of growing size. None where the clock cannot tell.

  Args:
    device: None: the first one of this process.
  """
  device = jax.local_devices()[0] if device is None else device
  multiply = jax.jit(lambda a, b: a @ b)
  for size in (1024, 2048, 4096, 8192, 16384):
    one = jax.device_put(jnp.ones((size, size), dtype), device)
    multiply(one, one).block_until_ready()
    took = min(_seconds(multiply, one) for _ in range(5))
    if took >= _ENOUGH:
      return 2 * size**3 / took
  return 2 * size**3 / took if took > 0 else None


class Profile:
  """Records some steps of a run for the viewers of JAX's profiler."""

  def __init__(self, folder: Path, steps: range | None = None):
    """Args: steps: those recorded, into `PROFILE` below `folder`."""
    self._folder = folder / PROFILE
    self._steps = steps or range(0)
    self._on = False

  def __enter__(self) -> "Profile":
    return self

  def __exit__(self, *reason: object) -> None:
    self._end()

  @contextlib.contextmanager
  def step(self, step: int) -> Iterator[None]:
    """What a step is run in; it bears its number there."""
    if step in self._steps and not self._on:
      jax.profiler.start_trace(str(self._folder))
      self._on = True
    with jax.profiler.StepTraceAnnotation("train", step_num=step):
      yield
    if step + 1 not in self._steps:
      self._end()

  def _end(self) -> None:
    if self._on:
      jax.profiler.stop_trace()
      self._on = False


def _seconds(multiply: Any, one: jax.Array) -> float:
  began = time.perf_counter()
  multiply(one, one).block_until_ready()
  return time.perf_counter() - began


def _bar(done: int, total: int) -> str:
  width = 16 * done // total
  return "#" * width + "." * (16 - width)


def _short(count: float) -> str:
  for unit, size in (("M", 1e6), ("k", 1e3)):
    if count >= size:
      return f"{count / size:.1f} {unit}"
  return f"{count:.0f}"


def _span(seconds: float) -> str:
  minutes, rest = divmod(round(seconds), 60)
  hours, minutes = divmod(minutes, 60)
  return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
