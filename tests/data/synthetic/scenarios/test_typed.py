from interaction_jax.data.synthetic.request import reserved
from interaction_jax.data.synthetic.scenarios import (
  count,
  greet,
  repeat,
  sums,
)

_BY_FIRST_WORD = {"say": repeat, "what": sums, "count": count}


def test_what_is_typed_is_answered_at_once(play):
  kinds = set()
  for seed in range(60):
    stage = play("typed", seed)
    ((turn, text),) = stage.typed
    words = tuple(text.split())
    module = _BY_FIRST_WORD.get(words[0], greet)
    place = 0
    if stage.utterances:
      ((place, dropped),) = stage.label("typed")["broken"]
      assert dropped
      assert max(word.last for word in stage.spoken[:place]) <= turn + 1
    answer = stage.spoken[place:]
    assert tuple(word.word for word in answer) == module.reply(words)
    assert answer[0].turn == turn + 1
    kinds.add((module, place > 0))
  assert len(kinds) > 6


def test_nothing_reserved_is_typed_in_training(play):
  typed = [
    tuple(play("typed", seed, split=split).typed[0][1].split())
    for seed in range(40)
    for split in ("train", "held_out")
  ]
  kept = [reserved(words) for words in typed if words[0] in {"say", "what"}]
  assert set(kept) == {True, False}
  for seed, words in enumerate(typed):
    if words[0] in {"say", "what"}:
      assert reserved(words) == (seed % 2 == 1)
