import asyncio
import json
import socket
import threading

import numpy as np
import pytest

from interaction_jax.serve.background.chat import Chat, ChatConfig
from interaction_jax.serve.background.job import Context, Delivery, Finding
from interaction_jax.serve.background.tools.chart import Chart
from interaction_jax.serve.background.tools.numbers import Calculator
from interaction_jax.serve.background.tools.timer import Timer
from interaction_jax.serve.engine import Engine
from interaction_jax.turns import clock
from interaction_jax.turns.vocabulary import Control

SUM = ("calculator", {"expression": "17 * 23"})


@pytest.fixture
def run(ask):
  """Runs a task against replies; returns what was found, and was asked."""

  def run(*replies, task="what is it", tools=None, cfg=None, **more):
    endpoint, running = ask(*replies, **more)
    tools = [Calculator()] if tools is None else tools
    chat = Chat(endpoint, tools=tools, cfg=cfg or ChatConfig())

    async def main():
      found = []
      try:
        async for finding in chat.run(Context(task)):
          found.append(finding)
      except ValueError as error:
        found.append(str(error))
      return found

    found = asyncio.run(main())
    chat.close()
    return found, [json.loads(body) for _, _, body in running.asked]

  return run


def test_an_answer(run, said):
  found, asked = run(said("22 degrees", " and rain."), task="weather in paris")
  assert found == [Finding("22 degrees and rain.")]
  last = asked[0]["messages"][-1]
  assert last == {
    "role": "user",
    "content": "[0.0] Your task: weather in paris",
  }
  assert [one["function"]["name"] for one in asked[0]["tools"]] == [
    "calculator"
  ]


def test_sentences_are_told_as_they_come(run, said):
  pieces = [
    "Dr. Smith has looked into all of this for you. ",
    "It will",
    " rain in the whole of Paris today!\nTake an umb",
    "rella.",
  ]
  found, _ = run(said(*pieces))
  assert found == [
    Finding("Dr. Smith has looked into all of this for you.", more=True),
    Finding("It will rain in the whole of Paris today!", more=True),
    Finding("Take an umbrella."),
  ]


def test_tools_are_called_in_a_loop(run, said):
  found, asked = run(
    said("Let me see.", calls=[SUM]), said(calls=[SUM, SUM]), said("391.")
  )
  assert found == [Finding("Let me see.", more=True), Finding("391.")]
  call, answer = asked[1]["messages"][-2:]
  assert call == {
    "role": "assistant",
    "content": "Let me see.",
    "tool_calls": [
      {
        "id": "id_0",
        "type": "function",
        "function": {"name": SUM[0], "arguments": json.dumps(SUM[1])},
      }
    ],
  }
  assert answer == {"role": "tool", "tool_call_id": "id_0", "content": "391"}
  assert [one["role"] for one in asked[2]["messages"][-3:]] == [
    "assistant",
    "tool",
    "tool",
  ]


@pytest.mark.parametrize(
  ("call", "answer"),
  [
    (("calculator", '{"expression": '), "error: the arguments are no JSON"),
    (("calculator", {"sum": 1}), "error: calculator: ['sum'] unknown"),
    (("oven", {}), "error: there is no tool 'oven'"),
    (("calculator", {"expression": "1/0"}), "error: '1/0' comes to nothing"),
  ],
  ids=["json", "unknown", "tool", "value"],
)
def test_a_call_that_is_wrong_is_told_to_the_model(run, said, call, answer):
  found, asked = run(said(calls=[call]), said("sorry"))
  assert found == [Finding("sorry")]
  assert asked[1]["messages"][-1]["content"].startswith(answer)


def test_calls_without_ids_or_numbers(run, said, event, http):
  calls = [
    {"function": {"name": "calculator", "arguments": '{"expression": "1+1"}'}},
    {"function": {"name": "calculator", "arguments": '{"expression": "2+2"}'}},
  ]
  choice = {"delta": {"tool_calls": calls}, "finish_reason": "tool_calls"}
  reply = http(event({"choices": [choice]}), kind="text/event-stream")
  _, asked = run(reply, said("fine"))
  assert [
    (one["tool_call_id"], one["content"]) for one in asked[1]["messages"][-2:]
  ] == [("call_0", "2"), ("call_1", "4")]


