import numpy as np
import pytest

from interaction_jax.data import resample
from interaction_jax.data.resample import Resampler

RATES = [
  (48_000, 16_000),
  (44_100, 16_000),
  (24_000, 16_000),
  (8_000, 16_000),
  (16_000, 24_000),
  (16_000, 16_000),
]


def tone(rate, seconds, hertz=440.0):
  t = np.arange(round(rate * seconds)) / rate
  return np.sin(2 * np.pi * hertz * t).astype(np.float32)


@pytest.mark.parametrize(("source", "target"), RATES)
def test_any_cut_gives_the_same_samples(source, target):
  sound = np.random.default_rng(0).normal(0, 0.2, source).astype(np.float32)
  whole = resample.convert(sound, source, target)
  for sizes in ([480], [1, 4000, 77, 0]):
    stream, pieces, at, step = Resampler(source, target), [], 0, 0
    while at < len(sound):
      size = sizes[step % len(sizes)]
      pieces.append(stream.push(sound[at : at + size]))
      at, step = min(len(sound), at + size), step + 1
      # What is out is a function of what came in, not of how.
      due = max(0, at * target // source - stream.delay)
      assert sum(map(len, pieces)) == due
    pieces.append(stream.flush())
    np.testing.assert_array_equal(np.concatenate(pieces), whole)
  assert len(whole) == target


@pytest.mark.parametrize(("source", "target"), RATES)
def test_a_tone_stays_in_its_place(source, target):
  heard = resample.convert(tone(source, 0.5), source, target)
  # The ends ring; between them the filter passes a tone to 1 in 1,000.
  middle = slice(target // 10, -target // 10)
  np.testing.assert_allclose(
    heard[middle], tone(target, 0.5)[middle], atol=1e-3
  )


@pytest.mark.parametrize(
  ("source", "target", "delay_ms"),
  [
    (48_000, 16_000, 3.6),
    (44_100, 16_000, 3.6),
    (24_000, 16_000, 3.6),
    (8_000, 16_000, 7.3),
    (16_000, 24_000, 3.7),
    (16_000, 48_000, 3.7),
    (16_000, 16_000, 0.0),
  ],
)
def test_the_delay_is_the_one_that_is_said(source, target, delay_ms):
  delay = 1000 * Resampler(source, target).delay / target
  assert delay == pytest.approx(delay_ms, abs=0.05)


@pytest.mark.parametrize("hertz", [50.0, 3000.0, 7100.0])
@pytest.mark.parametrize("source", [48_000, 44_100, 24_000])
def test_all_that_the_target_holds_passes(source, hertz):
  heard = resample.convert(tone(source, 0.5, hertz), source)
  middle = slice(1600, -1600)
  wanted = tone(16_000, 0.5, hertz)[: len(heard)]
  np.testing.assert_allclose(heard[middle], wanted[middle], atol=1e-3)


@pytest.mark.parametrize("hertz", [8000.0, 8300.0, 9000.0, 15_900.0, 20_000.0])
def test_nothing_else_comes_back_as_an_alias(hertz):
  heard = resample.convert(tone(48_000, 0.5, hertz), 48_000)
  # 90 dB below a wave of amplitude 1.
  assert np.abs(heard[1600:-1600]).max() < 3.2e-5


@pytest.mark.parametrize("target", [24_000, 48_000])
def test_no_image_of_a_tone_appears(target):
  heard = resample.convert(tone(16_000, 1.0, 7000.0), 16_000, target)
  heard = heard[target // 10 : target // 10 + target // 2]
  size = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
  size[3490:3511] = 0
  assert size.max() < 3.2e-5 * len(heard) / 4


@pytest.mark.parametrize("rates", [(0, 16_000), (16_000, -1)])
def test_rates_are_positive(rates):
  with pytest.raises(ValueError, match="must be 1 or more"):
    Resampler(*rates)


@pytest.mark.parametrize("rate", [2**31 - 1, 383_987])
def test_rates_that_share_nothing_are_refused_at_once(rate):
  with pytest.raises(ValueError, match=rf"source={rate} Hz .* above 1 Hz"):
    Resampler(rate)
