import collections

from interaction_jax.data.synthetic.request import reserved
from interaction_jax.data.synthetic.scenarios import sums


def _asked(stage):
  """What is typed with the turn, and the answer until the next comes."""
  ends = [turn for turn, _ in stage.typed[1:]] + [10**6]
  for (turn, text), end in zip(stage.typed, ends, strict=True):
    answer = [word for word in stage.spoken if turn < word.turn <= end]
    yield turn, tuple(text.split()), answer


def test_every_question_is_answered_at_once_from_what_was_told(play):
  kinds = collections.Counter()
  for seed in range(40):
    word, had = "cup", {}
    for turn, words, said in _asked(play("quiz", seed, word=word)):
      answer = tuple(one.word for one in said)
      if words[1] == "had" and words[0] != "what":
        had[words[0]] = words[2]
        kind, wanted = "told", ()
      elif words[0] == "remember":
        word = words[1]
        kind, wanted = "remember", ("okay",)
      elif words[:2] == ("what", "was"):
        kind, wanted = "recall", (word,)
      elif words[:2] == ("what", "had"):
        kind, wanted = "had", (had[words[2]],)
      elif words[0] == "say":
        kind, wanted = "repeat", words[1:]
      else:
        kind, wanted = f"sum of {len(words) // 2}", sums.reply(words)
      assert answer == wanted
      assert [one.turn for one in said[:1]] in ([], [turn + 1])
      kinds[kind] += 1
  assert len(kinds) == 7
  assert min(kinds.values()) > 5


def test_long_sums_are_of_their_split_and_begin_with_no_sum_kept_apart(play):
  num_long = 0
  for seed in range(60):
    split = ("train", "held_out")[seed % 2]
    for _, words, _ in _asked(play("quiz", seed, split=split)):
      if words[:2] == ("what", "is"):
        assert reserved(words) == (split == "held_out")
      if len(words) == 7:
        assert not reserved(words[:5])
        num_long += 1
  assert num_long > 50


def test_little_time_has_few_questions(play):
  assert max(len(play("quiz", seed, left=6.0).typed) for seed in range(20)) <= 4
