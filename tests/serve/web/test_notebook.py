"""A notebook in a real browser, over a bridge like that of Colab."""

import base64
import contextlib
import http.server
import io
import json
import re
import sys
import threading
import types

import numpy as np
import pytest
import soundfile

from interaction_jax.serve.session import Session
from interaction_jax.serve.web import notebook
from interaction_jax.turns import clock

# What a page of Colab offers, with a server in place of its kernel.
COLAB = """
window.google = {colab: {kernel: {invokeFunction: async (name, given) => {
  const told = await fetch("/" + name, {method: "POST", body: given[0]});
  return {data: {"application/json": await told.json()}};
}}}};
"""


@pytest.fixture
def session(model, lively):
  return Session(model, seed=1, sampling=lively)


@pytest.fixture
def bridge(monkeypatch):
  """The functions that a page may call, by name."""
  functions = {}
  output = types.ModuleType("google.colab.output")
  output.__dict__["register_callback"] = functions.__setitem__
  monkeypatch.setitem(sys.modules, "google.colab.output", output)
  return functions


def sound_of(html):
  data = re.search("base64,([^']*)'", html.data).group(1)
  return soundfile.read(io.BytesIO(base64.b64decode(data)))


@pytest.mark.parametrize("shape", [(16_000,), (16_000, 2)], ids=["one", "two"])
def test_what_is_played_lies_inside(shape):
  t = np.arange(16_000) / clock.SAMPLE_RATE
  tone = 0.5 * np.sin(2 * np.pi * 440 * t)
  html = notebook.play(
    np.broadcast_to(tone.reshape(-1, *[1] * (len(shape) - 1)), shape),
    title="a tone",
  )
  samples, rate = sound_of(html)
  assert rate == clock.SAMPLE_RATE and samples.shape[1:] == shape[1:]
  # MP3 adds a frame or two of silence at either end.
  assert 16_000 <= len(samples) < 19_000
  spectrum = np.abs(np.fft.rfft(samples.reshape(len(samples), -1)[:16_000, 0]))
  assert abs(spectrum.argmax() - 440) < 2
  assert "a tone" in html.data and len(html.data) < 20_000


def test_a_sound_of_another_shape_is_refused():
  with pytest.raises(ValueError, match=r"the shape \(2, 5\); \(samples,\) or"):
    notebook.play(np.zeros((2, 5)))


def test_elsewhere_than_in_colab_it_is_told_what_would_do(session):
  with pytest.raises(RuntimeError, match="interaction-jax serve"):
    notebook.converse(session)


def test_what_is_pushed_in_base64_is_what_is_pushed(session):
  other = session.fork()
  rng = np.random.default_rng(0)
  heard = rng.normal(0, 3000, 4 * clock.SAMPLES).astype(np.int16)
  answer = session.push(heard)
  told = notebook.push(other, base64.b64encode(heard.tobytes()).decode())
  voice = np.frombuffer(base64.b64decode(told["voice"]), "<i2")
  assert np.abs(voice / 32767 - answer.audio).max() < 1 / 32767
  assert [event["kind"] for event in told["events"]] == [
    event.kind for event in answer.events
  ]
  assert len(told["compute_ms"]) == 4 and other.turn == session.turn == 4


@contextlib.contextmanager
def served(document, functions):
  """A page whose posts are calls of functions."""

  class Handler(http.server.BaseHTTPRequestHandler):
    def reply(self, kind, body):
      self.send_response(200)
      self.send_header("Content-Type", kind)
      self.end_headers()
      self.wfile.write(body)

    def do_GET(self):
      self.reply("text/html; charset=utf-8", document.encode())

    def do_POST(self):
      body = self.rfile.read(int(self.headers["Content-Length"])).decode()
      told = functions[self.path[1:]](body)
      self.reply("application/json", told.encode())

    def log_message(self, *_):
      pass

  with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
      yield f"http://127.0.0.1:{server.server_port}/"
    finally:
      server.shutdown()
      thread.join()


def test_the_microphone_of_a_browser_is_heard(browser, bridge, session):
  html = notebook.converse(session)
  ((name, call),) = bridge.items()
  functions = {name: lambda body: json.dumps(call(body).data)}
  head = "<!doctype html><html lang='en'><link rel='icon' href='data:,'>"
  page = f"{head}<script>{COLAB}</script>{html.data}"
  with served(page, functions) as address:
    tab = browser.open(address)
    assert tab.text("button") == "Speak"
    tab.click("button")
    tab.wait("document.querySelector('span').textContent.includes('ms a turn')")
    tab.click("button")
    tab.wait("document.querySelector('button').textContent === 'Speak'")
    tab.check()
    tab.close()
  assert session.turn >= 1
