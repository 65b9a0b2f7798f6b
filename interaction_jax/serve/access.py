"""Who may come in: by a token, from a page of our own, or from this machine.

    a file of tokens           each client needs one of them
    none, and on loopback      nobody needs one; but a browser must have our
                               page open, under a name of this machine

A page of somebody else's, open in the browser of somebody who may come in,
may not: that is what the origin says. And a name that its owner makes point
to this machine is none of ours: that is what the host says.
"""

import dataclasses
import hashlib
import hmac
import ipaddress
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

_KEY: Final = "openai-insecure-api-key."
"""Before a token that a browser sends as a subprotocol."""

_MOST_TOKENS: Final = 100_000


@dataclasses.dataclass(frozen=True)
class DeniedError(Exception):
  """Somebody may not come in.

  Attributes:
    status: of HTTP.
    why: for people.
  """

  status: int
  why: str


class Access:
  """What a server asks of those who come.

  Raises:
    ValueError: neither are there tokens, nor is the server on loopback.
  """

  def __init__(
    self,
    host: str,
    *,
    tokens: Iterable[str] = (),
    origins: Collection[str] = (),
  ):
    """Sets the rules.

    Args:
      host: on which the server listens.
      tokens: that let clients in; none: everybody on this machine.
      origins: of pages that may come in beside our own: "https://example.org".
    """
    self._owners = {_digest(token): _digest(token)[:16] for token in tokens}
    self._origins = frozenset(origins)
    if not self._owners and not is_loopback(host):
      raise ValueError(
        f"--host={host} can be reached by others, so clients need tokens; "
        "--token-file=FILE names a file with one on each line."
      )

  def owner(self, came: HTTPConnection) -> str:
    """Who somebody is; empty: nobody in particular.

    Raises:
      DeniedError: he may not come in.
    """
    self._check_origin(came)
    if not self._owners:
      return ""
    given = _token(came)
    if given is None:
      raise DeniedError(401, "a bearer token is needed")
    digest = _digest(given)
    # Digests of secrets are compared, so how long it takes tells nothing.
    for known, owner in self._owners.items():
      if hmac.compare_digest(known, digest):
        return owner
    raise DeniedError(401, "the token is not known")

  def _check_origin(self, came: HTTPConnection) -> None:
    host = came.headers.get("host", "")
    if not self._owners and not is_loopback(urlsplit(f"//{host}").hostname):
      raise DeniedError(403, "the host is no name of this machine")
    origin = came.headers.get("origin")
    if origin is None or origin in self._origins:
      return
    if urlsplit(origin).netloc != host:
      raise DeniedError(403, "the origin is another's")


def read_tokens(path: str | Path) -> list[str]:
  """The tokens of a file: one on each line, "#" before a remark.

  Raises:
    FileNotFoundError: there is no such file.
    ValueError: it holds none, or one that is too short to be a secret.
  """
  path = Path(path)
  if not path.is_file():
    raise FileNotFoundError(f"--token-file={path} is not a file.")
  lines = [line.strip() for line in path.read_text().splitlines()]
  tokens = [line for line in lines if line and not line.startswith("#")]
  if not tokens:
    raise ValueError(f"--token-file={path} holds no token.")
  if len(tokens) > _MOST_TOKENS:
    raise ValueError(
      f"--token-file={path} holds {len(tokens)} tokens; {_MOST_TOKENS} are the "
      "most."
    )
  short = sum(len(token) < 16 for token in tokens)
  if short:
    raise ValueError(
      f"--token-file={path} holds {short} tokens of fewer than 16 characters, "
      "which can be guessed; 32 random ones are usual."
    )
  return tokens


def is_loopback(host: str | None) -> bool:
  """Whether a host is this machine, seen from itself."""
  if not host:
    return False
  if host == "localhost":
    return True
  try:
    return ipaddress.ip_address(host).is_loopback
  except ValueError:
    return False


def subprotocol(came: HTTPConnection) -> str | None:
  """The one to agree on, of those that a client of sockets offers."""
  return "realtime" if "realtime" in _offered(came) else None


def _token(came: HTTPConnection) -> str | None:
  kind, _, token = came.headers.get("authorization", "").partition(" ")
  if kind.lower() == "bearer" and token.strip():
    return token.strip()
  for offered in _offered(came):
    if offered.startswith(_KEY):
      return offered.removeprefix(_KEY)
  return None


def _offered(came: HTTPConnection) -> list[str]:
  line = came.headers.get("sec-websocket-protocol", "")
  return [each.strip() for each in line.split(",")]


def _digest(token: str) -> str:
  return hashlib.sha256(token.encode()).hexdigest()
