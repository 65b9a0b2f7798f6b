import asyncio
import gc
import json
import socket

import pytest

from interaction_jax.serve.background.endpoint import (
  Endpoint,
  EndpointConfig,
  Piece,
)

MESSAGES = [{"role": "user", "content": "hello"}]


def collect(endpoint, tools=(), **more):
  async def main():
    replies = endpoint.reply(MESSAGES, tools, **more)
    return [piece async for piece in replies]

  return asyncio.run(main())


def test_a_reply_comes_in_pieces(ask, said):
  endpoint, running = ask(said("22 deg", "rees"))
  assert collect(endpoint) == [
    Piece("22 deg"),
    Piece("rees"),
    Piece(ends=True),
  ]
  method, path, body = running.asked[0]
  assert (method, path) == ("POST", "/v1/chat/completions")
  sent = json.loads(body)
  assert sent["model"] == "some-model" and sent["stream"] is True
  assert sent["messages"] == MESSAGES and "tools" not in sent


def test_calls_come_in_pieces(ask, said):
  tool = {"type": "function", "function": {"name": "a", "parameters": {}}}
  endpoint, running = ask(said(calls=[("add", {"n": 1}), ("sub", "{}")]))
  pieces = collect(endpoint, [tool])
  assert [call for piece in pieces for call in piece.calls] == [
    (0, "id_0", "add", '{"n"'),
    (0, "", "", ": 1}"),
    (1, "id_1", "sub", "{"),
    (1, "", "", "}"),
  ]
  assert json.loads(running.asked[0][2])["tools"] == [tool]
  assert json.loads(running.asked[0][2])["tool_choice"] == "auto"
  collect(endpoint, [tool], may_call=False)
  assert json.loads(running.asked[1][2])["tool_choice"] == "none"


def test_connections_are_kept_and_closed(ask, http, event):
  text = event({"choices": [{"delta": {}, "finish_reason": "stop"}]})
  size = f"{len(text)}"
  reply = http(text, kind="text/event-stream", Content_Length=size)
  endpoint, running = ask(reply.replace(b"Connection: close\r\n", b""))
  collect(endpoint)
  endpoint.close()
  collect(endpoint)
  assert len(running.asked) == 2
  # Who is forgotten leaves nothing open, which would be a warning here.
  del endpoint
  gc.collect()


def http_error(status):
  return f"HTTP/1.1 {status} X\r\nContent-Length: 2\r\n\r\n{{}}".encode()


STREAM = b"HTTP/1.1 200 X\r\nContent-Type: text/event-stream\r\n"
FIRST = b'\r\ndata: {"choices": [{"delta": {"content": "half"}}]}\n\n'


@pytest.mark.parametrize(
  ("reply", "why"),
  [
    ([http_error(500)], "answers 500"),
    ([http_error(401)], "answers 401"),
    ([http_error(429)], "answers 429"),
    ([], "breaks off"),
    ([b"nonsense\r\n\r\n"], "breaks off"),
    ([STREAM + b"Content-Length: 999\r\n" + FIRST], "breaks off"),
    ([STREAM + FIRST], "breaks off"),
    ([STREAM + b"\r\n<html>welcome</html>"], "breaks off"),
    ([STREAM + b"\r\ndata: {half\n\n"], "sends what is no JSON"),
    ([STREAM + b"\r\ndata: " + b"[" * 10**5 + b"\n\n"],
     "sends what is no JSON"),
    ([STREAM + b"\r\ndata: \xff\xfe\n\n"], "sends what is no JSON"),
    ([STREAM + b'\r\ndata: {"error": {"message": "no such model"}}\n\n'],
     "fails: no such model"),
    ([STREAM + b"Content-Encoding: gzip\r\n\r\n" + b"\x1f\x8b" * 9],
     "fails: it packs its answers"),
  ],
  ids=["500", "401", "429", "hangs up", "no http", "cut", "ends", "html",
       "no json", "deep", "no text", "error", "packed"],
)  # fmt: skip
def test_what_goes_wrong_is_told_in_a_few_words(ask, reply, why):
  endpoint, _ = ask(reply)
  with pytest.raises(ValueError, match=f"^the endpoint {why}$"):
    collect(endpoint)


@pytest.mark.parametrize(
  "value",
  [1, None, [], '"x"', {}, {"choices": None}, {"choices": [None]},
   {"choices": [{"delta": None}]}, {"choices": [{"delta": {"content": 7}}]},
   {"choices": [{"delta": {"tool_calls": 7}}]},
   {"choices": [{"delta": {"tool_calls": [None, {"index": "x"}]}}]},
   {"choices": [{"delta": {"tool_calls": [{"function": {"name": []}}]}}]}],
  ids=json.dumps,
)  # fmt: skip
def test_chunks_that_are_not_what_they_should_be_say_nothing(
  ask, said, event, value
):
  whole = said("fine")
  at = whole.index(b"data:")
  endpoint, _ = ask(whole[:at] + event(value) + whole[at:])
  assert "".join(piece.text for piece in collect(endpoint)) == "fine"


@pytest.mark.parametrize(
  "reply",
  [[None], [STREAM, None], [STREAM + FIRST, None]],
  ids=["silent", "no chunk", "stops"],
)
def test_what_never_comes_is_not_waited_for(ask, reply):
  endpoint, _ = ask(reply, seconds=0.2)
  with pytest.raises(ValueError, match=r"endpoint has no answer in 0\.2 s"):
    collect(endpoint)


def test_an_endpoint_that_is_not_there(monkeypatch):
  monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
  with socket.socket() as taken:
    # It is bound, so nobody else listens there, and does not listen.
    taken.bind(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
    endpoint = Endpoint(EndpointConfig(url, "m", retries=0))
    with pytest.raises(ValueError, match="cannot be reached") as caught:
      collect(endpoint)
  assert "sk-secret" not in str(caught.value)


@pytest.mark.parametrize("lines", [True, False])
def test_there_is_an_end_to_what_is_read(ask, lines):
  left = []

  def play():
    try:
      yield STREAM + b"\r\n"
      while True:
        yield FIRST[2:] * 100 if lines else b"x" * 10_000
    finally:
      left.append(True)

  endpoint, running = ask(play, bytes=100_000)
  with pytest.raises(ValueError, match="fails: it sends over 100000 bytes"):
    collect(endpoint)
  running.__exit__()
  assert left == [True]


def test_it_is_asked_again_where_that_may_help(ask, said):
  endpoint, running = ask([http_error(500)], said("there"), retries=1)
  assert collect(endpoint)[0] == Piece("there")
  assert len(running.asked) == 2


def test_who_has_enough_leaves(ask):
  def play():
    yield STREAM + FIRST
    yield None

  endpoint, _ = ask(play)

  async def main():
    pieces = endpoint.reply(MESSAGES, ())
    assert await anext(pieces) == Piece("half")
    await pieces.aclose()

  # The server plays on until the other side goes.
  asyncio.run(main())


@pytest.mark.parametrize(
  ("given", "problem"),
  [
    ({"url": "localhost:8000"}, "background='localhost:8000' is no address"),
    ({"model": ""}, "needs background-model, the name of a model"),
    ({"seconds": 0.0}, r"endpoint\.seconds=0\.0 must be more than 0"),
    ({"bytes": -1}, r"endpoint\.bytes=-1 must be more"),
    ({"retries": -1}, r"endpoint\.retries=-1 must be 0 or more"),
  ],
)
def test_settings_that_make_no_sense_are_refused(given, problem):
  with pytest.raises(ValueError, match=problem):
    EndpointConfig(**{"url": "http://127.0.0.1/v1", "model": "m", **given})
