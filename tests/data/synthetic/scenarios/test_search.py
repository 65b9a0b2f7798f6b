from interaction_jax.data.synthetic import world
from interaction_jax.data.synthetic.scenarios import sums


def test_what_is_found_is_said_in_the_next_gap(play, said):
  kinds = set()
  for seed in range(40):
    stage = play("search", seed)
    asked, *other = stage.utterances
    sent, report = stage.notes
    assert (sent.channel, sent.text) == (
      "delegate",
      f" code of {asked.words[-1]}",
    )
    assert report.channel is None
    found = report.text.split()
    assert set(found) <= set(world.THINGS)
    words = said(stage).split()
    first = stage.spoken[-2].turn
    if other:
      # Answered first, with the report waiting.
      answer = list(sums.reply(other[0].words))
      assert words == ["okay", *answer, *found]
      answered = stage.spoken[-3].last
      assert first == max(answered, report.turn + 1)
      # It was clear by then that the user speaks.
      assert other[0].at + 1600 <= (report.turn + 1) * 3200
      assert report.turn < answered
    else:
      assert words == ["okay", *found]
      assert first == report.turn + 1
    assert stage.spoken[0].turn < sent.turn < report.turn
    assert stage.facts["asked_turn"] == stage.onset
    kinds.add(bool(other))
  assert kinds == {True, False}
