import dataclasses
import shutil

import numpy as np
import pytest

from interaction_jax.data.synthetic import bank as banks
from interaction_jax.data.synthetic import voices, world


def test_clips_are_loud_and_whole(bank):
  for clip in bank.clips:
    samples = bank.samples(clip)
    assert samples.shape == (clip.length,) and samples.dtype == np.float32
    assert 0.02 < np.abs(samples).max() <= 1


def test_times_of_words_are_in_order(bank):
  for clip in bank.clips:
    assert len(clip.onsets) == len(clip.ends) == len(clip.words)
    times = np.ravel(np.stack([clip.onsets, clip.ends], 1))
    assert (np.diff(times) >= 0).all()
    assert times[0] >= 0 and times[-1] == clip.length


def test_splits_share_no_voice(bank):
  for split, users in voices.USERS.items():
    assert set(bank.user_voices(split)) == set(users[:3])
    for clip in bank.spoken_in(split, "repeat"):
      assert clip.split == split and clip.voice in users


def test_clips_are_found_again(bank):
  voice = bank.user_voices("train")[0]
  clips = bank.spoken_by(voice, "sums")
  assert clips
  assert {(c.voice, c.phrase) for c in clips} == {(voice, "sums")}
  assert bank.spoken_by(voice, "nothing") == ()


def test_the_assistant_has_each_word_once(bank):
  for word in world.WORDS:
    clip = bank.word(word)
    assert clip.words == (word,) and clip.voice == voices.ASSISTANT
  own = [clip for clip in bank.clips if clip.voice == voices.ASSISTANT]
  assert len(own) == len(world.WORDS)
  with pytest.raises(ValueError, match="word='umbrella'"):
    bank.word("umbrella")


def test_loading_again_gives_the_same(bank):
  again = banks.load(bank.path)
  assert again.clips == bank.clips
  clip = bank.clips[17]
  np.testing.assert_array_equal(again.samples(clip), bank.samples(clip))


def test_a_clip_survives_json(bank):
  entry = {
    key: list(value) if isinstance(value, tuple) else value
    for key, value in dataclasses.asdict(bank.clips[5]).items()
  }
  assert banks._clip(entry) == bank.clips[5]


@pytest.fixture
def copy(bank, tmp_path):
  return shutil.copytree(bank.path, tmp_path / "copy")


def test_a_changed_bit_is_noticed(copy):
  file = copy / "words.pcm"
  content = bytearray(file.read_bytes())
  content[100] ^= 1
  file.write_bytes(content)
  with pytest.raises(ValueError, match=r"words\.pcm is not what"):
    banks.load(copy)
  assert banks.load(copy, verify=False).clips


def test_a_missing_shard_is_noticed(copy):
  (copy / "000.pcm").unlink()
  with pytest.raises(ValueError, match=r"000\.pcm is missing"):
    banks.load(copy)


def test_another_version_is_refused(copy):
  index = copy / banks.INDEX
  format_ = f'"format": {banks.FORMAT}'
  index.write_text(index.read_text().replace(format_, '"format": 9'))
  with pytest.raises(ValueError, match="format=9"):
    banks.load(copy, verify=False)


def test_a_folder_without_a_bank_is_refused(tmp_path):
  with pytest.raises(FileNotFoundError, match=r"no index\.json"):
    banks.load(tmp_path)
