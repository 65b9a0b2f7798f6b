import json
import signal
import socket
import subprocess
import sys
import time

import pytest


@pytest.mark.parametrize(
  ("flags", "message"),
  [
    (["--sessions=0"], "--sessions=0 must be 1 or more"),
    (["--checkpoint=nana"], "'nana'"),
    (["--mesh=cqu"], "mesh 'cqu' is not known (did you mean cpu?)"),
    (["--host=0.0.0.0"], "token"),
    (["--token-file=nowhere"], "nowhere"),
    (["--tls-cert=only.pem"], "tls"),
  ],
  ids=["sessions", "model", "mesh", "open", "tokens", "tls"],
)
def test_serve_refuses_in_one_line(refused, flags, message):
  assert message in refused(["serve", "--port=0", *flags])


def test_a_port_that_somebody_has_is_one_line(refused, talker):
  with socket.socket() as taken:
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    port = taken.getsockname()[1]
    told = refused(["serve", f"--checkpoint={talker}", f"--port={port}"])
  assert f"--host=127.0.0.1 --port={port}: Address already in use" in told


@pytest.mark.parametrize("way", [signal.SIGTERM, signal.SIGINT])
def test_who_is_told_to_end_ends_well(talker, root, way):
  """Even while the engine is compiled."""
  line = [sys.executable, "-m", "interaction_jax", "serve", "--port=0"]
  line += [f"--checkpoint={talker}", "--sessions=1"]
  pipe = subprocess.PIPE
  with subprocess.Popen(line, cwd=root, stderr=pipe, text=True) as run:
    assert run.stderr is not None
    told = [json.loads(run.stderr.readline())]
    assert told[0]["event"] == "listening"
    run.send_signal(way)
    began = time.monotonic()
    assert run.wait(timeout=60) == 0
    took = time.monotonic() - began
    rest = run.stderr.read()
  assert "Traceback" not in rest and took < 30