def test_there_is_an_end_to_rounds(run, said):
  found, asked = run(said(calls=[SUM]), cfg=ChatConfig(rounds=3))
  # In the last round it calls although it may not.
  assert found == ["the endpoint sends no answer"]
  choices = [one["tool_choice"] for one in asked]
  assert choices == ["auto", "auto", "none"]


def test_there_is_an_end_to_calls(run, said):
  found, asked = run(
    said(calls=[SUM] * 5), said("enough"), cfg=ChatConfig(calls=3)
  )
  assert found == [Finding("enough")]
  told = [
    one["content"] for one in asked[1]["messages"] if "tool_call_id" in one
  ]
  assert told == ["391"] * 3 + ["error: too many calls"] * 2
  assert asked[1]["tool_choice"] == "none"


def test_a_long_answer_is_cut(run, said):
  def play():
    yield said("word " * 100, ends=None, done=False)
    yield None

  found, _ = run(play, cfg=ChatConfig(answer=50))
  assert found == [Finding("word " * 10 + "... (cut)")]


def test_calls_without_end_are_refused(run, said):
  reply = said(calls=[("calculator", "x" * 1000)])
  found, _ = run(reply, cfg=ChatConfig(arguments=400))
  assert found == ["the endpoint writes calls of over 400 characters"]


@pytest.mark.parametrize("reply", ["", "   "])
def test_an_empty_answer_is_none(run, said, reply):
  assert run(said(reply))[0] == ["the endpoint sends no answer"]


def test_what_fails_halfway(run, said):
  text = "This is a sentence that is quite long enough. And this"
  found, _ = run(said(text, ends=None))
  assert found == [
    Finding("This is a sentence that is quite long enough.", more=True),
    "the endpoint breaks off",
  ]


def test_a_chart_is_shown_and_told_of(run, said):
  spec = {"chart": "bar", "data": {"a": 1}}
  found, asked = run(
    said(calls=[("chart", spec)]), said("There it is."), tools=[Chart()]
  )
  assert found == [
    Finding("a bar chart is on the screen", Delivery.SILENT, spec, more=True),
    Finding("There it is."),
  ]
  assert asked[1]["messages"][-1]["content"] == "a bar chart is on the screen"


TEA = ("timer", {"seconds": 2, "text": "tea"})
RINGS = Finding("time is up: 2 seconds, tea", Delivery.INTERRUPT, more=True)
SENTENCE = "This is said while the timer is on its way to ring."


class Held(asyncio.SelectorEventLoop):
  """A loop whose clock a test advances."""

  now = 0.0

  def time(self):
    return self.now


@pytest.fixture
def hold(ask):
  """Runs a task by a clock that is advanced where a finding says so."""

  def hold(advance, *replies, tools):
    endpoint, running = ask(*replies)
    chat = Chat(endpoint, tools=tools)

    async def main():
      found = []
      async for finding in chat.run(Context("what is it")):
        found.append(finding)
        asyncio.get_running_loop().now += advance(finding)
      return found

    with asyncio.Runner(loop_factory=Held) as runner:
      found = runner.run(main())
    chat.close()
    return found, [json.loads(body) for _, _, body in running.asked]

  return hold


def test_a_timer_rings_when_the_answer_was_given_long_ago(hold, said):
  # It is time for it once the answer has been given, however long that took.
  found, asked = hold(
    lambda one: 2.5 if one.text.startswith("It is set") else 0.0,
    said(calls=[TEA, SUM]),
    said("It is set, and 391."),
    tools=[Timer(), Calculator()],
  )
  told = [one["content"] for one in asked[1]["messages"][-2:]]
  assert told[0].startswith("timer set for 2 seconds (it is told by itself")
  assert told[1] == "391"
  first, answer, last = found
  assert first == Finding("timer set for 2 seconds", Delivery.SILENT, more=True)
  assert answer.text == "It is set, and 391." and answer.more
  assert answer.wait_s == 7.0
  assert last == RINGS


def test_a_timer_rings_while_the_model_replies(hold, said):
  rang = threading.Event()

  def play():
    reply = said(f"{SENTENCE} It", " rang.")
    cut = reply.rindex(b"data:", 0, reply.index(b" rang."))
    yield reply[:cut]
    # The rest of it is sent when it has rung.
    assert rang.wait(300)
    yield reply[cut:]

  def advance(one):
    if one == RINGS:
      rang.set()
    return 2.5 if one.text == SENTENCE else 0.0

  found, _ = hold(advance, said(calls=[TEA]), play, tools=[Timer()])
  assert found[1:] == [
    Finding(SENTENCE, more=True), RINGS, Finding("It rang."),
  ]  # fmt: skip


