import json
import sys

import pytest

from interaction_jax.evals.bench import outlive
from interaction_jax.evals.bench.outlive import Client, Line

# A server in small: what it answers depends on all that was said before, which
# it keeps after every third turn. With --drift it answers otherwise whenever
# it is begun.
SCRIPT = """
import asyncio, hashlib, json, os, sys
from pathlib import Path

import numpy as np
from interaction_jax.serve.snapshot import Snapshot
from websockets.asyncio.server import serve

folder = Path(sys.argv[-1].partition("=")[2])
folder.mkdir(exist_ok=True)
drift = str(os.getpid()) if "--drift" in sys.argv else ""
none = np.zeros(0, np.float32)
names = iter(range(10**9))


async def talk(socket):
  given = json.loads(await socket.recv())["session"]
  parts = socket.request.path.split("/")
  past, turn = str(given.get("seed")), 0
  if parts[-1] == "fork":
    file = folder / f"{parts[-2]}.snapshot"
    if not file.exists():
      error = {"code": "session_not_found"}
      await socket.send(json.dumps({"type": "error", "error": error}))
      return
    kept = Snapshot.load(file).fields
    past, turn = kept["past"], kept["turn"]
  name = f"{os.getpid()}-{next(names)}"
  told = {"id": name, "t_ms": 200 * turn}
  await socket.send(json.dumps({"type": "session.started", "session": told}))
  async for message in socket:
    said = json.loads(message)["audio"]
    past = hashlib.sha256(f"{past} {said} {drift}".encode()).hexdigest()
    for told in (
      {"type": "session.output_audio.delta", "delta": past},
      {"type": "session.microturn", "index": turn},
    ):
      await socket.send(json.dumps(told))
    turn += 1
    if turn % 3 == 0:
      fields = {"past": past, "turn": turn}
      Snapshot(fields, (), none, ()).save(folder / f"{name}.snapshot")


async def main():
  async with serve(talk, "127.0.0.1", 0) as server:
    port = server.sockets[0].getsockname()[1]
    at = f"http://127.0.0.1:{port}"
    for told in ({"event": "listening", "at": at}, {"event": "ready"}):
      print(json.dumps(told), file=sys.stderr, flush=True)
    await server.serve_forever()


asyncio.run(main())
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory):
  """What is said of a server that goes on, and of one that does not."""
  script = tmp_path_factory.mktemp("script") / "serve.py"
  script.write_text(SCRIPT)

  def run(*arguments, kills):
    line = Line(arguments, program=(sys.executable, str(script)))
    return outlive.run(
      line, num_kills=kills, num_clients=2, most_s=0.4, least_turns=4
    )

  return run


def test_a_server_that_goes_on_as_it_was_is_found_so(report):
  told = report(kills=2)
  json.dumps(told)
  assert (told["different"], told["broken"]) == (0, [])
  assert told["went_on"] + told["from_start"] == 2 * 2
  assert told["went_on"] >= 1 and told["snapshots"] >= 2
  assert told["turns"] > 10 and told["said_again"] >= told["said_again_most"]
  text = outlive.summary(told)
  assert "killed 2 times" in text and "undisturbed" in text


def test_one_that_does_not_is_found_out(report):
  told = report("--drift", kills=1)
  assert told["different"] > 0
  assert "DIFFERENT" in outlive.summary(told)


def test_turns_are_compared_by_their_bits():
  one, other = Client(3), Client(3)
  assert one.say(2) == other.say(2) != one.say(1)
  for turn, sound in enumerate("abc"):
    one.hear(turn, sound)
    other.hear(turn, sound.upper() if turn == 1 else sound)
  assert one.differs_from(other) == {1}
  # Heard again behind a kill, and then otherwise.
  one.hear(0, "A")
  assert one.differs_from(one) == {0}


def test_a_server_that_does_not_come_up_is_told():
  line = Line((), program=(sys.executable, "-c", "raise SystemExit('no')"))
  with pytest.raises(RuntimeError, match="did not come up: no"):
    outlive.run(line, num_kills=1)
  with pytest.raises(ValueError, match="kills=0 must be"):
    outlive.run(line, num_kills=0)
