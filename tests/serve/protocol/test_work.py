import pytest

from interaction_jax.serve.background.job import Report
from interaction_jax.serve.protocol import work


def test_a_job_begins_with_its_delegation():
  created, begun = work.events(Report(3, "started", "sum"), 400)
  assert created["type"] == "session.delegation.created"
  assert created["offset_ms"] == 400
  assert created["delegation"] == {
    "id": "dlg_3",
    "type": "delegation",
    "target": "responses",
    "response_id": "resp_3",
  }
  assert begun["delegation_id"] == "dlg_3"
  assert begun["event"]["type"] == "response.created"


@pytest.mark.parametrize(
  ("state", "kind"),
  [
    ("partial", "response.output_text.delta"),
    ("done", "response.completed"),
    ("late", "response.completed"),
    ("failed", "response.failed"),
    ("timed_out", "response.failed"),
    ("cancelled", "response.failed"),
    ("superseded", "response.failed"),
  ],
)
def test_what_becomes_of_it(state, kind):
  (told,) = work.events(Report(3, state, "sum", text="five"), 400)
  inner = told["event"]
  assert inner["type"] == kind
  if state == "partial":
    assert inner["delta"] == "five"
  elif kind == "response.completed":
    (item,) = inner["response"]["output"]
    assert item["content"][0]["text"] == "five"
  else:
    assert inner["response"]["error"] == {"code": state, "message": "five"}
