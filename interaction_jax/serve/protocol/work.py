"""The jobs of a background model, as delegation to Responses is told.

started               session.delegation.created, response.created
partial               response.output_text.delta
done, late            response.completed
failed, timed out,    response.failed
cancelled, superseded
"""

from typing import Any, Final

from interaction_jax.serve.background.job import Report
from interaction_jax.serve.protocol.event import event

_STATUS: Final = {"started": "in_progress", "done": "completed"}


def events(report: Report, at_ms: int) -> list[dict[str, Any]]:
  """What is told of a report.

  Args:
    at_ms: when, in the session.
  """
  delegation, response = f"dlg_{report.job}", f"resp_{report.job}"
  told = []
  if report.state == "started":
    told.append(
      event(
        "session.delegation.created",
        offset_ms=at_ms,
        delegation={
          "id": delegation,
          "type": "delegation",
          "target": "responses",
          "response_id": response,
        },
      )
    )
  inner = _inner(report, response)
  told.append(event("response.event", delegation_id=delegation, event=inner))
  return told


def _inner(report: Report, response: str) -> dict[str, Any]:
  item = f"{response}_text"
  if report.state == "partial":
    return {
      "type": "response.output_text.delta",
      "item_id": item,
      "output_index": 0,
      "content_index": 0,
      "delta": report.text,
    }
  state = "done" if report.state == "late" else report.state
  status = _STATUS.get(state, "failed")
  told: dict[str, Any] = {
    "id": response,
    "object": "response",
    "status": status,
    "output": [],
    "error": None,
  }
  if status == "completed":
    content = [{"type": "output_text", "text": report.text, "annotations": []}]
    told["output"] = [
      {
        "id": item,
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": content,
      }
    ]
  elif status == "failed":
    told["error"] = {"code": report.state, "message": report.text}
  kind = "created" if status == "in_progress" else status
  return {"type": f"response.{kind}", "response": told}
