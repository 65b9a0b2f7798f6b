"""Servers under test: ours, over all protocols, and one that misbehaves."""

import asyncio
import base64
import contextlib
import dataclasses
import json
import threading
import time

import numpy as np
import pytest
from websockets.sync.server import serve

from interaction_jax.data.record import TextIn
from interaction_jax.evals.harness import item as items
from interaction_jax.evals.harness import remote as remotes
from interaction_jax.evals.harness.item import Item
from interaction_jax.evals.harness.output import Word
from interaction_jax.evals.harness.remote import Remote
from interaction_jax.evals.harness.system import seed_of
from interaction_jax.serve.access import Access
from interaction_jax.serve.engine import Engine
from interaction_jax.serve.protocol.lobby import Lobby
from interaction_jax.serve.server import Place, Server, app
from interaction_jax.serve.session import Session

LIVE, REALTIME = "/v1/live/sessions", "/v1/realtime"


@pytest.fixture(scope="module")
def server(model):
  """Ours, with a model that has learned nothing; its host and port."""
  lobby = Lobby()

  def make():
    return Engine(model, sessions=1)

  application = app(lobby, Access("127.0.0.1"), make)
  running = Server(lobby, application, Place(port=0))
  thread = threading.Thread(
    target=lambda: asyncio.run(running.serve()), daemon=True
  )
  thread.start()
  until = time.monotonic() + 900
  while lobby.engine is None:
    assert thread.is_alive() and time.monotonic() < until, "it did not start"
    time.sleep(0.05)
  (listening,) = running.servers
  host, port = listening.sockets[0].getsockname()
  yield f"{host}:{port}"
  running.should_exit = True
  thread.join(600)
  assert not thread.is_alive()


def item(name, seconds=1.6, texts=(), **more):
  rng = np.random.default_rng(len(name))

  def opened(canvas):
    sound = rng.uniform(-0.5, 0.5, round(16_000 * seconds))
    return items.listening(sound, text_in=texts)

  return Item(name, "p", seconds, opened, **more)


def recorded(given):
  """The same item with the same sound each time it is opened."""
  record = given.open((0, 0))
  return dataclasses.replace(given, open=lambda canvas: record)


@pytest.fixture(scope="module")
def spoken():
  return [recorded(item("a", 1.6)), recorded(item("bb", 2.5))]


