import asyncio

import pytest

from interaction_jax.serve.background.desk import Desk, DeskConfig
from interaction_jax.serve.background.job import Context, Delivery, Finding


def told(reports):
  return [(one.job, one.state, one.text) for one in reports]


@pytest.fixture
def run(fast, until):
  """Runs tasks at a desk until nothing goes on; returns what it reported."""

  def run(model, tasks=("a",), meanwhile=None, **cfg):
    async def main():
      reports = []
      desk = Desk(model, reports.append, cfg=DeskConfig(**cfg))
      for task in tasks:
        desk.start(Context(task))
      if meanwhile is not None:
        await meanwhile(desk, reports)
      await until(lambda: len(asyncio.all_tasks()) == 1)
      return reports

    return fast(main())

  return run


def test_findings_come_as_they_are_found(run, play):
  model = play([Finding("looking", more=True), 0.01, "22 degrees"])
  assert told(run(model)) == [
    (1, "started", ""),
    (1, "partial", "looking"),
    (1, "done", "22 degrees"),
  ]


def test_a_result_ends_a_job(run, play):
  model = play(["first", 5, "never"])
  assert told(run(model))[1:] == [(1, "done", "first")]
  assert model.cancelled == 0


def test_who_ends_without_a_result_is_done_all_the_same(run, play):
  reports = run(play([Finding("a part", more=True)]))
  assert told(reports)[1:] == [(1, "partial", "a part"), (1, "done", "")]


@pytest.mark.parametrize(
  ("steps", "problem"),
  [
    ([], "nothing was found"),
    ([ValueError("no such city")], "no such city"),
    ([ConnectionError("refused")], "ConnectionError: refused"),
    ([None, "x"], "nothing was found"),
    ([b"bytes"], "AttributeError: 'bytes' object has no attribute 'more'"),
    ([0.01, RuntimeError("x" * 10**7)], "RuntimeError: xxx"),
  ],
  ids=["nothing", "value", "network", "none", "bytes", "long"],
)
def test_a_failure_is_told_once_in_a_few_words(run, play, steps, problem):
  *_, last = run(play(steps))
  assert last.state == "failed" and last.text.startswith(problem)
  assert len(last.text) <= DeskConfig().most_chars


def test_what_fails_halfway_has_failed(run, play):
  steps = [Finding("a part", more=True), ConnectionError("gone")]
  assert told(run(play(steps)))[1:] == [
    (1, "partial", "a part"),
    (1, "failed", "ConnectionError: gone"),
  ]


def test_who_finds_things_for_ever_is_ended(run, play):
  model = play([Finding("x", more=True)] * 10**4)
  reports = run(model, most_findings=20)
  assert len(reports) == 22 and model.cancelled == 0
  assert told(reports)[-1] == (1, "failed", "20 things were found, and no end")


def test_a_model_runs_in_one_task(run):
  class Opens:
    def __init__(self):
      self.tasks = set()

    async def run(self, context):
      self.tasks.add(asyncio.current_task())
      try:
        yield Finding("a", more=True)
        self.tasks.add(asyncio.current_task())
        yield Finding("b")
      finally:
        self.tasks.add(asyncio.current_task())

  model = Opens()
  assert [one.text for one in run(model)] == ["", "a", "b"]
  assert len(model.tasks) == 1


def test_what_has_no_findings_at_all_fails(run):
  class Wrong:
    def run(self, context):
      return 7

  assert run(Wrong())[-1].state == "failed"


def test_ten_megabytes_become_a_few_words(run, play):
  reports = run(play(["word\n\x00\x1b[31m " * 10**6]))
  text = reports[-1].text
  assert len(text) == DeskConfig().most_chars and text.endswith("... (cut)")
  assert text.startswith("word [31m word") and text.isprintable()


def test_a_short_text_is_told_whole(run, play):
  assert run(play([" two\n words\t"]))[-1].text == "two words"


def test_time_runs_out_and_a_late_result_is_told_as_late(run, play):
  reports = run(play([0.1, "at last"]), timeout_s=0.02)
  assert told(reports)[1:] == [
    (1, "timed_out", "no answer in 0.02 s"),
    (1, "late", "at last"),
  ]


@pytest.mark.parametrize("end", [[60, "x"], [0.1, OSError("gone")]])
def test_what_never_comes_is_told_once(run, play, end):
  reports = run(play(end), timeout_s=0.02, late_s=0.2)
  assert [one.state for one in reports] == ["started", "timed_out"]


def test_each_finding_gives_more_time(run, play):
  more = [Finding(str(number), more=True) for number in range(3)]
  steps = [step for one in more for step in (0.05, one)]
  states = [one.state for one in run(play([*steps, "end"]), timeout_s=0.1)]
  assert states == ["started", *["partial"] * 3, "done"]


def test_who_says_that_it_takes_longer_may(run, play):
  steps = [Finding("set", wait_s=5.0), 0.1, "time is up"]
  reports = run(play(steps), timeout_s=0.02)
  assert told(reports)[1:] == [(1, "partial", "set"), (1, "done", "time is up")]


def test_several_jobs_go_on_at_once_and_no_more_than_allowed(run, play):
  model = play({"a": [0.2, "slow"], "b": ["fast"], "c": ["never"]})
  reports = run(model, tasks=("a", "b", "c"), most=2)
  assert told(reports) == [
    (1, "started", ""),
    (2, "started", ""),
    (3, "failed", "2 other things are being done already"),
    (2, "done", "fast"),
    (1, "done", "slow"),
  ]


