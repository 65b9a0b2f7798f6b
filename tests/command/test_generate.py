import contextlib
import io
import json
import os
import shutil

import pytest

from interaction_jax import __main__ as cli
from interaction_jax.data.synthetic import recorder


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
  path = tmp_path_factory.mktemp("bank") / "bank"
  recorder.make(
    path, seed=1, num_clips=300, num_shards=1, num_workers=1, num_voices=3
  )
  return path


@pytest.fixture(scope="module")
def generated(bank, tmp_path_factory):
  """What the command generated, and what it printed."""
  out = tmp_path_factory.mktemp("generated") / "talks"
  shown = io.StringIO()
  line = ["generate", f"--out={out}", f"--bank={bank}", "--episodes=3"]
  with contextlib.redirect_stdout(shown):
    assert cli.main([*line, "--seconds=8", "--seed=4", "--workers=1"]) == 0
  return out, json.loads(shown.getvalue())


def test_what_is_generated_can_be_inspected(generated, capsys):
  out, told = generated
  assert (told["kind"], told["records"], told["seconds"]) == ("records", 3, 24)
  assert cli.main(["inspect", str(out), "--json"]) == 0
  report = json.loads(capsys.readouterr().out)
  assert report["intact"] is True and report["problems"] == []
  assert report["made"] == told["made"] and report["made"]["seed"] == 4
  assert report["streams"]["heard_s"] == 24
  assert cli.main(["inspect", str(out)]) == 0
  shown = capsys.readouterr().out
  assert "intact" in shown and " yes" in shown and "text_out/say" in shown


def flip_a_byte(path):
  file = max((f for f in path.rglob("*") if f.is_file()), key=os.path.getsize)
  content = bytearray(file.read_bytes())
  content[len(content) // 2] ^= 1
  file.write_bytes(content)


def test_a_damaged_folder_of_records_is_told(generated, tmp_path, capsys):
  copy = shutil.copytree(generated[0], tmp_path / "copy")
  flip_a_byte(copy)
  assert cli.main(["inspect", str(copy), "--json"]) == 0
  report = json.loads(capsys.readouterr().out)
  assert report["intact"] is False
  assert "00000.arrayrecord has changed" in report["problems"][0]
  (copy / "index.json").write_text("{")
  assert cli.main(["inspect", str(copy)]) == 2
  assert "is not a folder of records" in capsys.readouterr().err


@pytest.mark.parametrize(
  ("flags", "message"),
  [
    ([], "needs --out DIR, the folder to write, or --clips N"),
    (["--out=talks", "--split=test"], "there is train, held_out"),
    (["--out=talks", "--episodes=0"], "episodes=0 must be 1 or more"),
    (["--out=talks", "--seconds=1"], "seconds=1.0 must be 4 or more"),
    (["--clips=5000"], "exists already, so clips=5000 would change nothing"),
    (["--clips=20", "--bank=new"], "num_clips=20 must be"),
  ],
  ids=["nothing", "split", "episodes", "seconds", "bank", "clips"],
)
def test_generate_refuses_in_one_line(
  bank, flags, message, tmp_path, monkeypatch, capsys
):
  monkeypatch.chdir(tmp_path)
  assert cli.main(["generate", f"--bank={bank}", *flags]) == 2
  shown, err = capsys.readouterr()
  assert shown == "" and err.count("\n") == 1 and message in err
  assert list(tmp_path.iterdir()) == []
