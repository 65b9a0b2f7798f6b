"""Whom one may ask: hosts by name, and where they may lie.

    allowed         example.org *.example.net 127.0.0.1:8000
    looked up once  example.org -> 93.184.216.34, public: connected to that
                    example.net -> 10.0.0.5, private: refused

No name leads to a private address that was not allowed itself.
"""

import asyncio
import dataclasses
import ipaddress
import socket
import urllib.parse
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
  import httpcore2

_PORTS: Final = {"http": 80, "https": 443}

_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")


@dataclasses.dataclass(frozen=True)
class Place:
  """Where a page is, in parts that were checked."""

  scheme: str
  host: str
  port: int
  target: str

  @property
  def url(self) -> str:
    """The address as it is cited."""
    usual = _PORTS[self.scheme] == self.port
    host = f"[{self.host}]" if ":" in self.host else self.host
    port = "" if usual else f":{self.port}"
    return f"{self.scheme}://{host}{port}{self.target}"


class Hosts:
  """Whom one may ask.

  Raises:
    ValueError: what is allowed is not the name of a host.
  """

  def __init__(self, allowed: Iterable[str]):
    self.names = tuple(allowed)
    self._rules: list[tuple[str, int | None]] = []
    for name in self.names:
      split = _split(f"//{name}")
      if split is None or split.path or split.query or not split.hostname:
        raise ValueError(
          f"browse={name!r} is no host; 'example.org', '*.example.org' and "
          "'localhost:8000' are."
        )
      self._rules.append((_plain(split.hostname), split.port))

  def place(self, url: str) -> Place:
    """Takes an address apart.

    Raises:
      ValueError: it is none, or of a host that is not allowed.
    """
    split = _split(url) if len(url) <= 2000 and url.isprintable() else None
    if split is None or split.scheme not in _PORTS or not split.hostname:
      raise ValueError(f"{url[:80]!r} is no address of a page")
    if split.username is not None or split.password is not None:
      raise ValueError("an address with a password is not asked")
    host, port = _plain(split.hostname), split.port or _PORTS[split.scheme]
    if not self._allows(host, split.port, port):
      allowed = ", ".join(self.names) or "none"
      raise ValueError(f"{host} is not allowed; allowed hosts: {allowed}")
    path = urllib.parse.quote(split.path or "/", safe="/%:@!$&'()*+,;=~-._")
    query = urllib.parse.quote(split.query, safe="/?%:@!$&'()*+,;=~-._")
    target = f"{path}?{query}" if query else path
    return Place(split.scheme, host, port, target)

  def check_address(self, host: str, address: str) -> None:
    """Looks at where a host lies.

    Raises:
      ValueError: it is a private address that was not allowed itself.
    """
    found = ipaddress.ip_address(address.partition("%")[0])
    if _is_public(found):
      return
    names = {name for name, _ in self._rules}
    local = found.is_loopback and host == "localhost" and host in names
    if str(found) not in names and not local:
      raise ValueError(
        f"{host} lies at {found}, which is no public address and not allowed"
      )

  def _allows(self, host: str, given: int | None, port: int) -> bool:
    for name, only in self._rules:
      fits = host == name or (name.startswith("*.") and host.endswith(name[1:]))
      # Without a port the usual ones are meant.
      if fits and (port == only if only else port in _PORTS.values()):
        return True
    return False


def guarded(hosts: Hosts) -> "httpcore2.AsyncNetworkBackend":
  """Connects to addresses that were looked at, and to no others."""
  import httpcore2

  plain: Any = httpcore2.AnyIOBackend()

  class Guarded(httpcore2.AsyncNetworkBackend):
    """Looks a host up by itself."""

    async def connect_tcp(
      self, host: str, port: int, *given: Any, **more: Any
    ) -> httpcore2.AsyncNetworkStream:
      loop = asyncio.get_running_loop()
      try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
      except OSError as error:
        raise httpcore2.ConnectError(f"{error}") from error
      addresses = list(dict.fromkeys(f"{one[4][0]}" for one in found))
      for address in addresses:
        hosts.check_address(host, address)
      for address in addresses[:-1]:
        try:
          return await plain.connect_tcp(address, port, *given, **more)
        except httpcore2.ConnectError:
          continue
      return await plain.connect_tcp(addresses[-1], port, *given, **more)

  return Guarded()


def _is_public(
  address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> bool:
  """Whether it is reached over the internet alone, whatever it wraps."""
  inner: list[ipaddress.IPv4Address | None] = []
  if isinstance(address, ipaddress.IPv6Address):
    inner += [address.ipv4_mapped, address.sixtofour]
    inner += address.teredo or ()
    if address in _NAT64:
      inner.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    if address.ipv4_mapped is not None:
      return _is_public(address.ipv4_mapped)
  return (
    address.is_global
    and not address.is_multicast
    and all(one is None or _is_public(one) for one in inner)
  )


def _split(url: str) -> urllib.parse.SplitResult | None:
  try:
    split = urllib.parse.urlsplit(url)
    _ = split.port
  except ValueError:
    return None
  return split


def _plain(host: str) -> str:
  """A host in the form in which names are compared.

  Raises:
    ValueError: it is none.
  """
  host = host.rstrip(".").lower()
  if not host.isascii():
    try:
      host = host.encode("idna").decode()
    except UnicodeError as error:
      raise ValueError(f"{host[:80]!r} is no host") from error
  return host
