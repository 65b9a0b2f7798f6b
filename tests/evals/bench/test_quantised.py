import dataclasses

import numpy as np
import pytest

from interaction_jax.evals.bench import quantised
from interaction_jax.evals.bench.quantised import Layer

LAYER = Layer(width=24, inner=40, experts=3, positions=5)


@pytest.fixture(scope="module")
def sounds():
  rng = np.random.default_rng(0)
  # One of six turns and a bit, and one of four.
  return [rng.normal(0, 0.1, size) for size in (20_000, 12_800)]


@pytest.fixture(scope="module")
def told():
  return []


@pytest.fixture(scope="module")
def report(model, sounds, told):
  return quantised.run(
    model,
    rounds=1,
    sounds=sounds,
    kinds=("int8",),
    layer=LAYER,
    progress=lambda done, total: told.append((done, total)),
  )


def test_choices_are_those_that_were_made(report, told):
  assert (report["conversations"], report["turns"]) == (2, 10)
  turn = report["rows"][0]
  # A gate a turn, and at least END, or the first of as many tokens as fit.
  assert turn["choices"] >= 20
  assert 0 <= turn["changed"] <= turn["choices"]
  assert turn["changed"] == turn["changed_tokens"] + turn["changed_gates"]
  assert report["as_recorded"] == 1.0
  assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_logits_move_a_little_and_bytes_are_fewer(report, model):
  turn = report["rows"][0]
  assert turn["what"] == "turn, int8" and turn["peer"] == "as stored"
  # One layer of two has experts, a byte is off by less than a hundredth.
  assert 0 < turn["logits_rms"] < 0.05
  sizes, width = model.cfg.backbone.experts, model.cfg.backbone.width
  numbers = 3 * sizes.num_routed * width * sizes.width
  scales = sizes.num_routed * (2 * sizes.width + width)
  assert report["bytes"] == model.nbytes
  assert report["bytes"] - turn["bytes"] == 3 * numbers - 4 * scales
  assert turn["ours_ms"] > 0 and turn["ratio"] > 0


def test_a_layer_beside_bfloat16(report):
  wide, narrow = report["rows"][1:]
  assert [wide["what"], narrow["what"]] == ["layer, bfloat16", "layer, int8"]
  numbers = 3 * LAYER.experts * LAYER.width * LAYER.inner
  scales = LAYER.experts * (2 * LAYER.inner + LAYER.width)
  assert wide["bytes"] == 2 * numbers
  assert narrow["bytes"] == numbers + 4 * scales
  # Eight bits behind the point of one, seven of the largest of the other.
  assert 1e-4 < wide["error"] < narrow["error"] < 0.03
  assert wide["ratio"] is None and narrow["ratio"] > 0


def test_it_is_told(report):
  shown = quantised.summary(report).splitlines()
  assert shown[0].startswith("small: 10 turns of 2 conversations")
  turn = report["rows"][0]
  assert f"{turn['changed']} of {turn['choices']} choices changed" in shown[1]
  assert len(shown) == 4 and "of bfloat16" in shown[3]


def test_another_model_makes_other_choices(model, sounds):
  """What the comparison would not notice: models that are not asked."""
  talk = quantised._listen(model, sounds[1])
  asked = quantised._ask(model.params, talk, model.cfg)
  assert quantised._compared([asked], [asked])["logits_rms"] == 0
  other = dataclasses.replace(asked, logits=-asked.logits, gate=-asked.gate)
  found = quantised._compared([asked], [other])
  assert found["changed"] == found["choices"]
  assert found["logits_rms"] == pytest.approx(2)


def test_the_example_is_heard_where_there_is_no_bank():
  (sound,) = quantised.heard(None)
  assert sound.shape == (547_200,) and np.abs(sound).max() > 0.01


def test_nothing_to_hear_is_refused(model):
  with pytest.raises(ValueError, match="none of which lasts for a turn"):
    quantised.run(model, rounds=1, sounds=[np.zeros(100, np.float32)])
