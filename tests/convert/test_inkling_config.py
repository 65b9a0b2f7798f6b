import json

import pytest

from interaction_jax.convert import inkling_config
from interaction_jax.model import config

TEXT = {
  "vocab_size": 50,
  "unpadded_vocab_size": 41,
  "hidden_size": 24,
  "num_hidden_layers": 8,
  "num_attention_heads": 8,
  "num_key_value_heads": 2,
  "head_dim": 7,
  "swa_num_attention_heads": 6,
  "swa_num_key_value_heads": 3,
  "swa_head_dim": 5,
  "sliding_window_size": 9,
  "rel_extent": 17,
  "d_rel": 4,
  "n_routed_experts": 11,
  "num_experts_per_tok": 2,
  "n_shared_experts": 3,
  "moe_intermediate_size": 10,
  "intermediate_size": 20,
  "log_scaling_n_floor": 6,
}


def write(directory, raw):
  (directory / "config.json").write_text(json.dumps(raw))
  return directory


@pytest.fixture
def read(tmp_path):
  """Reads a config whose text model has some fields changed."""

  def read(**changes):
    text = {**TEXT, **changes}
    text = {name: value for name, value in text.items() if value != "absent"}
    raw = {"model_type": "inkling_mm_model", "text_config": text}
    return inkling_config.read(write(tmp_path, raw))

  return read


def test_every_number_arrives(read):
  cfg = read(logits_mup_width_multiplier=3.0, route_scale=2.5).model
  backbone = cfg.backbone
  assert (backbone.width, backbone.num_layers) == (24, 8)
  window, far = backbone.window_attention, backbone.global_attention
  assert (window.query_heads, window.key_heads) == (6, 3)
  assert (window.head_width, window.reach) == (5, 9)
  assert (far.query_heads, far.key_heads) == (8, 2)
  assert (far.head_width, far.reach) == (7, 17)
  experts = backbone.experts
  assert (experts.num_routed, experts.num_chosen) == (11, 2)
  assert (experts.num_shared, experts.width) == (3, 10)
  assert (experts.route_scale, backbone.dense_width) == (2.5, 20)
  assert (backbone.bias_features, backbone.log_floor) == (4, 6)
  assert (cfg.text.table_size, cfg.text.vocab_size) == (50, 41)
  assert cfg.text.logit_divisor == 3.0


def test_what_is_left_out_has_the_published_value(tmp_path):
  source = inkling_config.read(write(tmp_path, {"model_type": "inkling_text"}))
  cfg = source.model
  assert (cfg.backbone.width, cfg.backbone.num_layers) == (6144, 66)
  assert cfg.backbone.global_layers == tuple(range(5, 66, 6))
  assert cfg.backbone.dense_layers == ()
  assert cfg.text.vocab_size == cfg.text.table_size == 201024
  assert (source.audio_token, source.image_token) == (200053, 200054)
  assert not source.multimodal
  # Without towers in the files, those of a new model are our own.
  assert (cfg.audio, cfg.video) == (config.AudioConfig(), config.VideoConfig())


@pytest.mark.parametrize(
  ("changes", "layers"),
  [
    ({}, (5,)),
    ({"local_layer_ids": [0, 1, 3, 4, 6]}, (2, 5, 7)),
    (
      {"layer_types": ["hybrid"] + ["hybrid_sliding"] * 6 + ["hybrid"]},
      (0, 7),
    ),
  ],
  ids=["every-sixth", "by-windows", "by-name"],
)
def test_layers_that_see_everything(read, changes, layers):
  assert read(**changes).model.backbone.global_layers == layers


@pytest.mark.parametrize(
  ("changes", "layers"),
  [
    ({}, ()),
    ({"dense_mlp_idx": 2}, (0, 1)),
    ({"mlp_layer_types": ["dense", "sparse"] * 4}, (0, 2, 4, 6)),
  ],
  ids=["none", "the-first", "by-name"],
)
def test_layers_without_experts(read, changes, layers):
  assert read(**changes).model.backbone.dense_layers == layers


def test_files_that_name_the_dense_width_apart(read):
  cfg = read(
    intermediate_size=10, dense_intermediate_size=20, moe_intermediate_size=99
  )
  backbone = cfg.model.backbone
  assert (backbone.experts.width, backbone.dense_width) == (10, 20)


def test_other_names_of_the_same_numbers(read):
  backbone = read(
    sliding_window_size="absent",
    sliding_window=13,
    sconv_kernel_size=3,
    n_routed_experts="absent",
    num_local_experts=12,
  ).model.backbone
  assert backbone.window_attention.reach == 13
  assert backbone.conv_taps == 3
  assert backbone.experts.num_routed == 12


