import dataclasses

import numpy as np
import pytest

from interaction_jax.data.synthetic import sound
from interaction_jax.data.synthetic.sound import Room
from interaction_jax.data.synthetic.stage import Stage

TURN = 3200
STILL = Room(level=0.1, noise=0.0, colour=0.0, echo=None)


def _stage(bank, phrase=None):
  voice = bank.user_voices("held_out")[1]
  rng = np.random.default_rng(5)
  stage = Stage(bank, rng, split="held_out", voice=voice, start=TURN)
  if phrase:
    stage.hear(phrase)
  return stage


def _rms(x):
  return float(np.sqrt(np.mean(np.square(x))))


def _heard(bank, stages, room, num_turns=15, said=None):
  rng = np.random.default_rng(8)
  if said is None:
    said = np.zeros(num_turns * TURN, np.float32)
  return sound.heard(bank, stages, room, rng, said=said)


def test_speech_lies_where_its_label_says(bank):
  stage = _stage(bank, "greet")
  x = _heard(bank, [stage], STILL)
  assert x.shape == (15 * TURN,) and x.dtype == np.float32
  (utterance,) = stage.utterances
  loud = np.flatnonzero(x)
  assert loud[0] >= utterance.at and loud[-1] < utterance.end
  # The level is drawn from 3 dB below to 3 dB above that of the room.
  assert 0.07 < _rms(x[utterance.at : utterance.end]) < 0.142


def test_a_pause_is_silent(bank):
  for voice in bank.user_voices("train"):
    for clip in bank.spoken_by(voice, "repeat"):
      if clip.pause is not None:
        stage = Stage(
          bank, np.random.default_rng(0), split="train", voice=voice, start=0
        )
        said = stage._add(clip, 0)
        stretch = slice(clip.ends[0], clip.ends[0] + said.stretch)
        x = _heard(bank, [stage], STILL, num_turns=40)
        assert said.stretch > 0 and (x[stretch] == 0).all()
        assert x[: stretch.start].any() and x[stretch.stop :].any()
        return
  pytest.fail("nobody pauses")


@pytest.mark.parametrize("colour", [0.0, 0.9])
def test_noise_has_its_level_and_colour(bank, colour):
  room = Room(level=0.1, noise=0.02, colour=colour, echo=None)
  x = _heard(bank, [], room)
  # 48,000 samples, fewer independent ones the darker the noise is.
  assert _rms(x) == pytest.approx(0.02, rel=0.05)
  neighbours = np.mean(x[1:] * x[:-1]) / np.mean(np.square(x))
  assert neighbours == pytest.approx(colour, abs=0.03)


def test_an_echo_lasts_longer_than_the_word(bank):
  stage = _stage(bank, "stop")
  (utterance,) = stage.utterances
  rng = np.random.default_rng(1)
  wet = dataclasses.replace(STILL, echo=sound._echo(rng))
  after = slice(utterance.end, utterance.end + 1600)
  assert _rms(_heard(bank, [stage], STILL)[after]) == 0
  tail = _rms(_heard(bank, [stage], wet)[after])
  assert 0 < tail < 0.05


def test_others_are_quieter(bank):
  stage = _stage(bank)
  other = stage.overhear("quiet", level_db=-15.0)
  x = _heard(bank, [stage], STILL)
  level_db = 20 * np.log10(_rms(x[other.at : other.end]) / STILL.level)
  assert -18 <= level_db <= -12


def test_a_rattle_is_heard(bank):
  stage = _stage(bank)
  stage.rattle(seconds=0.4)
  loud = np.flatnonzero(_heard(bank, [stage], STILL))
  assert loud[0] >= TURN and loud[-1] < TURN + 6400


def test_a_tone_has_its_pitch_and_length(bank):
  stage = _stage(bank)
  stage.beep(at=2 * TURN, seconds=1.0, pitch=600.0)
  x = _heard(bank, [stage], STILL)
  loud = np.flatnonzero(x)
  assert 2 * TURN <= loud[0] < 2 * TURN + 40
  assert 7 * TURN - 40 < loud[-1] < 7 * TURN
  spectrum = np.abs(np.fft.rfft(x[2 * TURN : 7 * TURN]))
  assert np.argmax(spectrum) == 600


def test_a_loudspeaker_plays_the_assistant_a_little_later(bank):
  said = np.zeros(15 * TURN, np.float32)
  said[4 * TURN : 5 * TURN] = np.sin(np.arange(TURN) / 5)
  room = dataclasses.replace(STILL, leak=0.01, leak_delay=700)
  x = _heard(bank, [], room, said=said)
  loud = np.flatnonzero(x)
  assert loud[0] >= 4 * TURN + 700 and loud[-1] < 5 * TURN + 700
  assert _rms(x[4 * TURN + 700 : 5 * TURN + 700]) == pytest.approx(0.01, 1e-3)
  assert not _heard(bank, [], room).any()


def test_levels_drift(bank):
  room = Room(level=0.1, noise=0.02, colour=0.0, echo=None, drift_db=8.0)
  x = _heard(bank, [], room, num_turns=60)
  steady = _heard(
    bank, [], dataclasses.replace(room, drift_db=0.0), num_turns=60
  )
  gain_db = 20 * np.log10(x[[0, 30 * TURN, -1]] / steady[[0, 30 * TURN, -1]])
  # Single precision.
  np.testing.assert_allclose(gain_db, [0, 4, 8], atol=1e-3)


def test_nothing_is_louder_than_possible(bank):
  room = Room(level=5.0, noise=1.0, colour=0.5, echo=None)
  x = _heard(bank, [_stage(bank, "quiet")], room)
  assert x.min() == -1 and x.max() == 1


def test_what_sticks_out_of_the_end_is_cut(bank):
  x = _heard(bank, [_stage(bank, "greet")], STILL, num_turns=2)
  assert x.shape == (2 * TURN,) and _rms(x) > 0


def test_rooms_span_their_range():
  rooms = [sound.draw(np.random.default_rng(seed)) for seed in range(300)]
  level = 20 * np.log10([room.level for room in rooms])
  distance = level - 20 * np.log10([room.noise for room in rooms])
  assert -35 <= level.min() < -33 and -17 < level.max() <= -15
  assert 5 <= distance.min() < 7 and 33 < distance.max() <= 35
  assert 110 < sum(room.echo is None for room in rooms) < 190
  leaks = [i for i, room in enumerate(rooms) if room.leak]
  assert 70 < len(leaks) < 130
  behind = [level[i] - 20 * np.log10(rooms[i].leak) for i in leaks]
  assert 6 <= min(behind) < 9 and 27 < max(behind) <= 30
  assert 70 < sum(room.drift_db != 0 for room in rooms) < 130