@pytest.mark.parametrize(
  "task", ['{"tool":"calculator","expression":"2+2"}', ' {"tool": "oven"}']
)
def test_a_call_of_the_interaction_model_goes_to_its_tool(run, said, task):
  found, asked = run(said("there is no oven"), task=task)
  if "calculator" in task:
    assert found == [Finding("4")] and asked == []
  else:
    assert found == [Finding("there is no oven")]


def test_who_gives_up_ends_everything(ask, said, until):
  timer = ("timer", {"seconds": 60})
  endpoint, running = ask(said(calls=[timer]), lambda: [None])
  chat = Chat(endpoint, tools=[Timer()])

  async def main():
    async def work():
      async for _ in chat.run(Context("a")):
        pass

    working = asyncio.create_task(work())
    await until(lambda: len(running.asked) == 2)
    working.cancel()
    await asyncio.wait([working])
    await until(lambda: len(asyncio.all_tasks()) == 1)

  asyncio.run(main())


def test_two_tools_of_one_name_are_refused(ask, said):
  endpoint, _ = ask(said("x"))
  with pytest.raises(ValueError, match="two tools have one name"):
    Chat(endpoint, tools=[Timer(), Timer()])


@pytest.mark.parametrize("field", ["rounds", "calls", "answer", "context"])
def test_settings_that_make_no_sense_are_refused(field):
  with pytest.raises(ValueError, match=rf"chat\.{field}=0 must be 1 or more"):
    ChatConfig(**{field: 0})


# --- what an endpoint does wrong, and a conversation that goes on ---

PARIS = " weather in paris"
HEAD = b"HTTP/1.1 200 X\r\nContent-Type: text/event-stream\r\n\r\n"
HALF = b'data: {"choices": [{"delta": {"content": "half of it"}}]}\n\n'
ERROR = b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n"


def forever(part):
  def play():
    yield HEAD
    while True:
      yield part

  return play


def slowly(reply):
  def play():
    for place in range(0, len(reply), 40):
      yield reply[place : place + 40]
      yield 0.005

  return play


