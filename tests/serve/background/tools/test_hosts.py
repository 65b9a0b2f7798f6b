import asyncio
import socket

import httpcore2
import pytest

from interaction_jax.serve.background.tools import hosts
from interaction_jax.serve.background.tools.hosts import Hosts


@pytest.mark.parametrize(
  ("allowed", "url", "same"),
  [
    ("example.org", "https://example.org/a b?c=d e#f",
     "https://example.org/a%20b?c=d%20e"),
    ("example.org", "http://EXAMPLE.org.", "http://example.org/"),
    ("example.org", "http://example.org:443/", "http://example.org:443/"),
    ("Example.ORG.", "https://example.org:443", "https://example.org/"),
    ("*.example.org", "https://a.b.example.org/", "https://a.b.example.org/"),
    ("localhost:8000", "http://localhost:8000/x", "http://localhost:8000/x"),
    ("[::1]:8000", "http://[::1]:8000/", "http://[::1]:8000/"),
    ("bücher.example", "https://bücher.example/ä",
     "https://xn--bcher-kva.example/%C3%A4"),
    ("xn--bcher-kva.example", "https://bücher.example/",
     "https://xn--bcher-kva.example/"),
  ],
)  # fmt: skip
def test_who_is_allowed(allowed, url, same):
  place = Hosts(["other.net", allowed]).place(url)
  assert place.url == same
  # What is cited is allowed, too.
  assert Hosts([allowed]).place(place.url) == place


@pytest.mark.parametrize(
  "url",
  ["https://example.com/", "https://example.org.evil.net/",
   "https://evilexample.org/", "http://example.org:8080/",
   "https://sub.example.org/", "http://2130706433/", "http://0x7f.1/",
   "http://example.org%2eevil.net/", "https://exаmple.org/"],
)  # fmt: skip
def test_who_is_not(url):
  with pytest.raises(ValueError, match=r"allowed; allowed hosts: example\.org"):
    Hosts(["example.org"]).place(url)


@pytest.mark.parametrize("url", ["https://example.org/", "https://evil.org/"])
def test_a_star_stands_for_a_part_and_not_for_nothing(url):
  with pytest.raises(ValueError, match="is not allowed"):
    Hosts(["*.example.org"]).place(url)


@pytest.mark.parametrize(
  ("url", "problem"),
  [
    ("file:///etc/passwd", "is no address of a page"),
    ("ftp://example.org/", "is no address of a page"),
    ("example.org", "is no address of a page"),
    ("http://", "is no address of a page"),
    ("http://example.org:99999/", "is no address of a page"),
    ("http://[half/", "is no address of a page"),
    ("http://example.org/\r\nHost: evil", "is no address of a page"),
    ("http://example.org/" + "a" * 2000, "is no address of a page"),
    ("http://me:secret@example.org/", "with a password is not asked"),
    ("http://" + "ä" * 70 + ".org/", "is no host"),
  ],
)
def test_what_is_no_address_is_refused(url, problem):
  with pytest.raises(ValueError, match=problem) as caught:
    Hosts(["example.org"]).place(url)
  assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
  "name", ["", "https://example.org", "example.org/page", "a:b", "x?y"]
)
def test_what_is_no_host_cannot_be_allowed(name):
  with pytest.raises(ValueError, match=r"is no host; 'example\.org'"):
    Hosts([name])


PRIVATE = (
  *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254"),
  *("0.0.0.0", "100.64.0.1", "224.0.0.1", "255.255.255.255", "::1", "::"),
  *("fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:127.0.0.1"),
  *("64:ff9b::7f00:1", "2002:7f00:1::", "::ffff:10.0.0.1"),
)


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_refused(address):
  with pytest.raises(ValueError, match="no public address and not allowed"):
    Hosts(["example.org"]).check_address("example.org", address)


@pytest.mark.parametrize(
  "address",
  ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"],
)
def test_public_ones_are_not(address):
  Hosts(["example.org"]).check_address("example.org", address)


def test_a_private_one_may_be_allowed_by_its_name():
  allowed = Hosts(["wiki.example.org", "10.1.2.3", "localhost:8000"])
  allowed.check_address("wiki.example.org", "10.1.2.3")
  allowed.check_address("localhost", "127.0.0.1")
  allowed.check_address("localhost", "::1")
  for host, address in [
    ("wiki.example.org", "127.0.0.1"),
    ("wiki.example.org", "10.1.2.4"),
    ("localhost", "10.1.2.4"),
  ]:
    with pytest.raises(ValueError, match=f"{host} lies at {address}"):
      allowed.check_address(host, address)


@pytest.fixture
def lying(monkeypatch):
  """A name service in which hosts lie where a test says."""

  def lie(*addresses):
    async def getaddrinfo(self, host, port, **more):
      if not addresses:
        raise socket.gaierror("no such host")
      return [(0, 1, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)

  return lie


def connect(allowed, port=9):
  async def main():
    backend = hosts.guarded(Hosts(allowed))
    stream = await backend.connect_tcp("example.org", port, timeout=5.0)
    await stream.aclose()

  asyncio.run(main())


def test_a_name_that_leads_to_a_private_address_is_not_connected_to(lying):
  lying("8.8.8.8", "127.0.0.1")
  with pytest.raises(ValueError, match=r"example.org lies at 127\.0\.0\.1"):
    connect(["example.org"])


def test_one_connects_to_the_address_that_was_looked_at(lying, station, http):
  running = station(lambda *_: [http("x")])
  lying("127.0.0.2", "127.0.0.1")
  port = int(running.at.rpartition(":")[2])
  connect(["example.org", "127.0.0.1", "127.0.0.2"], port)
  lying("127.0.0.2")
  with pytest.raises(httpcore2.ConnectError):
    connect(["example.org", "127.0.0.2"], port)


def test_a_host_that_is_nowhere(lying):
  lying()
  with pytest.raises(httpcore2.ConnectError, match="no such host"):
    connect(["example.org"])
