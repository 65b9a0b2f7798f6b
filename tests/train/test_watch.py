import dataclasses
import io

import numpy as np
import pytest

from interaction_jax.model import cost
from interaction_jax.train import config, watch
from interaction_jax.train.config import Experiment, TrainConfig, WatchConfig

LINE = {
  "step": 11,
  "loss": 2.5,
  "loss/text": 1.25,
  "loss/gate": 0.25,
  "loss/flow": 1.0,
  "tokens_per_s": 8150.0,
  "seconds": 0.5,
  "waited": 0.01,
  "mfu": 0.125,
  "skipped": 0,
}


class Terminal(io.StringIO):
  def isatty(self):
    return True


@pytest.mark.parametrize(
  ("change", "left", "said"),
  [
    (
      {},
      None,
      "12/40  loss 2.500 (text 1.250 gate 0.250 flow 1.000)  8.2 k tokens/s  "
      "0.500 s/step  MFU 12.5%",
    ),
    ({"mfu": None}, None, "MFU not known"),
    ({"waited": 0.2}, None, "40% waiting for data"),
    ({"skipped": 3}, None, "3 skipped"),
    ({}, 65.0, "  1:05 left"),
    ({}, 3725.0, "  1:02:05 left"),
    ({"tokens_per_s": 12.4}, None, "  12 tokens/s"),
    ({"tokens_per_s": 2.34e6}, None, "  2.3 M tokens/s"),
  ],
  ids=["all", "mfu", "data", "skipped", "minutes", "hours", "slow", "fast"],
)
def test_a_line_for_a_person(change, left, said):
  assert said in watch.describe(LINE | change, 40, left)


def test_a_bar_is_written_over_where_a_person_looks_on():
  stream = Terminal()
  bar = watch.Bar(3, stream)
  for step in range(3):
    bar.show(LINE | {"step": step})
  first, *lines = stream.getvalue().split("\r")
  assert first == ""
  assert [one.split()[1] for one in lines] == ["1/3", "2/3", "3/3"]
  assert len({len(one.rstrip("\n")) for one in lines}) == 1
  assert stream.getvalue().endswith("\n")
  assert "left" not in lines[0]


def test_a_log_has_a_line_a_minute_and_the_last():
  stream = io.StringIO()
  bar = watch.Bar(9, stream)
  for step in range(9):
    bar.show(LINE | {"step": step})
  assert [one.split()[0] for one in stream.getvalue().splitlines()] == [
    "1/9", "9/9",
  ]  # fmt: skip


@pytest.fixture
def experiment(cfg):
  return Experiment(
    name="small",
    model=cfg,
    train=TrainConfig(batch=4, watch=WatchConfig(peak_tflops=0.5)),
  )


def test_utilization_is_work_over_time_and_peak(experiment):
  # 4 rows of 60 positions: 30 behind each on the average.
  work = 3 * 240 * cost.flops(experiment.model, context=30)
  found = watch.Flops(experiment, 8).utilization(240.0, 2.0)
  assert found == pytest.approx(work / 2.0 / (8 * 0.5e12), rel=1e-12)


def test_what_is_not_known_is_not_invented(experiment):
  unknown = dataclasses.replace(experiment.train.watch, peak_tflops=0.0)
  train = dataclasses.replace(experiment.train, watch=unknown)
  other = dataclasses.replace(experiment, train=train)
  assert watch.Flops(other, 8).utilization(240.0, 2.0) is None


def test_a_peak_is_what_a_matrix_product_reaches():
  peak = watch.peak_flops("float32")
  # From a slow core to more than any device has.
  assert 1e8 < peak < 1e16


@pytest.mark.parametrize(
  ("steps", "first", "last", "recorded"),
  [
    (range(2, 4), 0, 6, True),
    (range(2, 4), 3, 6, True),
    (range(2, 9), 0, 4, True),
    (range(2, 4), 5, 7, False),
    (None, 0, 3, False),
  ],
  ids=["whole", "begun inside", "cut short", "past", "none"],
)
def test_steps_are_profiled(tmp_path, steps, first, last, recorded):
  with watch.Profile(tmp_path, steps) as profile:
    for step in range(first, last):
      with profile.step(step):
        np.zeros(3)
  files = list((tmp_path / watch.PROFILE).rglob("*.xplane.pb"))
  assert len(files) == recorded


@pytest.mark.parametrize(
  ("name", "value"),
  [("sample_every", 0), ("sample_turns", 0), ("peak_tflops", -1.0)],
)
def test_settings_that_make_no_sense_are_refused(name, value):
  with pytest.raises(ValueError, match=rf"watch\.{name}={value} must lie in"):
    config.WatchConfig(**{name: value})
