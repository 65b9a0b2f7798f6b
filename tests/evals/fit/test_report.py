import dataclasses
import importlib.util
import json

import jax
import pytest

from interaction_jax import __main__ as cli
from interaction_jax.core import settings
from interaction_jax.evals.fit import depth, report, topology
from interaction_jax.evals.fit.chip import Chip
from interaction_jax.evals.fit.depth import Figures
from interaction_jax.evals.fit.report import Request
from interaction_jax.evals.fit.roofline import Sum
from interaction_jax.evals.fit.topology import Topology
from interaction_jax.model import config

HAS_LIBTPU = importlib.util.find_spec("libtpu") is not None

# What `fit --json` promises to keep.
KEPT = {
  "chips", "fits", "bytes_per_chip", "pass_ms", "text_passes", "turn_ms",
  "sessions", "collectives",
}  # fmt: skip

# 100 operations and 10 bytes a second.
CHIP = Chip("toy", "tpu", 1000, 100.0, 10.0, num_axes=2)


@pytest.fixture(scope="module")
def full(root):
  return settings.load(root / "configs" / "interaction_276b.py")


@pytest.fixture(scope="module")
def small(root):
  return settings.load(root / "tests" / "small.py")


@pytest.fixture(scope="module")
def found(small):
  """A report on the device of the tests, taken for a chip of v5e."""
  where = topology.parse("v5e:1x1")
  request = Request(small, where, sessions=3, trained=False, how="whole")
  return report.on(request, jax.devices()[:1])


def figures(**moved):
  """Figures in which each part moves so many bytes, and takes twice as long
  one after the other as its bytes do."""
  return Figures(
    arguments=700.0, output=1.0, temporaries=60.0, code=3.0, flops=0.0,
    accessed=0.0,
    sums={
      (part, "fusion"): Sum(count=1.0, moved=m, alone_s=2 * m / 10)
      for part, m in moved.items()
    },
  )  # fmt: skip


def test_a_turn_is_a_pass_its_text_and_its_voice():
  told = report.times(
    figures(**{"pass": 0.1, "text": 0.04, "voice": 0.02}),
    Topology(CHIP, (2, 2)),
  )
  # Bytes over 10 a second: 10, 4 and 2 ms; serially twice that.
  assert (told["pass_ms"], told["text_pass_ms"], told["voice_ms"]) == (20, 8, 4)
  assert told["turn_ms"] == {"1": 32.0, "4": 56.0, "8": 88.0}
  assert told["overlapped"]["turn_ms"] == {"1": 16.0, "4": 28.0, "8": 44.0}
  assert told["in_time"] == {"1": True, "4": True, "8": True}
  assert told["parts"]["text"]["bound"] == "memory"
  assert told["costliest"]["pass"] == {"fusion": 20.0}


def test_a_turn_that_is_late_is_told_so():
  told = report.times(
    figures(**{"pass": 0.4, "text": 0.1, "voice": 0.0}), Topology(CHIP, (2, 2))
  )
  # 80 + 4 x 20 ms are in time, 80 + 8 x 20 ms are not.
  assert told["in_time"] == {"1": True, "4": True, "8": False}


def test_collectives_are_told_by_part():
  sums = {
    ("pass", "all-gather"): Sum(count=4.0, sent=800.0, links_s=0.002),
    ("text", "all-gather"): Sum(count=1.0, sent=8.0, links_s=0.001),
    ("pass", "fusion"): Sum(count=4.0, moved=800.0),
  }
  some = dataclasses.replace(figures(), sums=sums)
  assert report.collectives(some, "pass") == {
    "all-gather": {"count": 4.0, "bytes": 800, "ms": 2.0}
  }


def test_minutes_of_memory_follow_from_the_positions_of_a_turn(full):
  memory = config.MemoryConfig(media=32_768)
  cfg = dataclasses.replace(full.model, memory=memory)
  # 32,768 positions of media; a turn takes 1 + 4 of them, 4 more of a voice,
  # and 84 patches every third turn: 6553.6, 3640.9 and 885.6 turns of 200 ms.
  assert report.minutes(cfg) == {
    "listening": 21.8, "speaking": 12.1, "speaking_and_seeing": 3.0,
  }  # fmt: skip


