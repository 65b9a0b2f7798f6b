import json

import numpy as np
import pytest
import soundfile

from interaction_jax import __main__ as cli
from interaction_jax.core import checkpoint

CONFIG = """
from interaction_jax.core import settings

def experiment():
  return settings.load({small!r})
"""


@pytest.fixture
def voice_line(root, tmp_path):
  """The command that trains a small vocoder on three recordings."""
  (tmp_path / "mine.py").write_text(
    CONFIG.format(small=str(root / "tests" / "small.py"))
  )
  sounds = tmp_path / "sounds"
  sounds.mkdir()
  for seed in range(3):
    phase = np.cumsum(np.full(20_000, 100 + 40 * seed)) / 16_000
    hum = sum(np.cos(2 * np.pi * k * phase) / k for k in range(1, 8))
    soundfile.write(sounds / f"{seed}.wav", 0.1 * hum, 16_000)
  return [
    *("vocoder", f"--config={tmp_path / 'mine.py'}", f"--sounds={sounds}"),
    *("--set=num_steps=6", "--set=save_every=3", "--set=warmup=1"),
    *("--set=batch=2", "--set=frames=20", "--sentences=2"),
  ]


def test_a_voice_is_trained_judged_and_given_to_a_model(
  voice_line, talker, tmp_path, capsys
):
  run, out = tmp_path / "run", tmp_path / "out"
  line = [*voice_line, f"--workdir={run}", "--set=judges=0.1"]
  line += [f"--into={talker}", f"--out={out}"]
  assert cli.main(line) == 0
  shown = capsys.readouterr().out
  assert "griffin_lim" in shown and "WER" in shown
  report = json.loads((run / "report.json").read_text())
  assert report["distances"].keys() == {"vocoder", "griffin_lim"}
  assert report["words"].keys() == {"recorded", "griffin_lim", "vocoder"}
  lines = (run / "metrics.jsonl").read_text().splitlines()
  assert len(lines) == 6 and "held_out/mel" in json.loads(lines[-1])
  trained = checkpoint.load(run / "checkpoint").params["params"]
  before, after = checkpoint.load(talker), checkpoint.load(out)
  for name, leaf in trained.items():
    if not isinstance(leaf, dict):
      np.testing.assert_array_equal(
        after.params["heads"]["vocoder"][name], leaf
      )
  np.testing.assert_array_equal(
    after.params["embed"]["text"]["table"],
    before.params["embed"]["text"]["table"],
  )
  assert after.config == before.config
  assert after.tokenizer == before.tokenizer
  assert cli.main(line) == 2
  assert "exists already; --force replaces it" in capsys.readouterr().err


@pytest.mark.parametrize(
  ("flags", "message"),
  [
    ([], "vocoder needs --workdir DIR"),
    (["--workdir=run", "--into=nano"], "--into CHECKPOINT and --out DIR"),
    (["--workdir=run", "--set=judge=1"], "did you mean judges"),
    (["--workdir=run", "--set=batch=0"], "vocoder_training.batch=0 must be"),
    (["--workdir=run", "--sounds=nothing"], "holds no .wav, .flac or .ogg"),
  ],
  ids=["workdir", "into", "setting", "number", "sounds"],
)
def test_vocoder_refuses_in_one_line(
  flags, message, tmp_path, monkeypatch, capsys
):
  monkeypatch.chdir(tmp_path)
  assert cli.main(["vocoder", *flags]) == 2
  shown, err = capsys.readouterr()
  assert shown == "" and err.count("\n") == 1 and message in err
  assert list(tmp_path.iterdir()) == []
