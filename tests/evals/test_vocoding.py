import jax
import numpy as np
import pytest

from interaction_jax.core import checkpoint, params
from interaction_jax.data.synthetic import world
from interaction_jax.evals import intelligibility, vocoding
from interaction_jax.evals.harness import narrator
from interaction_jax.evals.harness.narrator import Line
from interaction_jax.evals.intelligibility import Spoken
from interaction_jax.model.config import VocoderConfig
from interaction_jax.train import vocoder
from interaction_jax.train.vocoder import VocoderTraining

CFG = VocoderConfig(width=10, num_layers=1, taps=3, num_pitches=9)


@pytest.fixture(scope="module")
def weights():
  return params.to_dict(vocoder.build(CFG)(jax.random.key(0)))


def test_sentences_are_words_at_random():
  lines = vocoding.sentences(40, seed=3)
  assert (
    lines == vocoding.sentences(40, seed=3) != vocoding.sentences(40, seed=4)
  )
  assert {len(line) for line in lines} == {3, 4, 5, 6}
  said = {word for line in lines for word in line}
  assert said <= set(world.WORDS) and len(said) > 80
  assert not said & {"to", "two", "for", "four"}


def test_every_tenth_recording_is_held_out():
  clips = [np.full(3, n, np.float32) for n in range(23)]
  known, held_out = vocoding.apart(clips)
  assert [int(one[0]) for one in held_out] == [9, 19]
  assert len(known) == 21
  known, held_out = vocoding.apart(clips[:3])
  assert [int(one[0]) for one in known] == [0, 1]
  assert [int(one[0]) for one in held_out] == [2]
  with pytest.raises(ValueError, match="1 recording is too few"):
    vocoding.apart(clips[:1])


@pytest.fixture(scope="module")
def spoken():
  """Sentences that are said as a whole, each word melting into the next."""
  lines = vocoding.sentences(8, seed=1)
  said = narrator.speak([Line(" ".join(line)) for line in lines])
  return [
    Spoken(one.sound, line) for one, line in zip(said, lines, strict=True)
  ]


def test_the_judge_understands_the_recordings(spoken):
  found = intelligibility.report(vocoding.judge(), {"recorded": spoken})
  row = found["recorded"]
  # Of 300 words, each known by one recording of it alone.
  assert row["wer"] < 0.35 < 0.8 < row["chance"]


def test_a_vocoder_is_measured_beside_griffin_lim(weights, spoken):
  training = VocoderTraining(batch=1, frames=50)
  found = vocoding.report(
    weights, [one.sound for one in spoken], cfg=CFG, training=training,
    num_sentences=3,
  )  # fmt: skip
  assert found["distances"].keys() == {"vocoder", "griffin_lim"}
  far, near = (found["distances"][n] for n in ("vocoder", "griffin_lim"))
  # What has learned nothing is further away than what needs to learn nothing.
  assert 0 < near["mel"] < far["mel"]
  assert found["words"]["recorded"]["n"] == found["words"]["vocoder"]["n"] > 8
  shown = vocoding.summary(found).splitlines()
  assert [line.split()[0] for line in shown] == [
    "mel", "vocoder", "griffin_lim", "WER", "recorded", "griffin_lim",
    "vocoder",
  ]  # fmt: skip


def test_a_model_with_another_vocoder_gets_none(weights, tmp_path):
  other = {"vocoder": {"width": 12}}
  checkpoint.save(
    tmp_path / "model", {"heads": {"vocoder": weights}}, config=other
  )
  with pytest.raises(ValueError, match="train a vocoder of the model's config"):
    vocoding.give(tmp_path / "model", weights, tmp_path / "out", cfg=CFG)
  assert not (tmp_path / "out").exists()
