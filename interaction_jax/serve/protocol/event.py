"""Events as the protocols of OpenAI have them."""

import json
import uuid
from typing import Any, Literal

from interaction_jax.serve.protocol.message import Refusal


def new_id(prefix: str) -> str:
  """A name that nothing else has."""
  return f"{prefix}_{uuid.uuid4().hex[:24]}"


def event(kind: str, **fields: Any) -> dict[str, Any]:
  """An event with an id of its own."""
  return {"type": kind, "event_id": new_id("event"), **fields}


def error(
  refusal: Refusal,
  received: str | bytes,
  *,
  cause: Literal["client_event_id", "event_id"],
) -> dict[str, Any]:
  """The `error` that answers a message.

  Args:
    cause: what the protocol calls the id of the event that was refused.
  """
  return event(
    "error",
    error={
      "type": refusal.kind,
      "code": refusal.code,
      "message": refusal.message,
      "param": refusal.param,
      cause: id_of(received),
    },
  )


def id_of(received: str | bytes) -> str | None:
  """The id that a client gave its event, if it is one and has one."""
  try:
    found = json.loads(received)["event_id"]
  except (LookupError, RecursionError, TypeError, ValueError):
    return None
  return found if isinstance(found, str) and len(found) <= 512 else None
