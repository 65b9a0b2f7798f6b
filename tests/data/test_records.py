import dataclasses
import hashlib
import json
import re
import resource

import numpy as np
import pytest

from interaction_jax.core import manifest
from interaction_jax.data import entry, records
from interaction_jax.data import record as recording


@pytest.fixture
def several(conversation):
  """Three records of different lengths; the second has no instructions."""
  short = recording.cut(conversation, 0, 2)
  return [
    conversation,
    dataclasses.replace(conversation, text_in=()),
    dataclasses.replace(short, source="short"),
  ]


@pytest.fixture
def folder(several, tmp_path):
  made = {"from": "a test"}
  return records.write(tmp_path / "there", several, made=made, each=2)


def test_records_come_back_in_order(folder, several):
  assert len(folder) == 3
  assert [folder[i].record().source for i in range(3)] == [
    one.source for one in several
  ]
  assert folder.lengths == [20000, 20000, 6400]
  assert folder.pinned == {0, 2}


def test_the_index_says_what_is_there(folder):
  index = json.loads((folder.path / "index.json").read_bytes())
  assert index["kind"] == "records" and index["format"] == 1
  assert index["made"] == {"from": "a test"}
  assert index["records"] == 3
  assert index["seconds"] == pytest.approx(46400 / 16000)
  assert list(index["files"]) == ["00000.arrayrecord", "00001.arrayrecord"]
  for name, about in index["files"].items():
    content = (folder.path / name).read_bytes()
    assert about["bytes"] == len(content)
    assert about["sha256"] == hashlib.sha256(content).hexdigest()


def test_the_same_records_make_the_same_files(folder, several, tmp_path):
  again = records.write(
    tmp_path / "again", several, made={"from": "a test"}, each=2
  )
  for file in sorted(folder.path.iterdir()):
    assert file.read_bytes() == (again.path / file.name).read_bytes()


@pytest.fixture(scope="module")
def page(root):
  return (root / "docs" / "format.md").read_text()


def keys(value):
  """Every name in what JSON holds, but for names of files."""
  if isinstance(value, dict):
    for name, inner in value.items():
      yield from () if name.endswith(records.SUFFIX) else (name,)
      yield from keys(inner)
  elif isinstance(value, list):
    for inner in value:
      yield from keys(inner)


def test_the_page_on_the_format_names_every_field(folder, page):
  index = json.loads((folder.path / "index.json").read_bytes())
  fields = {**folder[0].fields, "labels": []}
  # What a background job tells is its own.
  fields["background"] = [{"at": 0, "kind": "done"}]
  fields = json.loads(json.dumps(fields))
  found = {*keys({**index, "made": {}}), *keys(fields)}
  assert {"seal", "pinned", "num_samples", "rows", "speaker"} <= found
  assert [name for name in sorted(found) if f"`{name}`" not in page] == []


def test_the_page_names_every_label(root, page):
  synthetic = root / "interaction_jax" / "data" / "synthetic"
  facts = {
    name
    for path in (synthetic / "scenarios").glob("*.py")
    for name in re.findall(r'facts\["(\w+)"\]', path.read_text())
  }
  stage = (synthetic / "stage.py").read_text()
  label = stage[stage.index("def label(") : stage.index("**self.facts")]
  usual = set(re.findall(r'^      "(\w+)": ', label, re.MULTILINE))
  assert len(facts) > 10 and {"scenario", "silent_turn"} < usual
  named = {name for name in facts | usual if f"`{name}`" in page}
  assert named == facts | usual


