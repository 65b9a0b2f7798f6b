import dataclasses
import io
import json
import zipfile

import numpy as np
import pytest
import soundfile

from interaction_jax.data import entry
from interaction_jax.data import record as recording
from interaction_jax.data.entry import Entry


def _same(a, b):
  for field in dataclasses.fields(a):
    x, y = getattr(a, field.name), getattr(b, field.name)
    if isinstance(x, np.ndarray):
      assert x.dtype == y.dtype
      np.testing.assert_array_equal(x, y)
    else:
      assert x == y, field.name


def test_everything_comes_back(conversation):
  _same(Entry(entry.encode(conversation)).record(), conversation)


def test_the_same_record_gives_the_same_bytes(conversation):
  assert entry.encode(conversation) == entry.encode(conversation)


def test_sound_is_rounded_to_16_bits(conversation):
  loud = conversation.heard * 0 + np.float32(0.3)
  loud[:4] = -1.0, 1.0, 1.7, -1.7
  back = Entry(
    entry.encode(dataclasses.replace(conversation, heard=loud))
  ).record()
  full = 32767 / 32768
  np.testing.assert_array_equal(
    back.heard[:4], np.float32([-1.0, full, full, -1.0])
  )
  assert np.abs(back.heard[4:] - 0.3).max() <= 0.5 / 32768 + 1e-8


@pytest.mark.parametrize("first", [0, 2, 5])
@pytest.mark.parametrize("num_turns", [2, None], ids=str)
def test_a_part_on_disk_is_a_part_in_memory(conversation, first, num_turns):
  stored = Entry(entry.encode(conversation))
  wanted = recording.cut(conversation, first, num_turns or 7)
  _same(stored.record(first, num_turns), wanted)


def test_an_outline_has_all_but_sound_and_pictures(conversation):
  stored = Entry(entry.encode(conversation))
  outline = stored.outline()
  assert stored.num_turns == 7
  assert outline.heard.shape == (20000,) and not outline.heard.any()
  assert outline.heard.strides == (0,)
  assert outline.text_out == conversation.text_out
  assert outline.speech == conversation.speech
  assert len(outline.frames) == 0


def test_others_can_read_it(conversation):
  with zipfile.ZipFile(io.BytesIO(entry.encode(conversation))) as archive:
    names = archive.namelist()
    assert names == ["record.json", "heard.flac", "voice.flac", "frames.z"]
    fields = json.loads(archive.read("record.json"))
    heard, rate = soundfile.read(io.BytesIO(archive.read("heard.flac")))
  assert rate == 16000 and len(heard) == fields["num_samples"] == 20000
  assert fields["text_in"][0] == {
    "at": 0,
    "speaker": "instruction",
    "text": "be brief",
  }


def test_what_is_no_record_is_not_written(conversation):
  wrong = dataclasses.replace(conversation, speech=((7, 7),))
  with pytest.raises(ValueError, match="speech: 7 to 7"):
    entry.encode(wrong)


def _with(content, name, replacement):
  made = io.BytesIO()
  with (
    zipfile.ZipFile(io.BytesIO(content)) as source,
    zipfile.ZipFile(made, "w") as target,
  ):
    for one in source.namelist():
      target.writestr(one, replacement if one == name else source.read(one))
  return made.getvalue()


def _flac(samples, rate):
  content = io.BytesIO()
  soundfile.write(content, samples, rate, format="FLAC")
  return content.getvalue()


@pytest.mark.parametrize(
  ("name", "content", "message"),
  [
    ("record.json", b"{", "cannot be read"),
    ("record.json", b"{}", "num_samples"),
    ("heard.flac", b"RIFF", "heard.flac is damaged"),
    ("heard.flac", _flac(np.zeros(20000), 8000), "at 8000 Hz"),
    ("voice.flac", _flac(np.zeros(300), 16000), "voice.flac has 300 samples"),
    ("frames.z", b"no pictures", "cannot be read"),
  ],
)
def test_a_wrong_member_is_named(conversation, name, content, message):
  changed = _with(entry.encode(conversation), name, content)
  with pytest.raises(ValueError, match=message):
    Entry(changed).record()


def test_a_flipped_byte_is_noticed(conversation):
  content = bytearray(entry.encode(conversation))
  content[len(content) // 2] ^= 1
  with pytest.raises(ValueError, match="cannot be read"):
    Entry(bytes(content)).record()


def test_what_is_no_archive_is_refused():
  with pytest.raises(ValueError, match="not a zip file"):
    Entry(b"something else")
