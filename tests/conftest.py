"""What every test may ask for."""

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
GOLDEN = Path(__file__).parent / "golden"


def pytest_addoption(parser: pytest.Parser) -> None:
  parser.addoption(
    "--update-golden",
    action="store_true",
    help="write tests/golden anew from what the code gives now",
  )
  parser.addoption(
    "--walk",
    action="store_true",
    help="do what every page says, not the how-tos alone: ten minutes",
  )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
  """The tests of a file stay together: what they share is compiled once."""
  from xdist.scheduler import LoadFileScheduling

  return LoadFileScheduling(config, log)


@pytest.fixture(scope="session")
def quick() -> dict[str, Any]:
  """Compiler options for programs that are to be right, not fast.

  They compile in a third of the time. Newer versions of JAX have no other
  emitters to choose from.
  """
  import jax

  options: dict[str, Any] = {"xla_backend_optimization_level": 0}
  if jax.__version_info__ < (0, 11):
    options["xla_cpu_use_fusion_emitters"] = False
  return options


@pytest.fixture(scope="session")
def quick_flags(quick: dict[str, Any]) -> str:
  """The same for a process of its own, as its `XLA_FLAGS`."""
  return " ".join(f"--{name}={value}".lower() for name, value in quick.items())


@pytest.fixture(scope="session")
def root() -> Path:
  """The folder of the checkout."""
  return ROOT


@pytest.fixture(scope="session")
def meeting() -> Iterator[Callable[[], str]]:
  """Addresses at which processes of a run may meet, each of them kept free.

  A port that is only looked up may be somebody else's a moment later. This one
  stays bound, though nobody listens; who may share it is the coordinator of
  JAX, which asks for that as gRPC always does.
  """
  with contextlib.ExitStack() as stack:

    def meeting() -> str:
      held = stack.enter_context(socket.socket())
      held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
      held.bind(("", 0))
      return f"127.0.0.1:{held.getsockname()[1]}"

    yield meeting


@pytest.fixture(scope="session")
def on_eight_devices(root: Path) -> Callable[[str], dict[str, Any]]:
  """A function that runs a file on eight fake devices.

  It returns the JSON of the last line that the file prints.
  """

  def run(file: str) -> dict[str, Any]:
    done = subprocess.run(
      [sys.executable, file],
      cwd=root,
      env={
        **os.environ,
        "XLA_FLAGS": "--xla_force_host_platform_device_count=8",
        "JAX_PLATFORMS": "cpu",
        # Each program runs once: most of its time would be the compiler's.
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
        "PYTHONPATH": str(root),
      },
      capture_output=True,
      text=True,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])

  return run


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, Any], None]:
  """A function that compares a value with the JSON kept in tests/golden."""

  def compare(name: str, value: Any) -> None:
    path = GOLDEN / name
    text = json.dumps(value, indent=2) + "\n"
    if request.config.getoption("--update-golden"):
      path.parent.mkdir(parents=True, exist_ok=True)
      path.write_text(text)
    assert path.exists(), f"{path} is missing; pytest --update-golden writes it"
    # Compared as text: a change of order or of a number's type is a change.
    assert text == path.read_text(), (
      f"{path.relative_to(ROOT)} differs; if that is meant, "
      "pytest --update-golden and commit what it writes"
    )

  return compare
