import json

from interaction_jax import __main__ as cli


def test_replay_asks_for_a_session(tmp_path, capsys):
  assert cli.main(["replay", str(tmp_path)]) == 2
  assert "holds no session" in capsys.readouterr().err


def test_talk_and_replay(recordings, talker, tmp_path, monkeypatch, capsys):
  monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
  out = tmp_path / "out"
  line = ["talk", str(recordings / "wide.wav"), "--text", "0:hello"]
  line += [f"--out={out}", f"--checkpoint={talker}", "--mesh=cpu"]
  assert cli.main(line[:-1]) == 0
  shown, err = capsys.readouterr()
  assert "0.1 s in 1 turns" in shown and err == ""
  assert {path.name for path in out.iterdir()} == {
    "input.wav", "output.wav", "stereo.wav", "events.jsonl", "session.json",
    "timeline.png",
  }  # fmt: skip
  assert cli.main(line) == 2
  assert "holds a session already; --force" in capsys.readouterr().err
  assert cli.main(["replay", str(out)]) == 0
  assert "identical: every bit of 1 turns" in capsys.readouterr().out
  told = json.loads((out / "session.json").read_text())
  told["turns"]["gate"][0] += 1.0
  (out / "session.json").write_text(json.dumps(told))
  assert cli.main(["replay", str(out)]) == 1
  assert "from turn 0 on" in capsys.readouterr().out
