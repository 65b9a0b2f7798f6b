import json

import numpy as np
import pytest

from interaction_jax.data.synthetic import stage as stages
from interaction_jax.data.synthetic import world
from interaction_jax.data.synthetic.scene import Thing
from interaction_jax.data.synthetic.stage import Stage, Word

TURN = 3200


@pytest.fixture
def stage(bank):
  voice = bank.user_voices("train")[2]
  rng = np.random.default_rng(11)
  return Stage(bank, rng, split="train", voice=voice, start=7 * TURN + 5)


@pytest.mark.parametrize(
  ("end", "turn"),
  [
    # A turn begins 200 ms after the end exactly.
    (5 * TURN, 6),
    (5 * TURN + 1, 7),
    (6 * TURN - 1, 7),
    (6 * TURN, 7),
    (0, 1),
  ],
)
def test_a_reply_waits_200_to_400_ms(end, turn):
  assert stages.reply_turn(end) == turn
  assert TURN <= turn * TURN - end < 2 * TURN


@pytest.mark.parametrize(
  ("end", "turn"),
  [(5 * TURN, 6), (5 * TURN + 1600, 6), (5 * TURN + 1601, 7), (0, 1)],
)
def test_a_caption_waits_100_to_300_ms(end, turn):
  assert stages.caption_turn(end) == turn
  assert TURN / 2 <= turn * TURN - end < 1.5 * TURN


