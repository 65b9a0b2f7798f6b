import threading

import pytest

from interaction_jax.serve.protocol import lobby
from interaction_jax.serve.protocol.limit import LimitConfig
from interaction_jax.serve.protocol.lobby import Lobby
from interaction_jax.serve.protocol.message import Refusal

PATH = "/v1/live/sessions"


def test_names_are_bound_to_their_owner():
  name = lobby._name("alice")
  assert lobby._ID.fullmatch(name) and lobby._owns("alice", name)
  assert not lobby._owns("bob", name) and name != lobby._name("alice")


def test_nobody_comes_in_before_the_engine():
  with pytest.raises(Refusal, match="not ready"):
    Lobby().check_room()


def test_who_does_not_fit_is_told_so_and_why(served, wire):
  clients = [wire(PATH) for _ in range(served.lobby.engine.num + 1)]
  told = []
  for client in clients:
    client.say("session.start", session={})
    told.append(client.hear())
  assert [one["type"] for one in told] == ["session.started"] * 3 + ["error"]
  assert told[-1]["error"]["code"] == "server_full"
  assert clients[-1].closed() == 1013
  clients[0].say("session.close")
  assert clients[0].hear()["type"] == "session.closed"
  again = wire(PATH)
  again.say("session.start", session={})
  assert again.hear()["type"] == "session.started"


def test_who_comes_right_behind_one_who_left_has_his_place(
  served, wire, waiting
):
  clients = [wire(PATH) for _ in range(served.lobby.engine.num)]
  for client in clients:
    client.say("session.start", session={})
    assert client.hear()["type"] == "session.started"
  go = threading.Event()
  # Nobody is out before the device has heard of it, which is busy.
  served.lobby.engine._driver.tell(lambda: go.wait(300))
  try:
    clients[0].__exit__(None, None, None)
    waiting(lambda: any(one.leaving for one in list(served.lobby.talks)))
    behind = wire(PATH)
    heard = served.lobby.counts["messages"]
    behind.say("session.start", session={})
    waiting(lambda: served.lobby.counts["messages"] > heard)
  finally:
    go.set()
  assert behind.hear()["type"] == "session.started"


def test_a_token_has_so_many_sessions(serving, wire):
  with serving(cfg=LimitConfig(sessions=1)) as running:
    at = running.wait().at
    first, second = wire(PATH, at=at), wire(PATH, at=at)
    first.say("session.start", session={})
    assert first.hear()["type"] == "session.started"
    second.say("session.start", session={})
    assert second.hear()["error"]["code"] == "rate_limit_exceeded"


def test_sessions_outlive_a_server(serving, wire, noise, tmp_path):
  with serving(snapshots=tmp_path / "kept") as running:
    client = wire(PATH, at=running.wait().at)
    client.say("session.start", session={"seed": 3})
    name = client.hear()["session"]["id"]
    client.say("session.input_audio.append", audio=noise(2))
    client.hear("session.output_audio.delta")
  # It was told to end, and tells so.
  assert client.hear("session.closed")["reason"] == "expired"
  assert client.closed() == 1012
  assert [one.stem for one in (tmp_path / "kept").iterdir()] == [name]
  with serving(snapshots=tmp_path / "kept") as running:
    client = wire(f"{PATH}/{name}/fork", at=running.wait().at)
    client.say("session.start", session={"extensions": ["microturn"]})
    assert client.hear()["type"] == "session.started"
    client.say("session.input_audio.append", audio=noise(2))
    assert client.hear("session.microturn")["index"] >= 1


def test_nothing_is_recorded_unless_both_sides_want_it(
  serving, wire, noise, tmp_path
):
  import soundfile

  with serving(recordings=tmp_path) as running:
    at = running.wait().at
    for record in (False, True):
      client = wire(PATH, at=at)
      client.say("session.start", session={"record": record})
      name = client.hear()["session"]["id"]
      client.say("session.input_audio.append", audio=noise(2))
      client.hear("session.output_audio.delta")
      client.say("session.close")
      client.hear("session.closed")
  (folder,) = tmp_path.iterdir()
  assert folder.name == name
  assert {one.name for one in folder.iterdir()} == {
    "input.wav", "output.wav", "events.jsonl",
  }  # fmt: skip
  assert soundfile.info(folder / "output.wav").frames >= 2 * 3200