@pytest.mark.parametrize(
  ("name", "slices", "sessions", "line"),
  [
    ("v5p:2x2x4", 1, 64, "data=1,expert=16,tensor=1"),
    ("v5p:2x2x4", 2, 64, "data=2,expert=16,tensor=1"),
    ("v6e:8x8", 1, 128, "data=1,expert=64,tensor=1"),
    # Attention and tables do not fit whole.
    ("v5e:8x8", 1, 64, "data=1,expert=16,tensor=4"),
    # Two cores of each chip.
    ("tpu7x:2x2x2", 1, 64, "data=1,expert=16,tensor=1"),
  ],
)
def test_the_mesh_that_is_chosen_has_room(full, name, slices, sessions, line):
  where = topology.parse(name, num_slices=slices)
  assert report.usual_mesh(full.model, where, sessions) == line


def test_the_mesh_that_is_chosen_knows_what_is_quantised(full):
  where = topology.parse("v5e:8x8")
  for quantise, line in (
    # Heads are split less where experts take half as much.
    ({"experts": "int8"}, "data=1,expert=32,tensor=2"),
    ({}, "data=1,expert=16,tensor=4"),
  ):
    told = report.usual_mesh(full.model, where, 64, quantise=quantise)
    assert told == line


def test_a_report_says_what_is_quantised(small):
  where = Topology(CHIP, (1, 1))
  request = Request(small, where, sessions=1, quantise={"experts": "fp8"})
  plain = dataclasses.replace(request, quantise={})
  told, wide = (report.on(one, jax.devices()[:1]) for one in (request, plain))
  assert told["quantise"] == {"experts": "fp8"} and wide["quantise"] == {}
  here, there = (one["bytes_per_chip"] for one in (told, wide))
  # 11 experts of 24 and 16: three bytes less a number, a scale a channel.
  saved = 11 * (3 * 3 * 24 * 16 - 4 * (2 * 16 + 24))
  assert there["weights"] - here["weights"] == saved
  assert there["cache"] == here["cache"]
  # An update has the weights themselves.
  assert told["train"] == wide["train"]
  assert "mesh data=1, experts in fp8" in report.summary(told)
  assert "fp8" not in report.summary(wide)


def test_sessions_that_no_mesh_divides_are_refused(full):
  where = topology.parse("v5p:2x2x4", num_slices=3)
  with pytest.raises(ValueError, match=r"--sessions=64 cannot.*multiple of 3"):
    report.usual_mesh(full.model, where, 64)


def test_training_keeps_its_weights_in_pieces_within_a_slice(full):
  where = topology.parse("v5p:8x8x8", num_slices=2)
  line = report.usual_train_mesh(full.model, where)
  assert line == "data=2,fsdp=64,expert=8"


def test_a_report_has_the_fields_that_are_read(found):
  assert found.keys() >= KEPT
  assert (found["chips"], found["sessions"], found["fits"]) == (1, 3, True)
  memory = found["bytes_per_chip"]
  assert memory["padding"] == 3 * (4 * 3200 + 4 * 5 + 1 + 4 + 8)
  parts = ("weights", "cache", "temporaries", "padding", "other")
  assert memory["total"] == sum(memory[part] for part in parts)
  assert memory["capacity"] == int(15.75 * 2**30)
  turn = found["pass_ms"] + 8 * found["text_pass_ms"] + found["voice_ms"]
  # Each of them is rounded to the microsecond.
  assert abs(found["turn_ms"]["8"] - turn) < 0.006
  assert found["turn_ms"]["8"] > found["pass_ms"] > 0
  assert json.loads(json.dumps(found)) == found


def test_room_for_sessions_is_what_weights_and_code_leave(found):
  memory = found["bytes_per_chip"]
  each = (memory["cache"] + memory["temporaries"]) / 3
  most = (memory["capacity"] - memory["weights"]) / each
  assert most - 1 < found["most_sessions"] <= most


def test_a_person_reads_that_times_are_estimates(found):
  text = report.summary(found)
  assert "serving 3 sessions, mesh data=1" in text
  assert "GiB on a chip of 15.8" in text
  lines = [line for line in text.splitlines() if " serial " in line]
  assert len(lines) == 6 and all("estimated" in line for line in lines)