def test_the_towers_have_their_own_numbers(tmp_path):
  raw = {
    "model_type": "inkling_mm_model",
    "text_config": TEXT,
    "audio_config": {"codebook_size": 16, "num_codebooks": 40},
    "vision_config": {"patch_size": 6, "n_layers": 3},
    "audio_token_id": 46,
    "image_token_id": 45,
  }
  source = inkling_config.read(write(tmp_path, raw))
  audio, video = source.model.audio, source.model.video
  assert (audio.num_levels, audio.num_mels) == (16, 40)
  assert (video.patch, video.num_layers, video.frames) == (6, 3, 2)
  assert (source.audio_token, source.image_token) == (46, 45)
  assert source.multimodal


@pytest.mark.parametrize(
  ("changes", "message"),
  [
    ({"hidden_act": "gelu"}, r"hidden_act='gelu' .* only 'silu'"),
    ({"shared_expert_sink": False}, "shared_expert_sink=False"),
    ({"num_key_value_heads": 3}, "query_heads=8 is not a multiple"),
    ({"n_shared_experts": 0}, "num_shared=0 must be 1 or more"),
    ({"d_rel": 0}, "bias_features=0 must be 1 or more"),
    (
      {"layer_types": ["hybrid"] * 7 + ["full_attention"]},
      r"text_config\.layer_types\[7\]='full_attention'",
    ),
    ({"layer_types": ["hybrid"] * 7}, "layer_types names 7 .*_layers=8"),
    ({"num_hidden_layers": -3}, "num_layers=-3 must be 1 or more"),
    ({"mlp_layer_types": ["dense"] * 9}, "mlp_layer_types names 9 layers"),
    (
      {"mlp_layer_types": ["moe"] * 8},
      r"text_config\.mlp_layer_types\[0\]='moe'",
    ),
  ],
  ids=[
    "activation",
    "sink",
    "heads",
    "no-shared",
    "no-features",
    "kind",
    "kinds",
    "layers",
    "feeds",
    "feed",
  ],
)
def test_what_this_architecture_does_not_have_is_refused(
  read, changes, message
):
  with pytest.raises(ValueError, match=message):
    read(**changes)


@pytest.mark.parametrize(
  ("changes", "message"),
  [
    ({"text_config": {"hidden_size": "24"}}, "text_config.hidden_size='24'"),
    ({"text_config": {"head_dim": None}}, "text_config.head_dim=None has type"),
    ({"text_config": {"route_scale": [1]}}, "text_config.route_scale=.1. has"),
    ({"text_config": {"local_layer_ids": 3}}, "text_config.local_layer_ids=3"),
    ({"text_config": [1]}, "text_config=.1. is not a JSON object"),
    (
      {"audio_config": {"audio_mode": "flow"}},
      "audio_config.audio_mode='flow'",
    ),
    ({"vision_config": {"n_layers": 2.5}}, "vision_config.num_hidden_layers=2"),
    ({"audio_token_id": "x"}, "audio_token_id='x' has type str; int"),
    ({"quantization_config": {"bits": 4}}, "quantization_config is set"),
  ],
  ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_a_value_of_the_wrong_type_is_named(tmp_path, changes, message):
  raw = {"model_type": "inkling_mm_model", **changes}
  with pytest.raises(ValueError, match=message) as caught:
    inkling_config.read(write(tmp_path, raw))
  assert "config.json" in str(caught.value)
  assert "\n" not in str(caught.value)


def test_fields_of_no_use_here_are_passed_over(read):
  plain, more = read(), read(attention_dropout=0.1, num_mtp_layers=2)
  assert plain == more


def test_an_unpadded_size_beyond_the_table_is_the_table(read):
  text = read(unpadded_vocab_size=60).model.text
  assert (text.table_size, text.vocab_size) == (50, 50)


@pytest.mark.parametrize(
  ("text", "message"),
  [
    ('{"model_type": "llama"}', "model_type='llama' is not Inkling"),
    ("{}", "model_type=None"),
    ("{", "is not JSON"),
    ("[]", "is not a JSON object"),
  ],
  ids=["other", "none", "cut", "list"],
)
def test_the_config_of_something_else_is_refused(tmp_path, text, message):
  (tmp_path / "config.json").write_text(text)
  with pytest.raises(ValueError, match=message):
    inkling_config.read(tmp_path)


def test_what_is_not_text_is_refused(tmp_path):
  (tmp_path / "config.json").write_bytes(bytes(range(256)))
  with pytest.raises(ValueError, match=r"config\.json is not JSON"):
    inkling_config.read(tmp_path)


def test_a_missing_config_is_named(tmp_path):
  with pytest.raises(FileNotFoundError, match=r"holds no config\.json"):
    inkling_config.read(tmp_path)
