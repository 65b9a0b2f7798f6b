import itertools

from interaction_jax.data.synthetic import world


def test_each_word_is_translated_while_the_next_is_said(play, in_time):
  sounding = overlap = 0
  for seed in range(20):
    stage = play("translate", seed)
    _, *words = stage.utterances
    assert len(words) == len(stage.spoken) >= 3
    silent = 0
    for heard, word in zip(words, stage.spoken, strict=True):
      assert word.word == world.LEXICON[heard.words[0]]
      # As soon as it is known and the one before is out; never far behind.
      assert in_time(word, heard.end) or word.turn == silent
      assert word.turn * 3200 - heard.end < 1.5 * 16_000
      silent = word.last
      for turn in range(word.turn, word.last):
        span = turn * 3200, turn * 3200 + 3200
        sounding += 1
        overlap += any(u.at < span[1] and span[0] < u.end for u in words)
    for heard, after in itertools.pairwise(words):
      # Longer apart than the words of a sentence.
      assert after.at - heard.end >= 4000
  assert overlap > 0.5 * sounding
