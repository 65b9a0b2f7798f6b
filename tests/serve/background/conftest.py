"""Background models that do what a test says."""

import asyncio
import dataclasses
from collections.abc import Callable

import pytest

from interaction_jax.serve.background.job import Context, Finding


@dataclasses.dataclass
class Play:
  """A background model that follows a script.

  Attributes:
    steps: seconds to wait, findings, errors to raise, or anything else, which
      is handed out as it is; by task, or the same for all.
  """

  steps: dict[str, list] | list
  given: list[Context] = dataclasses.field(default_factory=list)
  cancelled: int = 0

  async def run(self, context):
    self.given.append(context)
    steps = self.steps
    if isinstance(steps, dict):
      steps = steps[context.task]
    try:
      for step in steps:
        if isinstance(step, int | float):
          await asyncio.sleep(step)
        elif isinstance(step, Exception):
          raise step
        else:
          yield Finding(step) if isinstance(step, str) else step
    except asyncio.CancelledError:
      self.cancelled += 1
      raise


@pytest.fixture
def play() -> Callable[..., Play]:
  return Play


async def until(true: Callable[[], object], seconds: float = 10.0) -> None:
  """Waits until something holds."""
  async with asyncio.timeout(seconds):
    while not true():
      await asyncio.sleep(0.002)


@pytest.fixture(name="until")
def _until():
  return until
