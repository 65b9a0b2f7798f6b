import asyncio
import contextlib

import pytest

from interaction_jax.serve.background.crew import Answer, Call, Crew, Sign
from interaction_jax.serve.background.endpoint import Piece
from interaction_jax.serve.background.job import Context, Delivery, Finding
from interaction_jax.serve.background.tools.numbers import Calculator


class Script:
  """A tool that follows a script: seconds, findings and errors."""

  summary = "Does what it is told."

  def __init__(self, name, *steps, parameters=None):
    self.name, self.steps, self.given = name, steps, []
    self.parameters = parameters or {"properties": {"n": {"type": "integer"}}}
    self.ended = 0

  def match(self, task):
    return None

  async def call(self, context, **arguments):
    self.given.append(arguments)
    try:
      for step in self.steps:
        if isinstance(step, float):
          await asyncio.sleep(step)
        elif isinstance(step, Exception):
          raise step
        else:
          yield Finding(step) if isinstance(step, str) else step
    finally:
      self.ended += 1


async def fetch(crew, num):
  return [await crew.next() for _ in range(num)]


@pytest.fixture
def work(fast):
  """Runs a coroutine function with a crew."""

  def work(play, *tools, most=100):
    async def main():
      crew = Crew({tool.name: tool for tool in tools}, Context("a"), most=most)
      async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(crew.close)
        return await play(crew)

    return fast(main())

  return work


def test_a_tool_answers_the_model(work):
  async def play(crew):
    call = Call("1", "calculator", '{"expression": "2 + 3"}')
    crew.start(call)
    assert crew.at_work
    assert await fetch(crew, 2) == [Answer(call, "5"), Sign.IDLE]
    assert not crew.at_work and crew.wait_s is None

  work(play, Calculator())


def test_several_work_at_once(work):
  slow, fast = Script("slow", 0.2, "b"), Script("fast", "a")

  async def play(crew):
    calls = [Call("1", "slow", "{}"), Call("2", "fast", '{"n": 1}')]
    for call in calls:
      crew.start(call)
    found = await fetch(crew, 2)
    assert found == [Answer(calls[1], "a"), Answer(calls[0], "b")]

  work(play, slow, fast)
  assert fast.given == [{"n": 1}] and slow.given == [{}]


def test_what_is_found_on_the_way_and_for_the_screen_is_told(work):
  steps = [Finding("looking", more=True), Finding("here", shown={"a": 1})]

  async def play(crew):
    call = Call("1", "t", "")
    crew.start(call)
    assert await fetch(crew, 3) == [
      Finding("looking", more=True),
      Finding("here", Delivery.SILENT, {"a": 1}, more=True),
      Answer(call, "here"),
    ]

  work(play, Script("t", *steps))


def test_who_sleeps_keeps_no_model_waiting(work):
  up = Finding("time is up", Delivery.INTERRUPT)
  tool = Script("t", Finding("set", more=True, wait_s=9.0), 0.05, up)

  async def play(crew):
    call = Call("1", "t", "{}")
    crew.start(call)
    told, answer = await fetch(crew, 2)
    assert answer.text == "set (it is told by itself when it is time)"
    assert told == Finding("set", Delivery.SILENT, more=True)
    assert crew.at_work and 0 < crew.wait_s <= 9
    rest = [one async for one in crew.rest()]
    assert rest == [Finding("time is up", Delivery.INTERRUPT, more=True)]
    assert not crew.at_work and crew.wait_s is None

  work(play, tool)


@pytest.mark.parametrize(
  ("name", "arguments", "answer"),
  [
    ("oven", "{}", "error: there is no tool 'oven'; there is t"),
    ("t", "{half", "error: the arguments are no JSON: "),
    ("t", "[" * 10**5, "error: the arguments are no JSON: "),
    ("t", "[1]", "error: the arguments are no object of JSON"),
    ("t", '"x"', "error: the arguments are no object of JSON"),
    ("t", '{"n": "x"}', "error: t: n='x' is no integer"),
    ("t", '{"m": 1}', "error: t: ['m'] unknown, [] missing"),
    ("t", "{}", "error: no such city"),
  ],
  ids=["name", "json", "deep", "list", "text", "type", "unknown", "value"],
)
def test_the_model_is_told_of_its_mistakes(work, name, arguments, answer):
  async def play(crew):
    crew.start(Call("1", name, arguments))
    (found,) = await fetch(crew, 1)
    assert found.text.startswith(answer)

  work(play, Script("t", ValueError("no such city")))


def test_what_fails_after_it_slept_is_told_by_itself(work):
  sleeps = Finding("set", more=True, wait_s=9.0)

  async def play(crew):
    crew.start(Call("1", "t", "{}"))
    await fetch(crew, 2)
    return [one.text async for one in crew.rest()]

  tool = Script("t", sleeps, ValueError("broken"))
  assert work(play, tool) == ["t: error: broken"]


def test_what_is_no_mistake_of_the_model_is_raised(work):
  async def play(crew):
    crew.start(Call("1", "t", "{}"))
    await crew.next()

  with pytest.raises(OSError, match="disk"):
    work(play, Script("t", OSError("disk is full")))


def test_answers_have_an_end(work):
  async def play(crew):
    crew.start(Call("1", "t", "{}"))
    return await crew.next()

  answer = work(play, Script("t", "x" * 10**7), most=50)
  assert answer.text == "x" * 50 + " ... (cut)"


def test_who_finds_nothing_says_so(work):
  async def play(crew):
    crew.start(Call("1", "t", "{}"))
    return await crew.next()

  assert work(play, Script("t")).text == "nothing was found"


def test_closing_ends_everybody(work):
  tool = Script("t", 60.0, "never")

  async def play(crew):
    for number in range(3):
      crew.start(Call(str(number), "t", "{}"))
    await asyncio.sleep(0.01)

  work(play, tool)
  assert tool.ended == 3


async def pieces(*steps):
  for step in steps:
    if isinstance(step, float):
      await asyncio.sleep(step)
    elif isinstance(step, Exception):
      raise step
    else:
      yield Piece(step)


def test_a_reply_is_heard_while_tools_work(work):
  async def play(crew):
    crew.start(Call("1", "t", "{}"))
    crew.hear(pieces("a", 60.0, "b"))
    assert {type(one) for one in await fetch(crew, 2)} == {Answer, Piece}

  work(play, Script("t", 0.01, "x"))


def test_a_reply_is_heard_to_its_end(work):
  async def play(crew):
    crew.hear(pieces("a", "b"))
    assert await fetch(crew, 3) == [Piece("a"), Piece("b"), Sign.READ]
    assert not crew.at_work
    crew.hear(pieces("a", ValueError("broken off")))
    assert await crew.next() == Piece("a")
    with pytest.raises(ValueError, match="broken off"):
      await crew.next()
    stop = crew.hear(pieces("a", 60.0, "b"))
    assert await crew.next() == Piece("a")
    stop()
    assert await crew.next() is Sign.READ

  work(play)
