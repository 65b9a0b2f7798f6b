import json
import logging
import os
import ssl
import subprocess
import sys
import threading
import urllib.error
import urllib.request

import pytest
from websockets.exceptions import InvalidStatus

from interaction_jax.serve import server
from interaction_jax.serve.access import Access
from interaction_jax.serve.protocol.lobby import Lobby
from interaction_jax.serve.web import page as web

TOKEN = "a-secret-of-some-length"
PATH = "/v1/live/sessions"


def get(at, path, **headers):
  """The status, the headers and the content of a page."""
  request = urllib.request.Request(f"http://{at}{path}", headers=headers)
  try:
    with urllib.request.urlopen(request, timeout=300) as found:
      return found.status, found.headers, found.read().decode()
  except urllib.error.HTTPError as error:
    with error:
      return error.code, error.headers, error.read().decode()


def test_where_it_listens_is_told(running, caplog):
  def make():
    raise MemoryError("there is no model")

  # The port is the system's choice.
  telling = caplog.at_level(logging.INFO, "interaction_jax.serve")
  with telling, running(make) as server_:
    at = f"http://{server_.at}"
  told = [one for one in caplog.records if one.message == "listening"]
  assert [vars(one)["at"] for one in told] == [at]


def test_it_is_healthy_once_the_engine_is_there(running, wire):
  may_come = threading.Event()

  def make():
    may_come.wait(600)
    raise MemoryError("no room for it")

  with running(make) as server_:
    assert get(server_.at, "/healthz")[0] == 503
    with pytest.raises(InvalidStatus) as caught:
      wire(PATH, at=server_.at)
    assert caught.value.response.status_code == 503
    # A browser, which is not told that, may ask what it would meet.
    status, _, told = get(server_.at, PATH)
    assert status == 200 and json.loads(told)["status"] == 503
    may_come.set()
    # A server whose engine cannot be made stays, and is not well.
    assert json.loads(get(server_.at, "/healthz")[2]) == {"ready": False}


def test_what_is_counted_is_told(served, wire):
  client = wire(PATH)
  client.say("session.start", session={})
  client.hear("session.started")
  status, _, told = get(served.at, "/healthz")
  assert status == 200
  assert json.loads(told) == {"ready": True, "sessions": 1, "slots": 3}
  lines = dict(
    line.rsplit(" ", 1) for line in get(served.at, "/metrics")[2].splitlines()
  )
  assert lines["interaction_jax_sessions"] == "1"
  assert float(lines["interaction_jax_server_sessions_live"]) >= 1
  assert {"interaction_jax_latency_p99", "interaction_jax_refused"} <= set(
    lines
  ) | {"interaction_jax_refused"}


def test_tokens_are_asked_for(serving, wire):
  rules = Access("127.0.0.1", tokens=[TOKEN, TOKEN + "2"])
  with serving(rules=rules) as running:
    at = running.wait().at
    header = {"Authorization": f"Bearer {TOKEN}"}
    assert get(at, "/healthz")[0] == 200 and get(at, "/metrics")[0] == 401
    assert get(at, "/metrics", **header)[0] == 200
    with pytest.raises(InvalidStatus) as caught:
      wire(PATH, at=at)
    assert caught.value.response.status_code == 401
    told = json.loads(get(at, PATH)[2])
    assert told == {"status": 401, "why": "a bearer token is needed"}
    told = json.loads(get(at, PATH, **header)[2])
    assert (told["status"], told["slots"]) == (200, 3)
    mine = wire(PATH, at=at, additional_headers=header)
    mine.say("session.start", session={"store": True})
    name = mine.hear()["session"]["id"]
    key = f"openai-insecure-api-key.{TOKEN}2"
    other = wire(f"{PATH}/{name}/fork", at=at, subprotocols=["realtime", key])
    assert other.subprotocol == "realtime"
    other.say("session.start", session={})
    # It is there, but another's.
    assert other.hear()["error"]["code"] == "session_not_found"


