import asyncio
import contextlib

import pytest
from starlette.websockets import WebSocket
from websockets.exceptions import ConnectionClosed

from interaction_jax.serve.protocol.limit import LimitConfig
from interaction_jax.serve.protocol.line import GoneError, Line

PATH = "/v1/live/sessions"


def test_who_is_too_fast_is_slowed_down_and_loses_nothing(fast):
  events = [{"type": "websocket.connect"}]
  events += [{"type": "websocket.receive", "text": f"{n}"} for n in range(30)]
  events.append({"type": "websocket.disconnect"})

  async def receive():
    return events.pop(0)

  async def send(event):
    assert event["type"] == "websocket.accept"

  async def main():
    scope = {"type": "websocket", "query_string": b""}
    socket = WebSocket(scope, receive, send)
    await socket.accept()
    line = Line(socket, LimitConfig(messages=5, messages_per_s=50.0))
    heard, began = [], asyncio.get_running_loop().time()
    with pytest.raises(GoneError):
      while True:
        heard.append(await line.receive())
    return line, heard, asyncio.get_running_loop().time() - began

  line, heard, took = fast(main())
  assert heard == [f"{number}" for number in range(30)]
  # Five may come at once; 26 more, with the one who goes, take 20 ms each.
  assert line.num_received == 30 and line.throttled == 26
  assert took == pytest.approx(26 / 50)


def test_how_often_somebody_was_too_fast_is_counted(serving, wire, waiting):
  cfg = LimitConfig(messages=1, messages_per_s=50.0)
  with serving(cfg=cfg) as running:
    client = wire(PATH, at=running.wait().at)
    for _ in range(5):
      client.say("nothing")
    for _ in range(5):
      client.hear("error")
    (talk,) = running.lobby.talks
    client.say("session.start", session={})
    client.hear("session.started")
    client.say("session.close")
    assert client.closed() == 1000
    waiting(lambda: not running.lobby.talks)
  assert running.lobby.counts["throttled"] == talk.line.throttled


def test_what_is_too_large_ends_the_connection(wire):
  client = wire(PATH)
  with contextlib.suppress(ConnectionClosed):
    client.send("x" * (5 << 20))
  # The close may not get through to who is still sending.
  assert client.closed() in (1006, 1009)


@pytest.mark.parametrize("how", ["cut", "close"])
def test_who_goes_leaves_nothing_behind(served, wire, noise, how):
  client = wire(PATH)
  client.say("session.start", session={})
  client.hear()
  client.say("session.input_audio.append", audio=noise(1))
  assert len(served.lobby.guests) == 1
  client.cut() if how == "cut" else client.__exit__(None, None, None)
  served.settle()
  assert not served.lobby.guests and not served.lobby.talks
