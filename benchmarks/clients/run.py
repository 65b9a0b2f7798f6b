"""Stock clients, unmodified, against a server with `nano`: one command.

    python benchmarks/clients/run.py
    python benchmarks/clients/run.py --only moshi --seconds 8
    python benchmarks/clients/run.py --at 127.0.0.1:8080      any other server
    python benchmarks/clients/run.py --install                and nothing else

Each client is installed from its registry into an environment of its own under
`--folder`, where it stays for the next time, and is as its makers publish it.
Then it plays `examples/conversation.flac` to the server as fast as it is
spoken. Passed is who was let in, heard a voice, read words, complained of
nothing and left without force; the server must have no connection left over
that failed. What cannot be installed is named, and is no failure.
"""

import argparse
import contextlib
import dataclasses
import datetime
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SOUND = HERE.parent.parent / "examples" / "conversation.flac"

RATE = 24_000
LONGEST_S = 180
"""That a client may take, whatever it waits for."""

INSTALL_S = 900
"""That each step of installing one may take."""


@dataclasses.dataclass(frozen=True)
class Client:
  """A client.

  Attributes:
    script: beside this file.
    protocols: that it speaks.
    packages: with their versions, from PyPI, or npm for a script of Node; none:
      it is installed here.
    alone: of packages that come without what they depend on.
  """

  script: str
  protocols: tuple[str, ...]
  packages: tuple[str, ...] = ()
  alone: tuple[str, ...] = ()


CLIENTS = {
  "openai": Client("openai_python.py", ("live", "realtime")),
  "agents": Client(
    "agents_realtime.mjs",
    ("realtime",),
    ("@openai/agents-realtime@0.20.0",),
  ),
  "pipecat": Client(
    "pipecat_ai.py", ("live", "realtime"), ("pipecat-ai[openai]==1.14.0",)
  ),
  "livekit": Client(
    "livekit_agents.py",
    ("live", "realtime"),
    ("livekit-agents[openai]==1.8.9",),
  ),
  # Its client has no use for torch, on which the package depends.
  "moshi": Client(
    "moshi_chat.py",
    ("moshi",),
    ("sphn>=0.2", "aiohttp>=3.10", "numpy"),
    ("moshi==0.2.13",),
  ),
}


def install(
  name: str, folder: Path, *, latest: bool, offline: bool
) -> list[str] | None:
  """Makes the environment of a client, unless it is there.

  Args:
    offline: ask no registry.

  Returns:
    How its script is run; None: it is not installed.
  """
  client = CLIENTS[name]
  if not client.packages:
    return [sys.executable, str(HERE / client.script)]
  place = folder / name
  wanted = "\n".join([*client.alone, *client.packages, f"latest={latest}"])
  done = place / "installed"
  node = client.script.endswith(".mjs")
  if not (done.is_file() and done.read_text() == wanted):
    if offline:
      return None
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    lines = _npm(client, latest) if node else _pip(client, place, latest)
    for line in lines:
      try:
        ran = subprocess.run(
          line, cwd=place, capture_output=True, text=True, timeout=INSTALL_S
        )
        code, told = ran.returncode, ran.stderr
      except (OSError, subprocess.TimeoutExpired) as error:
        code, told = -1, str(error)
      if code:
        print(f"{name} could not be installed: {told[-500:]}", file=sys.stderr)
        return None
    done.write_text(wanted)
  if node:
    shutil.copy(HERE / client.script, place)
    return ["node", str(place / client.script)]
  return [str(_python(place)), str(HERE / client.script)]


def _npm(client: Client, latest: bool) -> list[list[str]]:
  names = client.packages
  if latest:
    names = tuple(f"{name.rpartition('@')[0]}@latest" for name in names)
  quiet = ["--no-audit", "--no-fund", "--prefix", "."]
  return [["npm", "install", *quiet, *names]]


def _pip(client: Client, place: Path, latest: bool) -> list[list[str]]:
  def free(name: str) -> str:
    return name.split("==")[0] if latest else name

  pip = [str(_python(place)), "-m", "pip", "install", "-q"]
  lines = [[sys.executable, "-m", "venv", str(place)]]
  if client.alone:
    lines.append([*pip, "--no-deps", *map(free, client.alone)])
  return [*lines, [*pip, *map(free, client.packages)]]


def _python(place: Path) -> Path:
  return place / ("Scripts" if os.name == "nt" else "bin") / "python"


@contextlib.contextmanager
def serving(checkpoint: str) -> Iterator[str]:
  """Runs a server; gives its address once it is ready."""
  with tempfile.TemporaryDirectory() as folder:
    log = Path(folder) / "log"
    with log.open("w") as file:
      line = [sys.executable, "-m", "interaction_jax", "serve", "--port=0"]
      line.append(f"--checkpoint={checkpoint}")
      process = subprocess.Popen(line, stderr=file)
      try:
        while not _logged(log, "ready"):
          if process.poll() is not None:
            raise RuntimeError(f"the server ended: {log.read_text()[-2000:]}")
          time.sleep(0.2)
        (at,) = (one["at"] for one in _logged(log, "listening"))
        yield at.split("//")[1]
      finally:
        process.terminate()
        process.wait(60)


