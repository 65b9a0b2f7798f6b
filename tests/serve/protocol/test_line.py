import contextlib

import pytest
from websockets.exceptions import ConnectionClosed

from interaction_jax.serve.protocol.limit import LimitConfig

PATH = "/v1/live/sessions"


def test_who_is_too_fast_is_slowed_down_and_loses_nothing(serving, wire):
  cfg = LimitConfig(messages=5, messages_per_s=50.0)
  with serving(cfg=cfg) as running:
    client = wire(PATH, at=running.wait().at)
    for index in range(30):
      client.say("nothing", event_id=f"{index}")
    told = [client.hear()["error"]["client_event_id"] for _ in range(30)]
    assert told == [f"{index}" for index in range(30)]
    client.say("session.start", session={})
    client.hear("session.started")
    client.say("session.close")
    assert client.closed() == 1000
  assert running.lobby.counts["throttled"] >= 20


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
