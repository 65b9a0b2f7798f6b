import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from interaction_jax.data import workers

# Its workers write down who they are; then it waits to be killed.
SCRIPT = """
import os, time
from interaction_jax.data import workers

def name(_):
  time.sleep(0.2)
  return os.getpid()

if __name__ == "__main__":
  pool = workers.pool(2)
  print(*set(pool.map(name, range(4))), flush=True)
  time.sleep(100)
"""


def alive(pid):
  # One that ended but was not waited for yet is a zombie.
  stat = Path(f"/proc/{pid}/stat")
  try:
    return stat.read_text().rpartition(")")[2].split()[0] != "Z"
  except FileNotFoundError:
    return False


def test_workers_end_with_a_parent_that_is_killed(root, tmp_path):
  (tmp_path / "run.py").write_text(SCRIPT)
  parent = subprocess.Popen(
    [sys.executable, "run.py"],
    cwd=tmp_path,
    env=os.environ | {"PYTHONPATH": str(root)},
    stdout=subprocess.PIPE,
    text=True,
  )
  children = [int(pid) for pid in parent.stdout.readline().split()]
  assert children
  assert all(alive(pid) for pid in children)
  # It alone: its children are told nothing.
  os.kill(parent.pid, signal.SIGKILL)
  parent.wait()
  parent.stdout.close()
  deadline = time.monotonic() + 300
  while any(alive(pid) for pid in children) and time.monotonic() < deadline:
    time.sleep(0.05)
  assert not any(alive(pid) for pid in children)


def test_signals_to_a_group_are_the_parents_business():
  pool = workers.pool(1)
  try:
    child = pool.submit(os.getpid).result()
    for number in (signal.SIGINT, signal.SIGTERM):
      os.kill(child, number)
      assert pool.submit(os.getpid).result() == child
  finally:
    pool.shutdown()
  assert not alive(child)


def test_what_is_nobodys_child_says_so():
  with pytest.raises(RuntimeError, match="children of multiprocessing"):
    workers.end_with_parent()
