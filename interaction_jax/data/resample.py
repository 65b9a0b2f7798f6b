"""The one resampler: sound of any rate into the 16 kHz of a model, and out.

It stands at the edge, streams, and gives the same bits however its input is
cut: after n samples came in, n * target / source less `delay` are out.

`delay` is what it adds to the way from a microphone to the model, and again
from the model to a loudspeaker, beside the turns themselves:

    48, 44.1 or 24 kHz to 16 kHz    3.6 ms
    16 kHz to any of these          3.7 ms
    8 kHz to 16 kHz                 7.3 ms

Below 45 % of the lower rate all passes, to 0.1 %; from its half on nothing
does, to 90 dB. Libraries that filter in blocks hold back much more: soxr 40
to 110 ms with a filter as steep, and its quick ones let aliases through.
"""

import functools
import math
from typing import Any, Final

import numpy as np
from jaxtyping import Float

from interaction_jax.turns import clock

_PASS: Final = 0.45
_STOP: Final = 0.5
"""Ends of the filter's slope, in parts of the lower rate."""

_STOP_DB: Final = 90.0

_MOST_TAPS: Final = 2**25
"""Of all filters together: rates in use need a few thousand."""


class Resampler:
  """Changes the rate of one channel of sound, piece by piece.

  A sample out is a sum of samples in: y[n] = Σ x[i] h(n source / target - i),
  h being a low-pass of finite length.

  Attributes:
    source, target: rates in Hz.
    delay: samples, at the target rate, that are held back until more comes.

  Raises:
    ValueError: a rate is not positive, or both share too little.

  Reference: Crochiere and Rabiner 1983, Multirate Digital Signal Processing,
  chapter 4; the filter is Kaiser's.
  """

  def __init__(self, source: int, target: int = clock.SAMPLE_RATE):
    if source < 1 or target < 1:
      raise ValueError(
        f"source={source} Hz and target={target} Hz must be 1 or more; 48000 "
        "and 16000 are usual."
      )
    self.source, self.target = source, target
    shared = math.gcd(source, target)
    self._up, self._down = target // shared, source // shared
    num_taps = 2 * _reach(self._up, self._down) * self._up
    if num_taps > _MOST_TAPS:
      raise ValueError(
        f"source={source} Hz and target={target} Hz share no rate above "
        f"{shared} Hz, so that a change between them takes {num_taps} numbers; "
        "48000 and 16000 are usual."
      )
    self._filters = _filters(self._up, self._down)
    reach = self._filters.shape[1] // 2
    same = source == target
    self.delay = 0 if same else -(-(reach + 1) * self._up // self._down) - 1
    # What a sample out is made of begins so many samples before it.
    self._held = np.zeros(reach - 1, np.float32)
    self._first = 1 - reach
    self._num_in = 0
    self._num_out = 0

  def push(self, samples: Float[np.ndarray, " I"]) -> Float[np.ndarray, " _"]:
    """Takes the next samples; returns those that are due."""
    samples = np.asarray(samples, np.float32)
    self._num_in += len(samples)
    if self.source == self.target:
      return samples
    self._held = np.concatenate([self._held, samples])
    return self._make(self._num_in * self.target // self.source - self.delay)

  def flush(self) -> Float[np.ndarray, " _"]:
    """Returns what was held back; nothing may be pushed after it.

    All samples together last as long as those that came in, rounded.
    """
    if self.source == self.target:
      return np.zeros(0, np.float32)
    silence = np.zeros(self._filters.shape[1], np.float32)
    self._held = np.concatenate([self._held, silence])
    exact = self._num_in * self.target / self.source
    return self._make(math.floor(exact + 0.5))

  def _make(self, until: int) -> Float[np.ndarray, " _"]:
    """Samples out, up to a number of them, from what is held."""
    num = max(0, until - self._num_out)
    outs = np.arange(self._num_out, self._num_out + num)
    starts = self._begin(outs) - self._first
    windows = self._windows()
    if num < 4 * self._up:
      # einsum adds up each row in one order, however many rows there are,
      # which a product of matrices does not.
      taps = self._filters[outs % self._up]
      made = np.einsum("IZ,IZ->I", windows[starts], taps)
    else:
      made = np.empty(num, np.float32)
      for place in range(self._up):
        # Every `up`-th sample lies at the same place between samples in.
        rows = windows[starts[place] :: self._down]
        some = made[place :: self._up]
        taps = self._filters[outs[place] % self._up]
        some[:] = np.einsum("IZ,Z->I", rows[: len(some)], taps)
    self._num_out += num
    used = self._begin(self._num_out) - self._first
    self._held = self._held[used:].copy()
    self._first += used
    return made

  def _windows(self) -> Float[np.ndarray, "I _"]:
    """All that a sample out could be made of, overlapping: no copies."""
    size, step = self._filters.shape[1], self._held.itemsize
    num = max(0, len(self._held) - size + 1)
    return np.ndarray((num, size), np.float32, self._held, strides=(step, step))

  def _begin(self, out: Any) -> Any:
    """The first sample in that each sample out is made of."""
    return out * self._down // self._up - self._filters.shape[1] // 2 + 1


def convert(
  samples: Float[np.ndarray, " I"],
  source: int,
  target: int = clock.SAMPLE_RATE,
) -> Float[np.ndarray, " _"]:
  """Changes the rate of a whole piece of sound."""
  resampler = Resampler(source, target)
  return np.concatenate([resampler.push(samples), resampler.flush()])


def _reach(up: int, down: int) -> int:
  """Samples in, on either side, that a sample out is made of."""
  slope = (_STOP - _PASS) * min(1.0, up / down)
  length = (_STOP_DB - 7.95) / (2.285 * 2 * math.pi * slope)
  return math.ceil(length / 2)


@functools.cache
def _filters(up: int, down: int) -> Float[np.ndarray, "I _"]:
  """The taps for each place of a sample out between two samples in.

  A sinc in a Kaiser window whose slope ends where the lower rate can hold no
  more; the taps of each place add up to 1.

  Reference: Kaiser 1974, Nonrecursive digital filter design using the
  I0-sinh window function.
  """
  lower = min(1.0, up / down)
  reach = _reach(up, down)
  place = np.arange(up) * down % up / up
  time = place[:, None] + reach - 1 - np.arange(2 * reach)
  beta = 0.1102 * (_STOP_DB - 8.7)
  inside = np.maximum(1 - np.square(time / reach), 0)
  taps = np.sinc((_STOP + _PASS) * lower * time) * np.i0(beta * np.sqrt(inside))
  return (taps / taps.sum(axis=1, keepdims=True)).astype(np.float32)
