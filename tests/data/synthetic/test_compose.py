import itertools

import numpy as np
import pytest

from interaction_jax.data.synthetic import compose
from interaction_jax.data.synthetic.bank import Bank
from interaction_jax.data.synthetic.request import reserved
from interaction_jax.data.synthetic.scenarios import PHRASES, SCENARIOS
from interaction_jax.data.synthetic.voices import Split

TURN = 3200


def _talk(bank, seed, num_turns=120, split: Split = "train", **kwargs):
  rng = np.random.default_rng(seed)
  return compose.conversation(
    bank, rng, num_turns=num_turns, split=split, **kwargs
  )


@pytest.fixture(scope="module")
def talks(bank):
  """Many conversations, every second with a held-out user."""
  splits = ("train", "held_out")
  return [_talk(bank, seed, split=splits[seed % 2]) for seed in range(200)]


def _labels(talks):
  return [label for talk in talks for label in talk.labels]


def test_exchanges_do_not_overlap(talks):
  for talk in talks:
    times = [t for label in talk.labels for t in (label["start"], label["end"])]
    assert times == sorted(times)
    gaps = np.diff(times)[1::2]
    assert (gaps > 0.299).all() and (gaps < 2.001).all()


def test_what_belongs_to_an_exchange_lies_in_it(talks):
  for talk in talks:
    for stage in talk.stages:
      times = [u.at for u in (*stage.utterances, *stage.noises)]
      times += [turn * TURN for turn, _ in stage.typed]
      times += [word.turn * TURN for word in stage.spoken]
      times += [thing.first for thing in stage.things]
      assert min(times) >= stage.start


def test_all_is_over_before_the_end(talks):
  for talk in talks:
    assert talk.stages
    assert talk.stages[-1].end <= 119 * TURN


def test_every_scenario_comes_up(talks):
  assert {label["scenario"] for label in _labels(talks)} == set(SCENARIOS)


def test_no_two_words_are_said_at_once(talks):
  for talk in talks:
    words = [word for stage in talk.stages for word in stage.spoken]
    assert words
    for word, after in itertools.pairwise(words):
      assert word.turn < word.last <= after.turn


def test_users_do_not_speak_over_themselves(talks):
  for talk in talks:
    said = [one for stage in talk.stages for one in stage.utterances]
    for one, after in itertools.pairwise(said):
      assert one.end <= after.at


def test_the_first_answer_waits_200_to_400_ms(talks):
  plain = {"repeat", "sums", "greet", "refuse", "timer", "chart", "recall"}
  seen = set()
  for label in _labels(talks):
    if label["scenario"] in plain:
      wait = 0.2 * label["onset_turn"] - label["user"][0][1]
      # Rounding of a sixteen-thousandth of a second.
      assert 0.2 - 1e-9 <= wait < 0.4
      seen.add(label["scenario"])
  assert seen == plain


def test_a_held_out_user_is_held_out(bank, talks):
  for seed, talk in enumerate(talks):
    split = ("train", "held_out")[seed % 2]
    assert talk.voice in bank.user_voices(split)
    for stage in talk.stages:
      assert {one.clip.split for one in stage.utterances} <= {split}


def test_what_is_reserved_stays_out_of_training(talks):
  """Combinations of words, whoever says or types them, and durations."""
  combining = {name for name, phrase in PHRASES.items() if phrase.combines}
  seen = {"train": 0, "held_out": 0}
  for seed, talk in enumerate(talks):
    split = ("train", "held_out")[seed % 2]
    for stage in talk.stages:
      for said in stage.utterances:
        if said.clip.phrase in combining:
          apart = PHRASES[said.clip.phrase].apart
          assert reserved(said.words[apart:]) == (split == "held_out")
          seen[split] += 1
      for _, text in stage.typed:
        words = tuple(text.split())
        if words[0] == "say" or words[:2] == ("what", "is"):
          assert reserved(words) == (split == "held_out")
          seen[split] += 1
    for label in talk.labels:
      if label.get("seconds"):
        kept = reserved((str(label["seconds"]),))
        assert kept == (split == "held_out")
        seen[split] += 1
  assert min(seen.values()) > 100


def test_without_a_camera_there_is_nothing_to_be_seen(talks):
  cameras = 0
  for talk in talks:
    shown = any(SCENARIOS[label["scenario"]].video for label in talk.labels)
    assert talk.floor is not None or not shown
    cameras += talk.floor is not None
  assert 0.3 < cameras / len(talks) < 0.5


def test_seeds_decide(bank):
  assert _talk(bank, 3).labels == _talk(bank, 3).labels
  assert _talk(bank, 3).labels != _talk(bank, 4).labels


def test_shares_decide_what_comes_up(bank):
  none = dict.fromkeys(SCENARIOS, 0.0)
  talk = _talk(bank, 1, shares={**none, "sums": 1.0})
  assert {label["scenario"] for label in talk.labels} == {"sums"}
  with pytest.raises(ValueError, match=r"shares name \['sum'\]"):
    _talk(bank, 1, shares={"sum": 1.0})


def test_scenarios_that_need_others_wait_for_them(bank):
  none = dict.fromkeys(SCENARIOS, 0.0)
  assert _talk(bank, 1, shares={**none, "recall": 1.0}).labels == ()
  talk = _talk(bank, 1, shares={**none, "recall": 1.0, "remember": 1.0})
  names = [label["scenario"] for label in talk.labels]
  assert names[0] == "remember" and "recall" in names


def test_who_was_told_to_be_quiet_is_quiet(bank):
  told = set()
  for seed in range(40):
    talk = _talk(bank, seed, instructed=1.0)
    assert talk.instruction
    told.add(talk.instruction.split()[0])
    if talk.instruction == "be quiet":
      first = talk.labels[0]
      assert first["scenario"] == "hush" and first["answer"] == ["okay"]
      assert talk.stages[0].utterances[-1].words == ("talk", "again")
      silent = (first["onset_turn"] - 2) * TURN
      assert talk.stages[0].utterances[-2].end < silent
  assert told == {"be", "translate", "my", "remember"}
  assert all(_talk(bank, seed).instruction is None for seed in range(5))


def test_who_was_told_to_translate_translates(bank):
  none = dict.fromkeys(SCENARIOS, 0.0)
  for seed in range(30):
    talk = _talk(bank, seed, instructed=1.0, shares={**none, "count": 1.0})
    if talk.instruction == "translate what you say":
      assert talk.labels[0]["answer"][:2] == ["uno", "dos"]
      return
    assert talk.instruction != "be quiet"
  pytest.fail("nobody was told so")


def test_too_short_for_anything_is_silence(bank):
  assert _talk(bank, 0, num_turns=2).labels == ()


def test_a_bank_without_users_is_refused(bank):
  empty = Bank(bank.path, ())
  with pytest.raises(ValueError, match="split='train'"):
    _talk(empty, 0)