def test_an_answer_follows_what_was_heard(stage, bank):
  said = stage.hear("repeat")
  stage.answer(("red", "goodbye", "cat"))
  (utterance,) = stage.utterances
  assert said is utterance and utterance.at == 7 * TURN + 5
  assert stage.onset == stages.reply_turn(utterance.end)
  turns = [word.turn for word in stage.spoken]
  lengths = [-(-bank.word(one.word).length // TURN) for one in stage.spoken]
  assert turns[0] == stage.onset
  # Word by word, without a gap.
  assert turns[1:] == [t + n for t, n in zip(turns, lengths, strict=True)][:2]
  assert stage.silent_from == turns[-1] + lengths[-1]
  assert stage.end == stage.now == stage.silent_from * TURN


def test_an_answer_waits_for_what_is_being_said(stage):
  stage.hear("greet")
  first = stage.answer(("hello", "red"))[-1]
  (second,) = stage.answer(("cat",))
  assert second.turn == first.last


def test_a_pace_is_kept(stage):
  stage.hear("count")
  said = stage.answer(("one", "two", "three"), pace=4)
  assert [word.turn - stage.onset for word in said] == [0, 4, 8]


def test_a_pace_that_is_too_fast_is_noticed(stage):
  with pytest.raises(AssertionError, match="goodbye is too long"):
    stage.say(("goodbye",), turn=4, pace=1)


def test_silence_is_no_answer(stage):
  stage.hear("quiet")
  assert stage.spoken == [] and stage.label("quiet")["onset_turn"] is None
  assert stage.end == stage.utterances[0].end


def test_pauses_last_as_long_as_they_say(bank):
  seen = []
  voices = bank.user_voices("train")
  for seed in range(150):
    rng = np.random.default_rng(seed)
    voice = voices[seed % 3]
    stage = Stage(bank, rng, split="train", voice=voice, start=0)
    said = stage.hear(("sums", "repeat", "timer")[seed % 3])
    clip = said.clip
    if clip.pause is None:
      assert said.stretch == 0
      continue
    there = clip.onsets[clip.pause] - clip.ends[clip.pause - 1]
    seen.append((there + said.stretch) / 16_000)
    assert said.end == clip.length + said.stretch
    assert said.word_end(clip.pause - 1) == clip.ends[clip.pause - 1]
    assert said.word_end(len(clip.words) - 1) == said.end
  assert len(seen) > 10
  assert min(seen) > 0.599 and max(seen) < 1.601


def test_what_is_typed_is_answered_where_it_is_read(stage):
  # The first whole turn from the beginning of the exchange.
  assert stage.type(("say", "red")) == 8
  assert stage.typed == [(8, "say red")]
  # Written in turn 8, audible in turn 9.
  (word,) = stage.answer(("red",))
  assert word.turn == stage.onset == 9


def test_what_was_asked_last_is_answered(stage):
  said = stage.hear("greet")
  turn = stage.type(("say", "red"), at=said.end + 5 * TURN)
  assert stage.answer(("red",))[0].turn == turn + 1
  assert stage.label("typed")["asked"] == list(said.words)


def test_an_assistant_that_translates_does_so_with_all_it_says(stage):
  stage.memory["foreign"] = True
  said = stage.say(("red", "sheep"), turn=9)
  assert [word.word for word in said] == ["rojo", "sheep"]


def test_breaking_off_drops_what_was_to_come(stage):
  stage.hear("count")
  planned = stage.answer(world.NUMBERS, pace=3)
  at = (planned[0].turn + 10) * TURN + 100
  stage.hear("stop", at=at)
  turn = stage.break_off()
  assert turn == stages.reply_turn(stage.utterances[-1].end)
  assert stage.silent_from <= turn
  kept = len(stage.spoken)
  assert 0 < kept < len(planned)
  assert [word.turn for word in stage.spoken] == [
    word.turn for word in planned[:kept]
  ]
  dropped = [word.word for word in planned[kept:]]
  assert stage.label("stop")["broken"] == [[kept, dropped]]


def test_a_word_is_cut_where_it_is_broken_off(stage):
  first, second = stage.say(("goodbye", "red"), turn=10)
  stage.break_off(second.turn - 1)
  assert stage.spoken == [Word(10, "goodbye", first.last - 1)]


def test_others_are_further_away_and_not_written_down(stage, bank):
  said = stage.overhear("repeat", level_db=-13.0)
  assert said.clip.voice != bank.user_voices("train")[2]
  assert said.clip.split == "train"
  assert said.level_db == -13.0 and not said.captioned
  label = stage.label("aside")
  assert label["user"] == [] and label["asked"] == []
  assert stage.end == said.end


def test_sounds_and_pictures_and_notes_take_time(stage):
  stage.rattle(seconds=0.5)
  (noise,) = stage.noises
  assert noise.length == 8000 and noise.pitch is None
  assert stage.end == noise.end == stage.start + 8000
  tone = stage.beep(at=50_000, seconds=0.25, pitch=440.0)
  assert stage.end == tone.end == 54_000
  stage.told("red cat", turn=20)
  assert stage.end == 21 * TURN
  stage.show(Thing("ball", "red", 60_000, 90_000))
  assert stage.end == 90_000
  assert stage.wait(7.0) == stage.start + 7 * 16_000
  assert stage.end == stage.start + 7 * 16_000


def test_durations_are_reserved(bank):
  rng = np.random.default_rng(0)
  kept = {}
  for split in ("train", "held_out"):
    voice = bank.user_voices(split)[0]
    stage = Stage(bank, rng, split=split, voice=voice, start=0)
    kept[split] = {number for number in range(60) if stage.allows(number)}
  assert not kept["train"] & kept["held_out"]
  assert kept["train"] | kept["held_out"] == set(range(60))
  assert len(kept["held_out"]) >= 3


def test_memory_is_the_stages_own(bank):
  rng, memory = np.random.default_rng(0), {"word": "cat"}
  voice = bank.user_voices("train")[0]
  stage = Stage(bank, rng, split="train", voice=voice, start=0, memory=memory)
  stage.memory["word"] = "dog"
  assert memory == {"word": "cat"}


def test_a_label_is_json(stage):
  said = stage.hear("greet")
  stage.answer(("hello",))
  stage.write("show", "{}", turn=stage.onset)
  stage.facts["jumps"] = [0.5]
  label = stage.label("greet")
  assert json.loads(json.dumps(label)) == label
  assert label["user"] == [[said.at / 16e3, said.end / 16e3]]
  assert label["start"] == stage.start / 16e3
  assert label["end"] == stage.end / 16e3
  assert label["answer"] == ["hello"] and label["asked"] == list(said.words)
  assert label["word_turns"] == [stage.onset] == [label["onset_turn"]]
  assert label["silent_turn"] == stage.silent_from
  assert label["notes"] == [[stage.onset, "show", "{}"]]
  assert label["jumps"] == [0.5]


def test_a_clip_nobody_has_is_asked_for_in_vain(stage):
  with pytest.raises(ValueError, match=r"phrase='repeat'.*no such clip"):
    stage.hear("repeat", where=lambda words: "umbrella" in words)


def test_another_user_steps_in(stage, bank):
  own = {c.words for c in bank.spoken_by(bank.user_voices("train")[2], "quiet")}
  words = stage.hear("quiet", where=lambda words: words not in own).words
  assert words not in own
  assert stage.utterances[0].clip.split == "train"