def by_session(model, given, seed):
  """The voice of a session in this process, and what it writes."""
  session = Session(model, seed=seed_of(given, seed))
  record = given.open((0, 0))
  # The last turn is filled up with silence.
  num = -(-len(record.heard) // 3200)
  heard = np.zeros(num * 3200, np.float32)
  heard[: len(record.heard)] = np.rint(record.heard * 2**15) / 2**15
  voices, events = [np.zeros(3200, np.float32)], []
  for turn in range(num):
    answer = session.push(heard[3200 * turn :][:3200])
    voices.append(np.asarray(answer.audio))
    events += answer.events
  return np.concatenate(voices)[: len(record.heard)], events


def said(events, seconds):
  return "".join(
    x.payload["text"] for x in events if x.kind == "say" and x.t < seconds
  ).split()


def test_in_step_live_does_what_a_session_does(server, model, spoken):
  remote = Remote(f"ws://{server}{LIVE}", pace="step")
  made = dict(remote.perform(spoken, seed=3, batch=1))
  assert set(made) == set(spoken)
  for given in spoken:
    one = made[given]
    wanted, events = by_session(model, given, 3)
    assert wanted.any()
    # Sound is rounded to 16 bits on its way.
    np.testing.assert_allclose(one.voice, wanted, atol=2**-15)
    words = [word.text for word in one.own]
    assert words == said(events, given.seconds) and words
    assert len(one.turn_ms) == -(-len(wanted) // 3200) and one.heard is None


def test_in_step_it_is_the_same_again(server, spoken):
  remote = Remote(f"ws://{server}{LIVE}", pace="step")
  first, again = (
    [made for _, made in remote.perform(spoken, seed=4, batch=1)]
    for _ in range(2)
  )
  for one, other in zip(first, again, strict=True):
    np.testing.assert_array_equal(one.voice, other.voice)
    assert (one.own, one.events) == (other.own, other.events)


def test_realtime_in_step(server, spoken):
  remote = Remote(f"ws://{server}{REALTIME}", pace="step")
  made = dict(remote.perform(spoken, seed=0, batch=1))
  for given in spoken:
    one = made[given]
    assert len(one.voice) == round(16_000 * given.seconds)
    # It takes a turn to say anything.
    assert not one.voice[:3200].any() and one.voice.any()
    assert len(one.turn_ms) == -(-len(one.voice) // 3200)


@pytest.mark.parametrize("path", [LIVE, REALTIME, "/api/chat"])
def test_in_real_time_there_is_as_much_as_was_played(server, path):
  given = recorded(item("a", 2.0))
  remote = Remote(f"ws://{server}{path}")
  ((_, made),) = remote.perform([given], seed=0, batch=1)
  assert len(made.voice) == 32_000 and made.turn_ms == ()
  assert np.isfinite(made.voice).all() and made.heard is None


def test_typed_text_is_read(server, spoken):
  texts = (
    TextIn(0, "instruction", "a b"), TextIn(0, "user", "c"),
    TextIn(8000, "background", "d"),
  )  # fmt: skip
  for path in (LIVE, REALTIME):
    remote = Remote(f"ws://{server}{path}", pace="step")
    given = recorded(item("a", 1.2, texts))
    assert remote.problems([given]) == []
    ((_, made),) = remote.perform([given], seed=0, batch=1)
    assert len(made.voice) == 19_200
  remote = Remote(f"ws://{server}/api/chat")
  assert remote.problems([*spoken, given]) == ["a: moshi reads no text"]


def test_a_partner_hears_what_is_said(server, echo):
  partners = []

  def make():
    partners.append(echo())
    return partners[-1]

  given = item("a", 4.4, partner=make)
  remote = Remote(f"ws://{server}{LIVE}", pace="step")
  ((_, made),) = remote.perform([given], seed=0, batch=1)
  (partner,) = partners
  assert partner.beeps == [2, 12] and len(partner.heard) == 22
  loud = np.abs(made.voice.reshape(22, 3200)).max(axis=1) > 0
  assert partner.heard == loud.tolist()
  beeps = np.abs(made.heard.reshape(22, 3200)).max(axis=1) > 0
  assert np.flatnonzero(beeps).tolist() == [2, 12]
  assert [word.text for word in made.told] == ["beep", "beep"]


class Scripted:
  """A server of Live that says what it is told to; each turn a part of it."""

  def __init__(self, script):
    self.script, self.received = script, []

  def __call__(self, socket):
    for message in socket:
      fields = json.loads(message)
      self.received.append(fields)
      if fields["type"] == "session.start":
        self._say(socket, "session.started", session={})
      if fields["type"] == "session.close":
        return
      if fields["type"] == "session.input_audio.append":
        if not self.script:
          return
        for kind, more in self.script.pop(0):
          self._say(socket, kind, **more)
        self._say(socket, "session.microturn", index=0, compute_ms=1.0)

  @contextlib.contextmanager
  def serving(self):
    with serve(self, "127.0.0.1", 0) as served:
      thread = threading.Thread(target=served.serve_forever)
      thread.start()
      try:
        yield f"ws://127.0.0.1:{served.socket.getsockname()[1]}{LIVE}"
      finally:
        served.shutdown()
        thread.join()

  def _say(self, socket, kind, **fields):
    socket.send(json.dumps({"type": kind, **fields}))


def against(script, given, **options):
  scripted = Scripted(script)
  with scripted.serving() as address:
    remote = Remote(address, pace="step", **options)
    made = [made for _, made in remote.perform([given], seed=0, batch=1)]
  return made, scripted.received


def sound(value):
  packed = base64.b64encode(np.full(3200, value, "<i2").tobytes()).decode()
  return "session.output_audio.delta", {"delta": packed}


def text(delta, start_ms, channel=None):
  span = {"start_ms": start_ms, "end_ms": start_ms + 200}
  if channel is None:
    return "session.output_transcript.delta", {"delta": delta, **span}
  return "session.channel.delta", {"channel": channel, "delta": delta, **span}


def test_what_a_turn_makes_is_heard_in_the_next():
  script = [
    [sound(0)],
    [sound(8192), text(" hel", 400), text("x", 400, "show")],
    [sound(4096), text("lo", 600)],
    [sound(0)],
  ]
  (made,), received = against(script, item("a", 0.8), model="m", token="t")
  values = made.voice.reshape(4, 3200)[:, 0].tolist()
  assert values == [0.0, 0.0, 0.25, 0.125]
  assert made.own == (Word("hello", 0.4, 0.8),)
  assert [(one.t, one.turn, one.kind) for one in made.events] == [
    (0.4, 1, "say"), (0.4, 1, "show")
  ]  # fmt: skip
  assert made.turn_ms == (1.0,) * 4
  assert received[0]["session"]["model"] == "m"
  assert [one["type"] for one in received[1:]] == [
    *["session.input_audio.append"] * 4, "session.close"
  ]  # fmt: skip


class Clerk:
  def __init__(self):
    self.written = []

  def write(self, at, text):
    self.written.append((at, text))
    return [(at + 0.3, "done")]


def test_calls_are_answered():
  clerk = Clerk()
  script = [[text("{}", 200, "call")], *[[] for _ in range(5)]]
  _, received = against(script, item("a", 1.2, tools=lambda: clerk))
  assert clerk.written == [(0.2, "{}")]
  kinds = [one["type"] for one in received]
  # Due at 0.5 s: it goes before the sound of the third turn.
  place = kinds.index("session.commentary.append")
  assert received[place]["content"] == "done"
  assert kinds[:place].count("session.input_audio.append") == 2
  remote = Remote(f"ws://127.0.0.1:1{REALTIME}")
  given = item("a", tools=lambda: clerk)
  assert remote.problems([given]) == ["a: realtime answers no calls"]


def test_a_server_that_goes_is_an_error():
  with pytest.raises(ConnectionError, match=r"^a: the server has gone$"):
    against([[sound(0)]], item("a", 0.8))
  with pytest.raises(ConnectionError, match=r"^a: the server says no room$"):
    failed = [("error", {"error": {"message": "no room"}})]
    against([failed], item("a", 0.8))


def test_a_server_that_is_not_there_is_an_error():
  remote = Remote(f"ws://127.0.0.1:1{LIVE}")
  with pytest.raises(ConnectionError, match=r"^a: "):
    list(remote.perform([item("a")], seed=0, batch=1))


def test_what_is_done_is_not_lost():
  # There are turns for one, the shorter one; then the server goes.
  scripted = Scripted([[sound(0)]] * 4)
  given = [item("a", 0.8), item("bb", 1.2)]
  made = []
  with (
    scripted.serving() as address,
    pytest.raises(ConnectionError, match=r"^bb: the server has gone$"),
  ):
    remote = Remote(address, pace="step")
    for one, _ in remote.perform(given, seed=0, batch=1):
      made.append(one.name)
  assert made == ["a"]


@pytest.fixture
def patient(monkeypatch):
  """Asks again as often as it takes, however long sessions are here."""
  monkeypatch.setattr(remotes, "_PAUSES_S", (0.1,) * 3000)


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("path", [LIVE, REALTIME])
def test_a_full_server_is_asked_again(server, path):
  remote = Remote(f"ws://{server}{path}", pace="step")
  # There is room for one of three.
  given = [recorded(item("a" * (n + 1), 0.6)) for n in range(3)]
  assert len(list(remote.perform(given, seed=0, batch=3))) == 3


@pytest.mark.parametrize(
  ("address", "options", "says"),
  [
    ("http://a/v1/realtime", {}, "is no address of a protocol"),
    ("ws://a/other", {}, "is no address of a protocol"),
    ("ws:///v1/realtime", {}, "is no address of a protocol"),
    ("ws://a/v1/realtime", {"pace": "fast"}, "pace='fast' is not known"),
    ("ws://a/api/chat", {"pace": "step"}, "over moshi when a turn is over"),
  ],
)
def test_addresses_are_looked_at_first(address, options, says):
  with pytest.raises(ValueError, match=says):
    Remote(address, **options)


def test_a_report_says_where_it_was_and_no_secret():
  remote = Remote("wss://a:9/v1/realtime?key=s3cret", model="m", token="t0ken")
  told = remote.describe()
  assert told["address"] == "wss://a:9/v1/realtime" and told["name"] == "m"
  assert (told["protocol"], told["pace"]) == ("realtime", "real")
  assert "s3cret" not in str(told) and "t0ken" not in str(told)
  assert told["digest"] != Remote("wss://a:9/v1/realtime").describe()["digest"]