def test_stock_clients(served, root):
  folder = os.environ.get("CLIENTS")
  if folder is None:
    pytest.skip(
      "stock clients are tested where CLIENTS names a folder of them; "
      "`benchmarks/clients/run.py --install --folder FOLDER` fills one."
    )
  line = [sys.executable, root / "benchmarks" / "clients" / "run.py"]
  line += ["--offline", "--only=agents", "--only=moshi", "--seconds=1"]
  line += [f"--folder={folder}", f"--at={served.at}"]
  ran = subprocess.run(line, capture_output=True, text=True, timeout=1800)
  assert ran.returncode == 0, ran.stdout + ran.stderr
  rows = ran.stdout.splitlines()
  if not rows:
    pytest.skip(f"no registry had one of them: {ran.stderr}")
  assert all("passed" in row for row in rows), ran.stdout


def test_pages_of_others_are_kept_out(served, wire):
  with pytest.raises(InvalidStatus) as caught:
    wire(PATH, origin="https://evil.example")
  assert caught.value.response.status_code == 403


def test_the_page_is_served_with_care(running, tmp_path):
  (tmp_path / "index.html").write_text("<p>hello")

  def make():
    raise MemoryError("there is no model")

  with running(make, page=tmp_path) as server_:
    status, headers, text = get(server_.at, "/")
    assert (status, text) == (200, "<p>hello")
    assert headers["content-security-policy"] == web.POLICY
    assert get(server_.at, "/../../secret")[0] == 404


def test_a_mistake_of_ours_ends_one_connection(served, wire, noise, caplog):
  one, other = wire(PATH), wire(PATH)
  for client in (one, other):
    client.say("session.start", session={})
    name = client.hear()["session"]["id"]
  served.lobby.guests[name].sound = None
  with caplog.at_level(logging.ERROR, "interaction_jax.serve"):
    other.say("session.input_audio.append", audio=noise(1))
    assert other.closed() == 1011
  one.say("session.input_audio.append", audio=noise(2))
  assert one.hear("session.output_audio.delta")
  assert "connection failed" in caplog.text


def test_logs_are_lines_that_hold_nothing_said():
  lines = server._Lines()
  try:
    raise ValueError("a secret")
  except ValueError as error:
    record = logging.makeLogRecord(
      {
        "msg": "failed",
        "levelname": "ERROR",
        "session": "sess_1",
        "exc_info": (ValueError, error, error.__traceback__),
      }
    )
  told = json.loads(lines.format(record))
  assert (told["event"], told["session"], told["error"]) == (
    "failed", "sess_1", "ValueError",
  )  # fmt: skip
  assert "a secret" not in json.dumps(told)
  assert "test_server.py" in told["where"][0]


@pytest.mark.parametrize(
  ("given", "message"),
  [
    ({"port": 70_000}, "--port=70000 must lie"),
    ({"cert": "x"}, "are of use together only"),
    ({"cert": "x", "key": "x"}, "--tls-cert=.* is not a file"),
  ],
  ids=["port", "alone", "missing"],
)
def test_places_that_are_none(tmp_path, given, message):
  given = {
    name: tmp_path / value if isinstance(value, str) else value
    for name, value in given.items()
  }
  with pytest.raises((ValueError, FileNotFoundError), match=message):
    server.Place(**given)


def test_tls(running, tmp_path):
  cert, key = tmp_path / "cert", tmp_path / "key"
  subprocess.run(
    ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout",
     str(key), "-out", str(cert), "-days", "1", "-subj", "/CN=localhost",
     "-addext", "subjectAltName=IP:127.0.0.1"],
    check=True,
    capture_output=True,
  )  # fmt: skip

  def make():
    raise MemoryError("there is no model")

  with running(make, lobby=Lobby(), cert=cert, key=key) as server_:
    context = ssl.create_default_context(cafile=str(cert))
    with pytest.raises(urllib.error.HTTPError, match="503") as caught:
      urllib.request.urlopen(
        f"https://{server_.at}/healthz", context=context, timeout=300
      )
    caught.value.close()
