import pytest
from starlette.requests import HTTPConnection

from interaction_jax.serve import access
from interaction_jax.serve.access import Access, DeniedError

TOKEN = "a-secret-of-some-length"


def came(**headers):
  pairs = {"host": "localhost:80", **headers}
  lines = [
    (name.replace("_", "-").encode(), value.encode())
    for name, value in pairs.items()
  ]
  return HTTPConnection({"type": "websocket", "headers": lines})


def test_on_loopback_nobody_needs_a_token():
  rules = Access("127.0.0.1")
  for host in ("localhost:80", "127.0.0.1:80", "[::1]:80", "127.9.9.9"):
    assert rules.owner(came(host=host)) == ""
  assert rules.owner(came(origin="http://localhost:80")) == ""


@pytest.mark.parametrize(
  "headers",
  [
    {"origin": "http://evil.example"},
    {"host": "evil.example", "origin": "http://evil.example"},
    {"host": "evil.example"},
    {"origin": "null"},
    {"host": ""},
  ],
  ids=["page", "rebound", "name", "sandbox", "none"],
)
def test_pages_of_others_may_not_come_in(headers):
  with pytest.raises(DeniedError) as caught:
    Access("127.0.0.1").owner(came(**headers))
  assert caught.value.status == 403


def test_tokens_tell_who_somebody_is():
  rules = Access("0.0.0.0", tokens=[TOKEN, TOKEN + "2"])
  one = rules.owner(came(host="x.example", authorization=f"Bearer {TOKEN}"))
  protocols = f"realtime, openai-insecure-api-key.{TOKEN}"
  same = came(sec_websocket_protocol=protocols, authorization="Basic x")
  other = rules.owner(came(authorization=f"bearer {TOKEN}2"))
  assert one == rules.owner(same) != other and TOKEN not in one
  for wrong in ({}, {"authorization": "Bearer no"}):
    with pytest.raises(DeniedError) as caught:
      rules.owner(came(**wrong))
    assert caught.value.status == 401


def test_other_pages_may_be_let_in():
  rules = Access("127.0.0.1", origins=["https://good.example"])
  assert rules.owner(came(origin="https://good.example")) == ""


def test_whoever_can_be_reached_wants_tokens():
  with pytest.raises(ValueError, match=r"--host=0.0.0.0 can be reached"):
    Access("0.0.0.0")


@pytest.mark.parametrize(
  ("content", "message"),
  [("", "holds no token"), ("# only\n\n", "holds no token"),
   ("short\n", "1 tokens of fewer than 16")],
  ids=["empty", "remark", "short"],
)  # fmt: skip
def test_files_of_tokens(tmp_path, content, message):
  path = tmp_path / "tokens"
  with pytest.raises(FileNotFoundError, match="is not a file"):
    access.read_tokens(path)
  path.write_text(content)
  with pytest.raises(ValueError, match=message):
    access.read_tokens(path)
  path.write_text(f"# ours\n{TOKEN}\n\n {TOKEN}2 \n")
  assert access.read_tokens(path) == [TOKEN, TOKEN + "2"]


@pytest.mark.parametrize(
  ("offered", "chosen"),
  [("realtime, x", "realtime"), ("x", None), (None, None)],
)
def test_one_subprotocol_is_known(offered, chosen):
  headers = {} if offered is None else {"sec_websocket_protocol": offered}
  assert access.subprotocol(came(**headers)) == chosen
