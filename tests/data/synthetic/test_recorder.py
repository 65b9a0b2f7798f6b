import sys

import numpy as np
import pytest

from interaction_jax.data.synthetic import recorder, voices, world
from interaction_jax.data.synthetic.request import reserved
from interaction_jax.data.synthetic.scenarios import PHRASES


def test_every_user_has_every_phrase(bank):
  for split in voices.USERS:
    for voice in bank.user_voices(split):
      for phrase in PHRASES:
        assert bank.spoken_by(voice, phrase), (voice, phrase)


def test_what_is_said_depends_on_the_seed_alone():
  users = recorder._Users({s: v[:3] for s, v in voices.USERS.items()})

  def what(seed, number):
    clip, _ = recorder._make_user(users, seed, number)
    return clip.phrase, clip.words, clip.voice, clip.rate, clip.pitch

  assert what(5, 400) == what(5, 400)
  said = {what(seed, 400) for seed in range(5)}
  assert len(said) > 1


def test_reserved_combinations_are_said_by_held_out_voices_alone(bank):
  combining = {name for name, phrase in PHRASES.items() if phrase.combines}
  seen = set()
  for clip in bank.clips:
    if clip.phrase in combining:
      words = clip.words[PHRASES[clip.phrase].apart :]
      assert reserved(words) == (clip.split == "held_out")
      seen.add(clip.split)
  assert seen == {"train", "held_out"}


def test_a_pause_is_silent_and_not_in_the_word(bank):
  paused = [clip for clip in bank.clips if clip.pause is not None]
  assert len(paused) > 5
  lengths = []
  for clip in paused:
    assert clip.words[clip.pause - 1] in world.EXPECTANT
    samples = bank.samples(clip)
    first, last = clip.ends[clip.pause - 1], clip.onsets[clip.pause]
    word = samples[clip.onsets[clip.pause - 1] : first]
    lengths.append(last - first)
    between = samples[first:last]
    assert np.abs(between).max(initial=0) <= 0.011 * np.abs(word).max()
  # A comma is worth a tenth of a second; some voices echo into it.
  assert np.median(lengths) > 1600


def test_who_does_not_pause_is_never_still_for_200_ms(bank):
  for clip in bank.clips:
    if clip.pause is None:
      samples = np.abs(bank.samples(clip))
      loud = np.flatnonzero(samples > 0.01 * samples.max())
      # Nobody is to be answered in the middle of a sentence.
      assert np.diff(loud).max() < 3200, clip.words


def test_words_take_two_turns_as_a_rule(bank):
  lengths = [c.length for c in bank.clips if c.voice == voices.ASSISTANT]
  assert np.mean(np.array(lengths) <= 6400) > 0.7
  assert max(lengths) <= 9600


def test_a_longer_tract_is_slower_and_lower():
  def made(tract):
    return recorder._make_clip(
      "repeat", ("say", "yellow"), None, "en-us+m3", 160, 50, "train",
      tract=tract,
    )  # fmt: skip

  def centre(samples):
    power = np.abs(np.fft.rfft(samples)) ** 2
    return np.sum(np.arange(len(power)) * power) / len(samples) / power.sum()

  (plain, before), (longer, after) = made(1.0), made(1.12)
  assert longer.tract == 1.12
  assert len(after) / len(before) == pytest.approx(1.12, rel=0.02)
  assert longer.onsets[1] / plain.onsets[1] == pytest.approx(1.12, rel=0.03)
  assert centre(before) / centre(after) == pytest.approx(1.12, rel=0.08)


@pytest.mark.parametrize("number", [3, 900])
def test_one_split_may_have_no_voices(number):
  users = recorder._Users({"train": (), "held_out": voices.KLATT[:1]})
  assert {split for split, _, _ in users.each} == {"held_out"}
  clip, samples = recorder._make_user(users, 1, number)
  assert (clip.split, clip.voice) == ("held_out", voices.KLATT[0])
  assert len(samples) > 1600 and np.abs(samples).max() > 600


def test_a_full_folder_is_left_alone(tmp_path):
  (tmp_path / "file").touch()
  with pytest.raises(FileExistsError, match="is not empty"):
    recorder.make(tmp_path, seed=0)
  assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_without_a_synthesiser_nothing_is_begun(tmp_path, monkeypatch):
  monkeypatch.setitem(sys.modules, "espeakng_loader", None)
  with pytest.raises(ModuleNotFoundError, match=r"interaction-jax\[data\]"):
    recorder.make(tmp_path / "bank", seed=0)
  assert not (tmp_path / "bank").exists()


def test_too_few_clips_are_refused(tmp_path):
  least = sum(map(len, voices.USERS.values())) * len(PHRASES)
  with pytest.raises(
    ValueError, match=f"num_clips=100 must be {least} or more"
  ):
    recorder.make(tmp_path / "bank", seed=0, num_clips=100)
