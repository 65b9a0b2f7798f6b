"""What every test may ask for."""

import json
from collections.abc import Callable
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


@pytest.fixture(scope="session")
def root() -> Path:
  """The folder of the checkout."""
  return ROOT


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
