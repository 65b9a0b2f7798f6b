import pytest

from interaction_jax.serve.protocol import live
from interaction_jax.serve.protocol.limit import LimitConfig

PATH = "/v1/live/sessions"


@pytest.mark.parametrize(
  ("sent", "code"),
  [
    ("{", "invalid_json"),
    ("[" * 10_000, "invalid_json"),
    (b"\x00\xff", "invalid_json"),
    ('{"type": 5}', "invalid_value"),
    ('{"type": "session.close"}', "session_not_started"),
    (r'{"type": "\ud800"}', "invalid_value"),
  ],
  ids=["cut", "deep", "bytes", "type", "early", "surrogate"],
)
def test_what_is_wrong_is_told_and_the_talk_goes_on(wire, sent, code):
  client = wire(PATH)
  client.send(sent)
  assert client.hear()["error"]["code"] == code
  client.say("session.start", session={})
  assert client.hear()["type"] == "session.started"


def test_a_session_has_an_end(serving, wire):
  with serving(cfg=LimitConfig(session_s=0.3)) as running:
    # There is no turn, so Realtime may end before it has begun.
    client = wire("/v1/realtime", at=running.wait().at)
    assert client.hear("error")["error"]["code"] == "session_expired"
    assert client.closed() == 1000


def test_who_has_begun_is_told_of_the_end(served, wire):
  client = wire(PATH)
  client.say("session.start", session={})
  name = client.hear("session.started")["session"]["id"]
  talk, _ = live.find(served.lobby, name, "")

  async def end():
    talk.finish("expired")

  served.do(end())
  assert client.hear("session.closed")["reason"] == "expired"
  assert client.closed() == 1000


def test_who_does_not_begin_has_to_leave(serving, wire):
  with serving(cfg=LimitConfig(start_s=0.2)) as running:
    client = wire(PATH, at=running.wait().at)
    assert client.closed() == 1008