def _logged(log: Path, event: str) -> list[dict[str, Any]]:
  lines = [
    json.loads(line)
    for line in log.read_text().splitlines()
    if line.startswith("{") and line.endswith("}")
  ]
  return [line for line in lines if line["event"] == event]


def sound(seconds: float | None) -> bytes:
  """The recording, or its beginning, as PCM16 at 24 kHz."""
  # Not needed to install clients.
  import numpy as np
  import soundfile
  import soxr

  heard, rate = soundfile.read(SOUND, dtype="float32")
  if seconds is not None:
    heard = heard[: round(seconds * rate)]
  loud = np.rint(soxr.resample(heard, rate, RATE) * 2**15)
  return np.clip(loud, -(2**15), 2**15 - 1).astype("<i2").tobytes()


def talk(line: Sequence[str], protocol: str, at: str, pcm: Path) -> dict:
  """Has a client talk; returns what it told."""
  try:
    ran = subprocess.run(
      [*line, protocol, at, str(pcm)],
      capture_output=True,
      text=True,
      timeout=LONGEST_S,
    )
  except subprocess.TimeoutExpired:
    return {"ok": False, "errors": [f"not over after {LONGEST_S} s"]}
  told = ran.stdout.strip().splitlines()
  if not told or not told[-1].startswith("{"):
    return {"ok": False, "errors": [ran.stderr[-1000:]]}
  return json.loads(told[-1])


def counted(at: str) -> dict[str, float]:
  """What a server of ours counts; nothing of another's."""
  try:
    with urllib.request.urlopen(f"http://{at}/metrics", timeout=10) as page:
      lines = page.read().decode().splitlines()
  except OSError:
    return {}
  pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
  names = ("connections_failed", "connections_open", "messages_refused")
  found = {name.removeprefix("interaction_jax_server_"): n for name, n in pairs}
  return {name: float(found.get(name, 0)) for name in names}


def main() -> int:
  """Runs what was asked for; returns 1 where a client failed."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--only", action="append", choices=CLIENTS, default=[])
  parser.add_argument("--at", help="HOST:PORT of a server; else one is started")
  parser.add_argument("--checkpoint", default="nano")
  parser.add_argument(
    "--folder",
    type=Path,
    default=Path(tempfile.gettempdir()) / "interaction-jax-clients",
    help="of the environments",
  )
  parser.add_argument("--install", action="store_true", help="only that")
  parser.add_argument("--offline", action="store_true", help="install nothing")
  parser.add_argument("--latest", action="store_true", help="newest versions")
  parser.add_argument("--seconds", type=float, help="of sound, from the start")
  parser.add_argument("--out", type=Path, help="a file of JSON")
  given = parser.parse_args()

  given.folder.mkdir(parents=True, exist_ok=True)
  names = given.only or list(CLIENTS)
  lines = {
    name: install(
      name, given.folder, latest=given.latest, offline=given.offline
    )
    for name in names
  }
  if given.install:
    return 0
  pcm = given.folder / "sound.pcm"
  pcm.write_bytes(sound(given.seconds))

  rows, left = [], {}
  with contextlib.ExitStack() as stack:
    at = given.at
    if at is None:
      at = stack.enter_context(serving(given.checkpoint))
    before = counted(at)
    for name, line in lines.items():
      for protocol in CLIENTS[name].protocols if line else ():
        told = talk(line, protocol, at, pcm)
        rows.append({"client": name, "protocol": protocol, **told})
        print(_line(rows[-1]), flush=True)
    # Who left is gone once what he had said was heard.
    until = time.monotonic() + 30
    while (left := counted(at)) and time.monotonic() < until:
      left = {name: n - before[name] for name, n in left.items()}
      if not left["connections_open"]:
        break
      time.sleep(0.2)
  report = {
    "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    "model": given.checkpoint if given.at is None else None,
    "sound": SOUND.name,
    "load": round(os.getloadavg()[0], 2),
    "not_installed": [name for name, line in lines.items() if line is None],
    "server": left,
    "rows": rows,
  }
  if given.out is not None:
    given.out.write_text(json.dumps(report, indent=2) + "\n")
  broken = any(left.get(f"connections_{how}") for how in ("failed", "open"))
  if broken:
    print(f"connections of the server: {left}", file=sys.stderr)
  return int(broken or not all(row["ok"] for row in rows))


def _line(row: dict[str, Any]) -> str:
  """A row as a person reads it."""
  what = f"{row['client']} {row.get('version', '')}, {row['protocol']}"
  if not row["ok"]:
    return f"FAILED  {what}: {row}"
  return (
    f"passed  {what}: sent {row['sent_s']} s, heard {row['voice_s']} s of "
    f"voice in {row['heard_s']} s of sound: {row['said']!r}"
  )


if __name__ == "__main__":
  sys.exit(main())
