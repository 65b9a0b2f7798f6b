"""Several processes as one: on hosts of a pod, or on one machine."""

import os
from typing import Final

import jax

COORDINATOR: Final = "JAX_COORDINATOR_ADDRESS"
COUNT: Final = "JAX_NUM_PROCESSES"
INDEX: Final = "JAX_PROCESS_ID"
"""Environment variables that say what flags do not."""


def join(
  coordinator: str | None = None,
  *,
  count: int | None = None,
  index: int | None = None,
) -> None:
  """Joins this process to the others, before anything is computed.

  What is not given is read from the environment. On Cloud TPU, on GKE, under
  Slurm and under Open MPI nothing has to be given, since JAX finds out.

  Args:
    coordinator: where the first process listens, such as `10.0.0.1:8476`.
    count: processes in all.
    index: of this one, from 0.

  Raises:
    ValueError: only a part is known, or it makes no sense.
  """
  coordinator = coordinator or os.environ.get(COORDINATOR)
  count = _number(count, COUNT)
  index = _number(index, INDEX)
  given = (coordinator, count, index)
  if any(one is not None for one in given):
    for what, one, name in zip(
      ("coordinator", "processes", "process"),
      given,
      (COORDINATOR, COUNT, INDEX),
      strict=True,
    ):
      if one is None:
        raise ValueError(
          f"{what} is not known: --{what} or {name} says it, or give nothing "
          "at all where a scheduler knows."
        )
    assert count is not None and index is not None, "both were checked"
    if not 0 <= index < count:
      raise ValueError(
        f"process={index} must lie in 0 to {count - 1}, below "
        f"processes={count}."
      )
  try:
    jax.distributed.initialize(coordinator, count, index)
  except (RuntimeError, ValueError) as error:
    raise ValueError(
      f"the processes of a run do not find one another: {error}"
    ) from error


def _number(value: int | None, name: str) -> int | None:
  text = os.environ.get(name)
  if value is not None or text is None:
    return value
  if not text.isdecimal():
    raise ValueError(f"{name}={text!r} must be a whole number.")
  return int(text)
