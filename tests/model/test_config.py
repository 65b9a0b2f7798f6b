import dataclasses

import pytest

from interaction_jax.core import settings
from interaction_jax.model import config

ATTENTION = {"query_heads": 6, "key_heads": 3, "head_width": 8, "reach": 5}
EXPERTS = {"num_routed": 5, "num_chosen": 3, "num_shared": 2, "width": 7}
TEXT = {"table_size": 11, "vocab_size": 9}


@pytest.fixture(scope="module")
def tiny():
  return settings.load("tiny").model


@pytest.mark.parametrize(
  ("kind", "good", "bad", "message"),
  [
    (config.AudioConfig, {}, {"hop": 0}, r"audio\.hop=0 must be 1 or more"),
    (
      config.AudioConfig,
      {},
      {"window": 799},
      r"audio\.window=799 is shorter than audio\.hop=800.*1600",
    ),
    (config.AudioConfig, {}, {"num_levels": 1}, r"audio\.num_levels=1"),
    (config.AudioConfig, {}, {"low": 2.0}, r"low=2\.0 to high=2\.0"),
    (config.VideoConfig, {}, {"patch": 0}, r"video\.patch=0"),
    (
      config.AttentionConfig,
      ATTENTION,
      {"key_heads": 4},
      r"query_heads=6 is not a multiple of attention\.key_heads=4",
    ),
    (config.AttentionConfig, ATTENTION, {"reach": 0}, r"attention\.reach=0"),
    (config.ExpertConfig, EXPERTS, {"num_chosen": 6}, "num_chosen=6 exceeds"),
    (config.ExpertConfig, EXPERTS, {"width": -1}, r"expert\w*\.width=-1"),
    (config.TextConfig, TEXT, {"vocab_size": 12}, "vocab_size=12 exceeds"),
    (
      config.TextConfig,
      {**TEXT, "first_control": 1},
      {"first_control": 2},
      r"first_control=2 leaves no room for 8 .*; text\.vocab_size=10 would",
    ),
    (
      config.TextConfig,
      {**TEXT, "first_control": 0},
      {"first_control": -1},
      "first_control=-1 leaves no room",
    ),
  ],
  ids=lambda value: (
    "-".join(value) or None if isinstance(value, dict) else None
  ),
)
def test_a_wrong_number_is_refused_by_name(kind, good, bad, message):
  kind(**good)
  with pytest.raises(ValueError, match=message):
    kind(**{**good, **bad})


@pytest.mark.parametrize(
  ("change", "message"),
  [
    ({"global_layers": (7,)}, r"backbone\.global_layers=\(7,\).* 0 to 6"),
    ({"dense_layers": (-1,)}, r"backbone\.dense_layers=\(-1,\)"),
    ({"log_floor": 0}, r"backbone\.log_floor=0"),
    ({"width": 0}, r"backbone\.width=0"),
    ({"bias_features": 0}, r"backbone\.bias_features=0"),
  ],
  ids=["global", "dense", "floor", "width", "features"],
)
def test_a_wrong_backbone_is_refused_by_name(tiny, change, message):
  with pytest.raises(ValueError, match=message):
    dataclasses.replace(tiny.backbone, **change)


def test_a_layer_has_the_attention_of_its_kind(tiny):
  backbone = tiny.backbone
  kinds = [backbone.kind(layer) for layer in range(backbone.num_layers)]
  assert kinds == ["window"] * 5 + ["global", "window"]
  assert backbone.attention(5) is backbone.global_attention
  assert backbone.attention(6) is backbone.window_attention


def test_settings_of_a_model_are_hashable(tiny):
  # They are static arguments of compiled functions.
  assert hash(tiny) == hash(settings.load("tiny").model)
