from interaction_jax.evals.fd_bench import transcript
from interaction_jax.evals.harness.output import Word

USER = [Word("set", 0.5, 1.0), Word("it", 1.0, 1.25), Word("now", 4.0, 4.5)]
SYSTEM = [Word("okay", 2.0, 2.5)]


def test_utterances_are_lines():
  # 1.25 to 4.0 s is more than the 0.6 s that end an utterance.
  assert transcript.lines(USER) == "[0.50-1.25] set it\n[4.00-4.50] now"
  assert transcript.lines([]) == "(nothing)"


def test_two_sides_are_told_in_order():
  assert transcript.both(USER, SYSTEM).splitlines() == [
    "[0.50-1.25] user: set it",
    "[2.00-2.50] system: okay",
    "[4.00-4.50] user: now",
  ]
  assert transcript.both([], []) == "(nothing)"


def test_a_text_is_spread_over_its_time():
  # 2 s for four words.
  made = transcript.spread("a b c d", 1.0, 3.0)
  assert made[1] == Word("b", 1.5, 2.0) and made[-1].end == 3.0
  assert transcript.spread("", 1.0, 3.0) == []
