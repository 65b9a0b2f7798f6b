import numpy as np
import pytest

from interaction_jax.convert import inkling


def replaced(name, change):
  """A change of one tensor."""
  return lambda tensors: tensors.update({name: change(tensors[name])})


EXPERTS = "model.layers.1.mlp.experts.gate_up_proj"
TAPS = "model.layers.1.attn_sconv.conv1d.weight"
KEYS = "model.layers.1.self_attn.k_proj.weight"


@pytest.mark.parametrize(
  ("change", "message"),
  [
    (
      lambda t: t.pop("model.layers.1.self_attn.k_sconv.conv1d.weight"),
      r"lacks 1 tensors.*: model\.layers\.1\.self_attn\.k_sconv\.conv1d\.w",
    ),
    (
      lambda t: (t.pop("model.norm.weight"), t.pop(EXPERTS)),
      r"lacks 2 tensors.*: model\.layers\.1\.\S*gate_up_proj, model\.norm",
    ),
    (
      lambda t: t.update({"model.layers.9.q.weight": np.zeros(3, "f4")}),
      r"holds 1 tensors.*account.*model\.layers\.9\.q\.weight",
    ),
    (
      lambda t: t.update({"lm_head.weight": np.zeros((48, 23), "f4")}),
      r"lm_head\.weight gives heads/text/table the shape \(48, 23\).*48, 24",
    ),
    (
      # Halves of 21 rows would be 10 and 10.
      replaced(EXPERTS, lambda w: np.concatenate([w, w[:, :1]], axis=1)),
      r"gate_up_proj has the shape \(11, 21, 24\), 264 numbers more",
    ),
    (
      replaced(TAPS, lambda w: np.repeat(w, 2, axis=1)),
      r"attn_sconv\S* has the shape \(24, 2, 4\), 96 numbers more",
    ),
    (
      replaced(TAPS, lambda w: w[:, 0, 0]),
      r"attn_sconv\S* of shape \(24,\) cannot give \S*attention_taps",
    ),
    (
      replaced(KEYS, lambda w: w[:-1]),
      r"k_proj\.weight of shape \(13, 24\) cannot give \S*attention/key",
    ),
    (
      replaced(KEYS, lambda w: w.astype(np.int8)),
      r"k_proj\.weight holds int8",
    ),
  ],
  ids=[
    "missing",
    "several-missing",
    "unknown",
    "misshapen",
    "odd-row",
    "second-channel",
    "too-few-axes",
    "cut-head",
    "whole-numbers",
  ],
)
def test_a_wrong_tensor_is_named(oracle, change, message, text_only, tmp_path):
  directory = oracle.copied(text_only, tmp_path / "copy", change)
  with pytest.raises(ValueError, match=message):
    inkling.load(directory)