FAULTS = {
  "down": (None, "failed", "the endpoint cannot be reached"),
  "500": (ERROR, "failed", "the endpoint answers 500"),
  "hangs up": (b"", "failed", "the endpoint breaks off"),
  "breaks off": (HEAD + HALF, "failed", "the endpoint breaks off"),
  "garbage": (b"\x00\xff" * 999, "failed", "the endpoint breaks off"),
  "no json": (HEAD + b"data: {half\n\n", "failed", "sends what is no JSON"),
  "html": (HEAD + b"<html>" * 99, "failed", "the endpoint breaks off"),
  "silent": (lambda: [None], "failed", "has no answer in 0.3 s"),
  "stops": (lambda: [HEAD + HALF, None], "failed", "has no answer in 0.3 s"),
  "10 MB": (HEAD + HALF * 200_000, "done", "... (cut)"),
  "10 MB line": (HEAD + b"x" * 10**7, "failed", "it sends over"),
  "endless": (forever(HALF), "done", "... (cut)"),
  "endless line": (forever(b"x" * 9999), "failed", "it sends over"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_no_endpoint_touches_a_conversation(ask, desktop, fault):
  reply, state, text = FAULTS[fault]
  with socket.socket() as taken:
    taken.bind(("127.0.0.1", 0))
    endpoint, _ = ask(
      HEAD if reply is None else reply,
      seconds=0.3 if callable(reply) and "endless" not in fault else 300.0,
      bytes=2**20,
    )
    if reply is None:
      port = taken.getsockname()[1]
      endpoint, _ = ask(HEAD, url=f"http://127.0.0.1:{port}/v1")
    one, alone = desktop(Chat(endpoint)), desktop()
    # It is asked in the third turn; nobody waits for what it does meanwhile.
    one.type(Control.DELEGATE, PARIS, None, None)
    one.session.settle(300.0)
    one.type(*[None] * 6)
  endpoint.close()
  told = one.told()
  assert told[0] == (1, "started", "")
  # The end of it is told once, in a few words.
  ends = [each for each in told if each[1] in ("done", "failed")]
  assert [each[:2] for each in ends] == [(1, state)]
  assert text in ends[0][2] and len(ends[0][2]) < 1000
  # The bits are those of who is told the same in the same turns.
  for note in one.notes:
    alone.session.inform(note.text, note.about, at=clock.seconds(note.turn))
  alone.type(Control.DELEGATE, PARIS, *[None] * 8)
  assert one.bits() == alone.bits()


@pytest.mark.parametrize(
  ("arguments", "answer"),
  [
    ('{"expression": "17 *', "error: the arguments are no JSON"),
    ("x" * 10**5, None),
    ('{"expression": "17 * 23"}', "391"),
  ],
  ids=["bad", "endless", "good"],
)
def test_a_session_whose_model_calls_tools(
  ask, said, desktop, arguments, answer
):
  endpoint, running = ask(
    said(calls=[("calculator", arguments)]), slowly(said("It is 391."))
  )
  one = desktop(Chat(endpoint, tools=[Calculator()]))
  one.type(Control.DELEGATE, PARIS, None, None)
  one.session.settle(300.0)
  one.type(None, None)
  endpoint.close()
  if answer is None:
    why = "the endpoint writes calls of over 20000 characters"
    assert one.told()[1] == (
      1,
      "failed",
      f"no answer to weather in paris: {why}",
    )
  else:
    assert one.told()[1] == (1, "done", "It is 391.")
    last = json.loads(running.asked[1][2])["messages"][-1]
    assert last["content"].startswith(answer)


def test_what_the_conversation_was_is_told_to_the_endpoint(ask, said, desktop):
  endpoint, running = ask(said("22 degrees."))
  one = desktop(Chat(endpoint))
  one.session.push(text=[(0.1, "my city is paris")])
  one.type(Control.DELEGATE, PARIS, None, None)
  one.session.settle(300.0)
  endpoint.close()
  messages = json.loads(running.asked[0][2])["messages"]
  assert [one["role"] for one in messages[1:]] == ["user", "assistant", "user"]
  assert messages[1]["content"] == "[0.1] my city is paris"
  assert messages[2]["content"].endswith("[handed over] weather in paris")
  assert messages[3]["content"].endswith("Your task: weather in paris")


def test_who_changes_their_mind_hangs_up(ask, desktop, until):
  left = []

  def play():
    try:
      yield HEAD + HALF
      yield None
    finally:
      left.append(True)

  endpoint, running = ask(play)
  one = desktop(Chat(endpoint)).type(Control.DELEGATE, PARIS, None, None)
  asyncio.run(until(lambda: running.asked))
  one.type(" cancel", None)
  asyncio.run(until(lambda: left))
  one.session.settle(300.0)
  one.type(None, None)
  endpoint.close()
  assert one.told() == [(1, "started", ""), (1, "cancelled", "")]
  assert one.notes == []


@pytest.mark.parametrize("fault", ["silent", "endless line"])
def test_a_bystander_in_an_engine_keeps_its_bits(
  ask, typist, lively, unhurried, fault, until
):
  sound = np.random.default_rng(0).normal(0, 0.1, 6 * clock.SAMPLES)
  keys = [Control.DELEGATE, PARIS, None, None, None, None]

  async def listen(engine):
    async with await engine.open(seed=7) as live:
      await live.push(sound.astype(np.float32))
      said = [await anext(live) for _ in range(6)]
    return [(one.turn.text, one.turn.voice.tobytes()) for one in said]

  async def delegate(engine, background, reports):
    async with await engine.open(
      seed=1, background=background, on_report=reports.append
    ) as live:
      for key in keys:
        await live.push(typist.sound(key))
      said = [await anext(live) for _ in range(6)]
      await until(lambda: len(reports) >= 2)
    return [(one.turn.text, one.turn.voice.tobytes()) for one in said]

  async def main():
    reports = []
    endpoint, _ = ask(FAULTS[fault][0], seconds=0.3, bytes=2**18)
    async with Engine(
      typist.model, sessions=3, sampling=lively, pace=unhurried
    ) as engine:
      alone = await listen(engine)
      one, other = await asyncio.gather(
        listen(engine), delegate(engine, Chat(endpoint), reports)
      )
    endpoint.close()
    assert one == alone != other
    assert [report.state for report in reports] == ["started", "failed"]

  asyncio.run(main())
