"""The numbers of an Inkling checkpoint, read from its `config.json`."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from interaction_jax.model import config

_TEXT: Mapping[str, Any] = {
  "vocab_size": 201024,
  "unpadded_vocab_size": None,
  "hidden_size": 6144,
  "num_hidden_layers": 66,
  "num_attention_heads": 64,
  "num_key_value_heads": 8,
  "head_dim": 128,
  "swa_num_attention_heads": 64,
  "swa_num_key_value_heads": 16,
  "swa_head_dim": 128,
  "sliding_window_size": 512,
  "d_rel": 16,
  "rel_extent": 1024,
  "log_scaling_n_floor": None,
  "log_scaling_alpha": 0.1,
  "local_layer_ids": None,
  "layer_types": None,
  "mlp_layer_types": None,
  "dense_mlp_idx": 0,
  "rms_norm_eps": 1e-6,
  "conv_kernel_size": 4,
  "intermediate_size": 24576,
  "dense_intermediate_size": None,
  "moe_intermediate_size": 3072,
  "hidden_act": "silu",
  "n_routed_experts": 256,
  "num_experts_per_tok": 6,
  "n_shared_experts": 2,
  "shared_expert_sink": True,
  "route_scale": 8.0,
  "logits_mup_width_multiplier": 24.0,
}
"""What a field means that a file leaves out: the published defaults."""

_ALIASES: Mapping[str, str] = {
  "sliding_window": "sliding_window_size",
  "sconv_kernel_size": "conv_kernel_size",
  "num_local_experts": "n_routed_experts",
  "embedding_multiplier": "logits_mup_width_multiplier",
  "num_codebooks": "n_mel_bins",
  "codebook_size": "mel_vocab_size",
  "n_layers": "num_hidden_layers",
}


@dataclasses.dataclass(frozen=True)
class Inkling:
  """The numbers of a checkpoint.

  Attributes:
    model: in our words.
    multimodal: whether it has an audio and a vision tower.
    audio_token, image_token: placeholders in a sequence of tokens.
  """

  model: config.InteractionConfig
  multimodal: bool
  audio_token: int
  image_token: int


def read(directory: str | Path) -> Inkling:
  """Reads the numbers of the checkpoint in `directory`.

  Raises:
    FileNotFoundError: there is no `config.json`.
    ValueError: it is not of an Inkling model, or asks for what this
      architecture does not have.
  """
  path = Path(directory) / "config.json"
  if not path.exists():
    raise FileNotFoundError(f"{directory} holds no config.json.")
  try:
    raw = json.loads(path.read_text())
  except json.JSONDecodeError as error:
    raise ValueError(f"{path} is not JSON: {error}.") from error
  if not isinstance(raw, dict):
    raise ValueError(f"{path} is not a JSON object.")
  kind = raw.get("model_type")
  if kind not in ("inkling_mm_model", "inkling_text"):
    raise ValueError(
      f"{path}: model_type={kind!r} is not Inkling; inkling_mm_model and "
      "inkling_text are."
    )
  multimodal = kind == "inkling_mm_model"
  text = _merged(raw.get("text_config") or {} if multimodal else raw, _TEXT)
  return Inkling(
    model=config.InteractionConfig(
      backbone=_backbone(text),
      text=config.TextConfig(
        table_size=text["vocab_size"],
        vocab_size=text["unpadded_vocab_size"] or text["vocab_size"],
        logit_divisor=text["logits_mup_width_multiplier"],
      ),
      **(_towers(raw) if multimodal else {}),
    ),
    multimodal=multimodal,
    audio_token=raw.get("audio_token_id", 200053),
    image_token=raw.get("image_token_id", 200054),
  )


def _merged(
  given: Mapping[str, Any], defaults: Mapping[str, Any]
) -> dict[str, Any]:
  named = {_ALIASES.get(key, key): value for key, value in given.items()}
  return {**defaults, **named}


def _backbone(text: Mapping[str, Any]) -> config.BackboneConfig:
  for field, wanted in (("hidden_act", "silu"), ("shared_expert_sink", True)):
    if text[field] != wanted:
      raise ValueError(
        f"text_config.{field}={text[field]!r} is not supported; only "
        f"{wanted!r} is."
      )
  dense_width, expert_width = (
    text["intermediate_size"],
    text["moe_intermediate_size"],
  )
  if text["dense_intermediate_size"] is not None:
    # Such files name the experts' width intermediate_size.
    dense_width, expert_width = text["dense_intermediate_size"], dense_width
  return config.BackboneConfig(
    width=text["hidden_size"],
    num_layers=text["num_hidden_layers"],
    global_layers=_global_layers(text),
    dense_layers=_dense_layers(text),
    dense_width=dense_width,
    window_attention=config.AttentionConfig(
      text["swa_num_attention_heads"],
      text["swa_num_key_value_heads"],
      text["swa_head_dim"],
      text["sliding_window_size"],
    ),
    global_attention=config.AttentionConfig(
      text["num_attention_heads"],
      text["num_key_value_heads"],
      text["head_dim"],
      text["rel_extent"],
    ),
    experts=config.ExpertConfig(
      num_routed=text["n_routed_experts"],
      num_chosen=text["num_experts_per_tok"],
      num_shared=text["n_shared_experts"],
      width=expert_width,
      route_scale=text["route_scale"],
    ),
    bias_features=text["d_rel"],
    conv_taps=text["conv_kernel_size"],
    log_floor=text["log_scaling_n_floor"],
    log_slope=text["log_scaling_alpha"],
    norm_eps=text["rms_norm_eps"],
  )


def _global_layers(text: Mapping[str, Any]) -> tuple[int, ...]:
  layers = range(text["num_hidden_layers"])
  if text["layer_types"] is not None:
    return tuple(i for i in layers if text["layer_types"][i] == "hybrid")
  if text["local_layer_ids"] is not None:
    return tuple(i for i in layers if i not in text["local_layer_ids"])
  return tuple(i for i in layers if (i + 1) % 6 == 0)


def _dense_layers(text: Mapping[str, Any]) -> tuple[int, ...]:
  layers = range(text["num_hidden_layers"])
  if text["mlp_layer_types"] is not None:
    return tuple(i for i in layers if text["mlp_layer_types"][i] == "dense")
  return tuple(i for i in layers if i < text["dense_mlp_idx"])


def _towers(raw: Mapping[str, Any]) -> dict[str, Any]:
  """Audio and video; a text model gets our own, whose size is sensible."""
  return {
    "audio": _audio(raw.get("audio_config") or {}),
    "video": _video(raw.get("vision_config") or {}),
  }


def _audio(raw: Mapping[str, Any]) -> config.AudioConfig:
  fields = _merged(raw, {"n_mel_bins": 80, "mel_vocab_size": 256})
  return config.AudioConfig(
    num_mels=fields["n_mel_bins"], num_levels=fields["mel_vocab_size"]
  )


def _video(raw: Mapping[str, Any]) -> config.VideoConfig:
  defaults = {
    "patch_size": 40,
    "temporal_patch_size": 2,
    "num_channels": 3,
    "num_hidden_layers": 24,
  }
  fields = _merged(raw, defaults)
  return config.VideoConfig(
    patch=fields["patch_size"],
    frames=fields["temporal_patch_size"],
    channels=fields["num_channels"],
    num_layers=fields["num_hidden_layers"],
  )
