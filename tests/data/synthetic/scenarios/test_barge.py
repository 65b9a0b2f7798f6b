from interaction_jax.data.synthetic.scenarios import repeat, sums


def test_the_interruption_is_answered_instead(play, in_time, at_once):
  for seed in range(30):
    stage = play("barge", seed)
    asked, other = stage.utterances
    assert asked.words[0] == "count" and stage.onset * 3200 < other.at
    ((place, dropped),) = stage.label("barge")["broken"]
    counted, answer = stage.spoken[:place], stage.spoken[place:]
    assert counted and dropped
    assert stage.facts["understood"] == other.word_end(0) / 16_000
    # It yields to the first word.
    silent = max(word.last for word in counted)
    assert silent * 3200 - other.word_end(0) < 4800
    module = repeat if other.words[0] == "say" else sums
    assert tuple(word.word for word in answer) == module.reply(other.words)
    assert in_time(answer[0], other.end)


def test_the_word_being_said_is_cut(play, at_once):
  cut = 0
  for seed in range(30):
    stage = play("barge", seed)
    last = stage.spoken[stage.label("barge")["broken"][0][0] - 1]
    whole = -(-stage._bank.word(last.word).length // 3200)
    if last.last < last.turn + whole:
      end = stage.utterances[1].word_end(0)
      assert 1600 <= last.last * 3200 - end < 4800
      cut += 1
  assert cut > 5
