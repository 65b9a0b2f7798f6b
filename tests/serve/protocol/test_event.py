import pytest

from interaction_jax.serve.protocol import event
from interaction_jax.serve.protocol.message import Refusal


def test_events_have_ids_of_their_own():
  one, other = event.event("x", a=1), event.event("x", a=1)
  assert one["event_id"] != other["event_id"] and one["a"] == 1


@pytest.mark.parametrize(
  ("received", "found"),
  [
    ('{"event_id": "me"}', "me"), ('{"event_id": 5}', None), ("[]", None),
    ("{", None), (b"\xff", None), ('{"event_id": "%s"}' % ("x" * 600), None),
  ],
  ids=["id", "number", "list", "cut", "bytes", "long"],
)  # fmt: skip
def test_errors_name_what_caused_them(received, found):
  refusal = Refusal("code", "words", "field")
  told = event.error(refusal, received, cause="client_event_id")
  assert told["error"] == {
    "type": "invalid_request_error",
    "code": "code",
    "message": "words",
    "param": "field",
    "client_event_id": found,
  }
