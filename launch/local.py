r"""Trains in several processes on this machine, as hosts of a pod would.

    python launch/local.py --processes 2 --config tiny --workdir /tmp/run \
      --mesh data=2

It is the rehearsal of all other launches: the same command, the same
collectives, the same checkpoints. Each process has `--devices` devices; on a
machine without accelerators those are parts of its CPU. Ctrl-C or SIGTERM
reaches all processes; each saves and leaves, and the same line goes on.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
from typing import IO

import plan


def main(line: list[str]) -> int:
  """Starts all processes and waits; the first that fails ends the others."""
  parser = plan.flags(__doc__ or "")
  add = parser.add_argument
  add("--processes", type=int, default=2, help="how many (default 2)")
  add("--devices", type=int, default=1, help="of each one (default 1)")
  given = parser.parse_args(line)
  for name in ("processes", "devices"):
    if getattr(given, name) < 1:
      parser.error(f"--{name}={getattr(given, name)} must be 1 or more")
  ear = _ear()
  address = f"127.0.0.1:{ear.getsockname()[1]}"
  commands = tuple(
    (
      *plan.train(given, "--distributed", f"--coordinator={address}"),
      f"--processes={given.processes}",
      f"--process={process}",
    )
    for process in range(given.processes)
  )
  need = plan.program(
    plan.TRAIN, "pip install -e '.[data]' in this environment, then activate it"
  )
  ready = plan.Plan((need,), commands)
  with ear:
    if given.dry_run or not need.there:
      return plan.carry_out(ready, dry_run=given.dry_run)
    return _together(commands, given.devices)


def _together(commands: tuple[tuple[str, ...], ...], devices: int) -> int:
  flag = f"--xla_force_host_platform_device_count={devices}"
  around = os.environ | {
    "XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} {flag}".strip(),
    # What one process writes, the others must not wait for.
    "PYTHONUNBUFFERED": "1",
  }
  started = [
    subprocess.Popen(
      command,
      env=around,
      stdout=subprocess.PIPE,
      stderr=subprocess.STDOUT,
      text=True,
    )
    for command in commands
  ]
  for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda *_: _end(started))
  tellers = [
    threading.Thread(target=_tell, args=(process, one.stdout), daemon=True)
    for process, one in enumerate(started)
  ]
  for teller in tellers:
    teller.start()
  waiting, code = set(range(len(started))), 0
  while waiting:
    for process in sorted(waiting):
      try:
        ended = started[process].wait(0.1)
      except subprocess.TimeoutExpired:
        continue
      waiting.discard(process)
      if ended and not code:
        code = ended
        print(f"process {process} ended with {ended}", file=sys.stderr)
        _end(started)
  for teller in tellers:
    teller.join()
  # A process that a signal ended has a negative code.
  return code if code >= 0 else 128 - code


def _tell(process: int, lines: IO[str] | None) -> None:
  """Hands on what a process prints, with its number in front."""
  assert lines is not None, "it was opened with a pipe"
  for line in lines:
    print(f"[{process}] {line}", end="", flush=True)


def _end(started: list[subprocess.Popen[str]]) -> None:
  for one in started:
    if one.poll() is None:
      one.terminate()


def _ear() -> socket.socket:
  """Holds the port at which the processes meet.

  A port that is only looked up may be somebody else's by the time it is wanted.
  The coordinator of JAX may share this one, as gRPC asks for that.
  """
  ear = socket.socket()
  if hasattr(socket, "SO_REUSEPORT"):
    ear.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
  ear.bind(("", 0))
  return ear


if __name__ == "__main__":
  sys.exit(main(sys.argv[1:]))