@pytest.mark.parametrize(
  ("name", "capacity"),
  # A chip of two devices has the memory of both.
  [("v6e:1x1", 31.25), ("tpu7x:1x1x1", 2 * 94.75)],
)
def test_what_cannot_fit_is_told_before_anything_is_compiled(
  full, name, capacity
):
  where = topology.parse(name)
  request = Request(full, where, sessions=1, mesh="data=1", trained=False)
  found = report.on(request, jax.devices()[:1])
  assert not found["fits"] and "GiB of weights" in found["why"]
  assert "does not fit" in report.summary(found)
  memory = found["bytes_per_chip"]
  assert memory["capacity"] == pytest.approx(capacity * 2**30)
  # 264 B numbers of two bytes, on each device.
  num = where.num_devices
  assert 5.2e11 * num < memory["weights"] < 5.3e11 * num


def test_training_takes_four_numbers_where_serving_takes_one(small):
  where = Topology(CHIP, (1, 1))
  found = report.on(Request(small, where, sessions=1), jax.devices()[:1])
  assert found["fits"] is found["train"]["fits"] is False
  served = found["bytes_per_chip"]["weights"]
  # Weights, averages and two moments, which the vocoder does not have.
  trained = found["train"]["bytes_per_chip"]["weights"]
  assert 3.5 < trained / served < 4.01
  assert "training, batch 8, mesh data=1" in report.summary(found)


def test_a_check_says_how_far_the_calculation_is_off(full):
  def compiled(layers):
    # The eighth layer adds what the others do not.
    extra = 10.0 if len(layers) == 8 else 0.0
    moved = 100.0 * len(layers) + extra
    return dataclasses.replace(figures(**{"pass": moved}), arguments=moved)

  found = report.check(full.model.backbone, compiled)
  assert found["layers"] == [0, 1, 2, 3, 4, 5, 11, 17]
  assert found["pass moved"] == {
    "expected": 800.0, "compiled": 810.0, "apart": round(10 / 810, 4),
  }  # fmt: skip
  assert found["temporaries"]["apart"] == 0
  assert depth.chosen(full.model.backbone, 3) == tuple(found["layers"])


@pytest.mark.parametrize(
  ("flags", "message"),
  [
    (["--topology=v5q:2x2"], "no known machine (did you mean v5p"),
    (["--program=steps"], "--program='steps' is not known (did you mean step"),
    (["--layers=all"], "--layers='all' is not known"),
    (["--mesh=v5"], "mesh 'v5' is not known"),
    (["--set=train.batsh=3"], "batsh"),
    (["--config=nothing"], "config 'nothing' is neither"),
    (["--quantise=experts=int4"], "'int4' is not known (did you mean int8?)"),
    (["--quantise=int8"], "--quantise='int8' is not PART=KIND"),
    (
      ["--quantise=experts=int8", "--program=train"],
      "--quantise='experts=int8' is for a model that is served",
    ),
  ],
)
def test_a_wrong_line_is_refused_in_one(flags, message, capsys):
  assert cli.main(["fit", *flags]) == 2
  told = capsys.readouterr().err
  assert message in told and told.count("\n") == 1


def test_a_small_model_is_compiled_for_a_tpu_or_it_says_what_to_install(
  root, capsys
):
  line = [
    "fit",
    f"--config={root / 'tests' / 'small.py'}",
    "--topology=v5e:2x2",
  ]
  line += ["--sessions=4", "--program=step", "--layers=whole", "--json"]
  code = cli.main(line)
  told = capsys.readouterr()
  if HAS_LIBTPU:
    found = json.loads(told.out)
    assert code == 0 and found.keys() >= KEPT and found["fits"]
    assert found["mesh"]["data"] == 4 and found["chips"] == 4
    assert found["turn_ms"]["4"] > 0
  else:
    assert code == 2
    assert told.err == (
      "interaction-jax: fit needs libtpu, which is not installed; "
      "pip install 'interaction-jax[tpu]' brings it.\n"
    )


def test_gpus_need_a_plugin(capsys):
  code = cli.main(["fit", "--topology=h200:1", "--config=tiny"])
  told = capsys.readouterr()
  if importlib.util.find_spec("jax_cuda12_plugin") is None:
    assert code == 2 and "interaction-jax[cuda]" in told.err
  else:
    assert code == 0 and "fits" in told.out
