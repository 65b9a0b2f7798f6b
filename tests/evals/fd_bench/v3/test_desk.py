import json

import pytest

from interaction_jax.evals.fd_bench.v3 import desk
from interaction_jax.evals.fd_bench.v3.call import Call
from interaction_jax.evals.fd_bench.v3.desk import Desk
from interaction_jax.evals.harness.item import Tools

EXPECTED = [
  Call("search_flights", {"to": "Rome"}),
  Call("book_flight", {"flight": "$RESULT_0.flight_id"}),
]


def test_what_is_referred_to_is_brought():
  first, second = desk.results(EXPECTED)
  # F and three digits, the same each time.
  assert set(first) == {"flight_id"} and first == desk.results(EXPECTED)[0]
  assert first["flight_id"][0] == "F" and int(first["flight_id"][1:]) >= 100
  assert second == {}
  # What the data says counts.
  known = [{"flight_id": "X1", "price": 3}, None]
  assert desk.results(EXPECTED, known) == [{"flight_id": "X1", "price": 3}, {}]


def answers(made, at, text):
  return [(when, json.loads(told)) for when, told in made.write(at, text)]


def test_calls_are_answered_once_they_are_complete():
  made = Desk(EXPECTED, [{"flight_id": "X1"}, {}])
  assert isinstance(made, Tools)
  assert answers(made, 1.0, '{"tool":"search_flights",') == []
  done = {"status": "ok", "flight_id": "X1"}
  # 0.4 s later.
  assert answers(made, 1.2, '"to":"Rome"}') == [(pytest.approx(1.6), done)]
  # Asked again, it says the same; another one says that it is done.
  again, other = answers(
    made, 2.0, '{"tool":"search_flights"} {"tool":"book_flight"}'
  )
  assert again[1] == done and other[1] == {"status": "ok"}
  # Known, though nobody expects it; and unknown.
  known, unknown = answers(
    made, 3.0, '{"tool":"add_to_cart"} {"tool":"add_to_card"}'
  )
  assert known[1] == {"status": "ok"}
  assert unknown[1] == {"error": "there is no tool add_to_card"}
  assert len(desk.TOOLS) == 12
