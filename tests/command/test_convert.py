import json

import numpy as np
import pytest
import soundfile

from interaction_jax import __main__ as cli


@pytest.mark.parametrize(
  ("line", "message"),
  [
    (["convert", "inkling", "a"], "captioned} SRC DST, not inkling a"),
    (["convert", "inklin", "a", "b"], "mean inkling?"),
  ],
  ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_line_and_code_two(refused, line, message):
  assert message in refused(line)


def test_convert_leaves_what_exists_alone(tmp_path, capsys):
  (tmp_path / "kept.txt").write_text("kept")
  assert cli.main(["convert", "inkling", "nowhere", str(tmp_path)]) == 2
  assert "--force" in capsys.readouterr().err
  assert (tmp_path / "kept.txt").read_text() == "kept"


def test_recordings_are_converted_and_what_is_not_is_told(tmp_path, capsys):
  rng = np.random.default_rng(0)
  lines = []
  for name in ("a", "b"):
    sound = rng.normal(0, 0.1, (32_000, 2))
    soundfile.write(tmp_path / f"{name}.wav", sound, 16_000)
    lines.append(json.dumps({"path": f"{name}.wav", "duration": 2.0}))
  (tmp_path / "talks.jsonl").write_text("\n".join(lines))
  words = [["hello", [0.4, 0.8], "SPEAKER_MAIN"]]
  (tmp_path / "a.json").write_text(json.dumps({"alignments": words}))
  line = ["convert", "moshi", str(tmp_path / "talks.jsonl")]
  assert cli.main([*line, str(tmp_path / "made")]) == 0
  report = json.loads(capsys.readouterr().out)
  assert report["converted"] == 1
  (dropped,) = report["dropped"]
  assert (
    dropped["name"] == "b.wav"
    and "b.json does not exist" in (dropped["reason"])
  )
  assert cli.main(["inspect", str(tmp_path / "made"), "--json"]) == 0
  assert json.loads(capsys.readouterr().out)["intact"] is True
  (tmp_path / "a.json").unlink()
  assert cli.main([*line, str(tmp_path / "none")]) == 2
  err = capsys.readouterr().err
  assert err.count("\n") == 1 and "nothing in" in err and "a.json" in err
  assert not (tmp_path / "none").exists()