def test_the_reader_on_the_page_reads_it(folder, several, page):
  """By itself: it knows nothing of this library."""
  (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
  assert "interaction_jax" not in code
  names: dict = {}
  exec(compile(code, "format.md", "exec"), names)
  found = list(names["conversations"](folder.path))
  assert [one["source"] for one in found] == [one.source for one in several]
  for one, record in zip(found, several, strict=True):
    np.testing.assert_array_equal(one["heard"], record.heard)
    np.testing.assert_array_equal(one["voice"], record.voice)
    np.testing.assert_array_equal(one["pictures"], record.frames)
    assert one["frames"]["times"] == record.frame_times.tolist()
    assert [text["text"] for text in one["text_out"]] == [
      text.text for text in record.text_out
    ]


def test_inspect_adds_up_the_streams(folder):
  report = records.inspect(folder.path)
  assert report["intact"] and report["problems"] == []
  assert report["records"] == 3 and report["files"] == 2
  streams = report["streams"]
  assert streams["heard_s"] == pytest.approx(2.9)
  assert streams["frames"] == 3 + 3 + 1
  assert streams["text_in/instruction"] == 2
  assert streams["text_out/say"] == 2 + 2 + 1
  assert streams["background"] == 2
  json.dumps(report)


@pytest.mark.parametrize("digests", [True, False])
def test_a_changed_byte_is_found(folder, digests):
  file = folder.path / "00001.arrayrecord"
  content = bytearray(file.read_bytes())
  content[-70] ^= 1
  file.write_bytes(content if digests else content[:-1])
  with pytest.raises(ValueError, match="is damaged: 00001"):
    records.load(folder.path, verify=digests)
  report = records.inspect(folder.path)
  assert not report["intact"] and "00001" in report["problems"][0]


def test_a_changed_index_is_found(folder):
  file = folder.path / "index.json"
  file.write_bytes(file.read_bytes().replace(b"a test", b"a toast"))
  with pytest.raises(ValueError, match=r"index\.json has changed"):
    records.load(folder.path)


def test_another_version_is_refused(folder):
  file = folder.path / "index.json"
  index = json.loads(file.read_bytes())
  file.write_bytes(manifest.sealed({**index, "format": 7}))
  with pytest.raises(ValueError, match="format=7"):
    records.load(folder.path)


def test_a_wrong_record_in_an_intact_folder_is_named(
  several, conversation, tmp_path
):
  # Written by somebody else, who did not check.
  content = entry.encode(conversation)
  with records.draft(tmp_path / "x") as draft:
    written = [records.write_file(draft, 0, [content, content])]
    written[0]["lengths"] = [20000, 19999]
    records.write_index(draft, written, made={})
  report = records.inspect(tmp_path / "x")
  assert not report["intact"]
  assert report["problems"] == [
    "record 1 has 20000 samples; index.json says 19999."
  ]


def test_nothing_half_stays_behind(several, tmp_path):
  def some():
    yield several[0]
    raise ValueError("the source broke off")

  with pytest.raises(ValueError, match="broke off"):
    records.write(tmp_path / "there", some(), made={})
  assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_in_a_line_and_leaves_nothing(folder, several):
  limits = resource.getrlimit(resource.RLIMIT_FSIZE)
  # No file may grow beyond a few pages.
  resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
  try:
    with pytest.raises(
      OSError, match=r"00000\.arrayrecord could not be"
    ) as told:
      records.write(folder.path, several, made={}, force=True)
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
  assert "too large" in str(told.value) and "\n" not in str(told.value)
  assert [path.name for path in folder.path.parent.iterdir()] == ["there"]
  assert records.inspect(folder.path)["intact"]


def test_a_killed_writer_is_cleared_away(several, tmp_path):
  stale = tmp_path / ".there.writing"
  stale.mkdir()
  (stale / "00000.arrayrecord").write_bytes(b"half")
  records.write(tmp_path / "there", several, made={})
  assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_only_records_are_replaced(folder, several, tmp_path):
  with pytest.raises(FileExistsError, match="--force replaces it"):
    records.write(folder.path, several[:1], made={})
  assert len(records.load(folder.path)) == 3
  records.write(folder.path, several[:1], made={}, force=True)
  assert len(records.load(folder.path)) == 1
  (tmp_path / "mine").mkdir()
  with pytest.raises(FileExistsError, match="choose another name"):
    records.write(tmp_path / "mine", several, made={}, force=True)


def test_no_records_are_no_folder(tmp_path):
  with pytest.raises(ValueError, match="no records"):
    records.write(tmp_path / "there", [], made={})
  with pytest.raises(FileNotFoundError, match=r"no index\.json"):
    records.load(tmp_path / "there")
  assert not records.is_folder(tmp_path / "there")


def test_another_index_is_not_ours(tmp_path):
  (tmp_path / "index.json").write_text('{"format": 1}')
  assert not records.is_folder(tmp_path)
  with pytest.raises(ValueError, match="not a folder of records"):
    records.load(tmp_path)
