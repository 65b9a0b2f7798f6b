import pytest

from interaction_jax.evals.fd_bench.v3 import call as calls
from interaction_jax.evals.fd_bench.v3.call import Call, Reader


@pytest.mark.parametrize(
  "plain",
  [
    {"tool": "timer", "minutes": 5},
    {"name": "timer", "arguments": {"minutes": 5}},
    {"function": "timer", "args": {"minutes": 5}},
    {"tool_name": "timer", "parameters": '{"minutes": 5}'},
    {
      "id": "1", "type": "function",
      "function": {"name": "timer", "arguments": '{"minutes": 5}'},
    },
  ],
)  # fmt: skip
def test_a_call_comes_in_several_forms(plain):
  assert calls.parse(plain, 2.5) == Call("timer", {"minutes": 5}, 2.5)


@pytest.mark.parametrize(
  "plain", [3, {}, {"minutes": 5}, {"tool": 3}, {"tool": "a", "args": [1]},
            {"tool": "a", "args": "{"}]
)  # fmt: skip
def test_what_is_no_call(plain):
  with pytest.raises(ValueError, match=r"names no tool|no object|Expecting"):
    calls.parse(plain)


def test_calls_are_read_piece_by_piece():
  pieces = [
    (1.0, 'well {"tool":"say","te'),
    (1.2, 'xt":"a } \\" { b"} and {"not'),
    (1.4, '":"one"}{"tool":"x","args":{"in":{}}}'),
    (1.6, ' } {"tool":"y"'),
  ]
  # A brace or a sign within a text ends nothing; what names no tool, and what
  # is never completed, is none.
  assert calls.read(pieces) == [
    Call("say", {"text": 'a } " { b'}, 1.2),
    Call("x", {"in": {}}, 1.4),
  ]


def test_what_is_broken_does_not_stop_the_next_one():
  reader = Reader()
  assert reader.write(0.2, "{broken} ") == []
  assert reader.write(0.4, '{"tool":"x"}') == [Call("x", {}, 0.4)]


EXPECTED = [
  Call("find", {"code": "anna"}),
  Call("book", {"id": "$RESULT_0.id", "seats": ["$RESULT_0.seat", 4]}),
  Call("pay", {"of": {"id": "$RESULT_1.bill.id"}, "as": "$RESULT_9.x"}),
]


def test_arguments_refer_to_results():
  assert calls.references(EXPECTED) == [
    (0, "id"), (0, "seat"), (1, "bill.id"), (9, "x"),
  ]  # fmt: skip
  results = [{"id": 7, "seat": "A"}, {"bill.id": 3}, {}]
  assert calls.resolved(EXPECTED[0], results) == {"code": "anna"}
  assert calls.resolved(EXPECTED[1], results) == {"id": 7, "seats": ["A", 4]}
  # What there is no result for stays as it is.
  assert calls.resolved(EXPECTED[2], results) == {
    "of": {"id": 3},
    "as": "$RESULT_9.x",
  }


@pytest.mark.parametrize(
  ("wanted", "made", "same", "alike"),
  [
    ({"a": 5}, {"a": 5}, True, True),
    # One more does not matter to the lenient rule.
    ({"a": 5}, {"a": 5, "b": 1}, False, True),
    ({"a": 5, "b": 1}, {"a": 5}, False, False),
    # 105 is 5 % of 100 off, 106 is not.
    ({"a": 100}, {"a": 105}, False, True),
    ({"a": 100}, {"a": 106}, False, False),
    ({"a": 5}, {"a": "five"}, False, True),
    ({"a": "$1,200"}, {"a": 1200}, False, True),
    ({"a": 25}, {"a": "twenty five"}, False, True),
    # A number within words is no number.
    ({"a": "five star"}, {"a": 5}, False, False),
    ({"a": "New York"}, {"a": "new york."}, False, True),
    ({"a": "new-york"}, {"a": "New York"}, False, True),
    ({"a": "Rome"}, {"a": "Paris"}, False, False),
    ({"a": True}, {"a": "true"}, False, True),
    ({"a": None}, {"a": 0}, False, False),
    # Lists in any order, and one of one thing.
    ({"a": ["x", "y"]}, {"a": ["Y", "X"]}, False, True),
    ({"a": ["x", "y"]}, {"a": ["x"]}, False, False),
    ({"a": ["x"]}, {"a": "X"}, False, True),
    ({"a": {"b": 1}}, {"a": {"b": "one", "c": 2}}, False, True),
    ({"a": {"b": 1}}, {"a": 1}, False, False),
  ],
)
def test_arguments_are_compared(wanted, made, same, alike):
  assert calls.same(wanted, made) == same
  assert calls.alike(wanted, made) == alike
