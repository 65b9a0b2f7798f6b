import itertools

import pytest

from interaction_jax.serve.background import briefing
from interaction_jax.serve.background.job import Context, Line


def told(lines, most=10_000, **more):
  context = Context("weather in paris", tuple(lines), t=9.04, **more)
  made = briefing.messages(context, most=most)
  return [(one["role"], one["content"]) for one in made]


def test_the_whole_conversation_is_told():
  (role, system), *rest = told(
    [
      Line(0.2, "screen", " my city"),
      Line(0.4, "assistant", " okay"),
      Line(1.0, "user", "is paris"),
      Line(2.0, "background", "22 degrees"),
      Line(3.0, "call", '{"tool":"timer"}'),
      Line(4.0, "delegate", "weather"),
    ],
    instructions="be brief",
  )
  assert role == "system" and system.endswith("was told:\nbe brief")
  assert rest == [
    ("user", "(The conversation begins.)"),
    ("assistant", "[0.2] [screen] my city\n[0.4] okay"),
    ("user", "[1.0] is paris\n[2.0] [found earlier] 22 degrees"),
    (
      "assistant",
      '[3.0] [called a tool] {"tool":"timer"}\n[4.0] [handed over] weather',
    ),
    ("user", "[9.0] Your task: weather in paris"),
  ]


@pytest.mark.parametrize("first", ["user", "assistant", "background"])
def test_roles_alternate_and_a_user_begins(first):
  who = [first, "user", "assistant", "screen", "background", "delegate", "user"]
  roles = [role for role, _ in told([Line(0.0, one, "x") for one in who])]
  assert roles[:2] == ["system", "user"] and roles[-1] == "user"
  assert all(a != b for a, b in itertools.pairwise(roles))


def test_a_task_alone():
  (_, system), task = told([])
  assert "was told" not in system
  assert task == ("user", "[9.0] Your task: weather in paris")


@pytest.mark.parametrize(
  ("most", "kept"), [(0, 0), (9, 0), (10, 1), (25, 2), (1000, 20)]
)
def test_what_is_older_is_left_out(most, kept):
  lines = [Line(float(t), "user", f"line {t:05d}") for t in range(20)]
  (_, _), (_, text) = told(lines, most=most)
  assert text.count("line 0") == kept
  assert (f"first {20 - kept} lines" in text) == (kept < 20)
  if kept:
    assert "line 00019" in text