def test_who_sleeps_holds_nobody_up(run, play):
  asleep = [Finding("set", wait_s=9.0), 9, "time is up"]
  model = play({"a": asleep, "b": asleep, "c": asleep, "d": ["391"]})

  async def more(desk, reports):
    await desk.settle()
    desk.start(Context("d"))
    await desk.settle()
    desk.start(Context("b"))
    await desk.settle()
    desk.start(Context("c"))
    await desk.close()

  reports = run(model, ("a",), more, most=1, most_asleep=2)
  assert told(reports)[2:] == [
    (2, "started", ""),
    (2, "done", "391"),
    (3, "started", ""),
    (3, "partial", "set"),
    (4, "failed", "2 other things are being waited for already"),
    (1, "cancelled", ""),
    (3, "cancelled", ""),
  ]


def test_the_newest_job_is_cancelled(run, play, until):
  model = play([30, "never"])

  async def cancel(desk, reports):
    await until(lambda: len(model.given) == 2)
    desk.cancel()
    desk.cancel(1)
    desk.cancel(1)
    desk.cancel(99)

  reports = run(model, ("a", "b"), cancel)
  assert told(reports)[2:] == [(2, "cancelled", ""), (1, "cancelled", "")]
  assert model.cancelled == 2


def test_a_job_is_superseded(run, play, until):
  model = play({"paris": [30, "never"], "rome": ["warm"]})

  async def replace(desk, reports):
    await until(lambda: model.given)
    assert desk.start(Context("rome"), replaces=1) == 2

  reports = run(model, ("paris",), replace)
  assert told(reports)[1:] == [
    (1, "superseded", ""),
    (2, "started", ""),
    (2, "done", "warm"),
  ]


def test_a_model_that_will_not_end_holds_nobody_up(run, until):
  class Stubborn:
    began = False

    async def run(self, context):
      self.began = True
      for _ in range(30):
        try:
          await asyncio.sleep(0.1)
        except asyncio.CancelledError:
          continue
      yield Finding("never told")

  model = Stubborn()

  async def close(desk, reports):
    await until(lambda: model.began)
    desk.cancel()
    async with asyncio.timeout(3):
      await desk.close()
    # It ends by itself, and nobody hears of it.
    await until(lambda: len(asyncio.all_tasks()) == 1)

  assert [one.state for one in run(model, ("a",), close)] == [
    "started",
    "cancelled",
  ]


def test_closing_cancels_what_goes_on(run, play, until):
  model = play([30])

  async def close(desk, reports):
    await until(lambda: len(model.given) == 2)
    await desk.close()
    await desk.close()

  reports = run(model, ("a", "b"), close)
  assert [one.state for one in reports[2:]] == ["cancelled"] * 2
  assert model.cancelled == 2


def test_settled_is_who_is_over_or_sleeps(run, play):
  model = play(
    {"sum": [0.05, "391"], "timer": [Finding("set", wait_s=9.0), 9, "up"]}
  )

  async def settle(desk, reports):
    await desk.settle()
    assert [one.state for one in reports[2:]] == ["partial", "done"]
    assert list(desk.running) == [2]
    await desk.settle()
    desk.cancel()

  assert run(model, ("sum", "timer"), settle)[-1].state == "cancelled"


def test_how_and_where_it_is_told_comes_from_the_finding(run, play):
  finding = Finding("a", delivery=Delivery.INTERRUPT, shown={"chart": "bar"})
  last = run(play([finding]))[-1]
  assert (last.delivery, last.shown) == (Delivery.INTERRUPT, {"chart": "bar"})


def test_a_task_of_any_length_is_told_in_a_few_words(run, play):
  last = run(play(["x"]), ("long " * 10**5,))[-1]
  assert last.state == "failed" and len(last.task) == 80
  assert last.text == "a task has 2000 characters at most"


def test_reports_are_counted(fast, play):
  async def main():
    desk = Desk(play(["x"]), lambda report: None)
    for task in "abc":
      desk.start(Context(task))
    await desk.settle()
    return desk.counts

  assert fast(main()) == {"started": 3, "done": 3}


@pytest.mark.parametrize(
  ("field", "value"),
  [("most", 0), ("most_asleep", 0), ("timeout_s", float("inf")),
   ("late_s", -1.0), ("most_chars", -3), ("most_task", 0)],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused(field, value):
  with pytest.raises(ValueError, match=rf"desk.{field}={value}"):
    DeskConfig(**{field: value})


def test_who_settles_sees_a_sleeper_whose_time_has_come(run, play):
  async def settle(desk, reports):
    await desk.settle()
    assert told(reports)[1:] == [(1, "partial", "set")]
    # The loop stands still until it is time, and longer.
    asyncio.get_running_loop().stand_still(6.0)
    await desk.settle()
    assert told(reports)[2:] == [(1, "done", "up")]

  run(play([Finding("set", wait_s=60.0), 3.0, "up"]), ("a",), settle)


def test_what_was_found_in_time_is_no_less_so_where_the_loop_stood_still(
  run, play, until
):
  model = play([0.05, "22 degrees"])

  async def still(desk, reports):
    await until(lambda: model.given)
    # The finding, and then the end of its time, are both due behind it.
    asyncio.get_running_loop().stand_still(1.0)

  reports = run(model, ("a",), still, timeout_s=0.1)
  assert told(reports)[1:] == [(1, "done", "22 degrees")]
