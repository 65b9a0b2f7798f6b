"""The numbers of an Inkling checkpoint, read from its `config.json`."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from interaction_jax.core import settings
from interaction_jax.model import config

Part = TypeVar("Part")


@dataclasses.dataclass(frozen=True)
class _Text:
  """The text model. What a file leaves out has the published default."""

  vocab_size: int = 201_024
  unpadded_vocab_size: int | None = None
  hidden_size: int = 6144
  num_hidden_layers: int = 66
  num_attention_heads: int = 64
  num_key_value_heads: int = 8
  head_dim: int = 128
  swa_num_attention_heads: int = 64
  swa_num_key_value_heads: int = 16
  swa_head_dim: int = 128
  sliding_window_size: int = 512
  d_rel: int = 16
  rel_extent: int = 1024
  log_scaling_n_floor: int | None = None
  log_scaling_alpha: float = 0.1
  local_layer_ids: tuple[int, ...] | None = None
  layer_types: tuple[Literal["hybrid", "hybrid_sliding"], ...] | None = None
  mlp_layer_types: tuple[Literal["dense", "sparse"], ...] | None = None
  dense_mlp_idx: int = 0
  rms_norm_eps: float = 1e-6
  conv_kernel_size: int = 4
  intermediate_size: int = 24_576
  dense_intermediate_size: int | None = None
  moe_intermediate_size: int = 3072
  hidden_act: str = "silu"
  n_routed_experts: int = 256
  num_experts_per_tok: int = 6
  n_shared_experts: int = 2
  shared_expert_sink: bool = True
  route_scale: float = 8.0
  logits_mup_width_multiplier: float = 24.0


@dataclasses.dataclass(frozen=True)
class _Audio:
  """The audio tower; other modes than dMel are not published."""

  n_mel_bins: int = 80
  mel_vocab_size: int = 256
  audio_mode: Literal["dmel"] = "dmel"


@dataclasses.dataclass(frozen=True)
class _Vision:
  """The vision tower."""

  patch_size: int = 40
  temporal_patch_size: int = 2
  num_channels: int = 3
  num_hidden_layers: int = 24


@dataclasses.dataclass(frozen=True)
class _Places:
  """The tokens that keep a place for audio and images."""

  audio_token_id: int = 200_053
  image_token_id: int = 200_054


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
  except ValueError as error:
    # Not even text, perhaps.
    raise ValueError(f"{path} is not JSON: {error}.") from error
  if not isinstance(raw, dict):
    raise ValueError(f"{path} is not a JSON object.")
  kind = raw.get("model_type")
  if kind not in ("inkling_mm_model", "inkling_text"):
    raise ValueError(
      f"{path}: model_type={kind!r} is not Inkling; inkling_mm_model and "
      "inkling_text are."
    )
  if raw.get("quantization_config"):
    raise ValueError(
      f"{path}: quantization_config is set; only weights that are not "
      "quantised can be read."
    )
  multimodal = kind == "inkling_mm_model"
  try:
    return _inkling(raw, multimodal)
  except ValueError as error:
    raise ValueError(f"{path}: {error}") from error


def _inkling(raw: Mapping[str, Any], multimodal: bool) -> Inkling:
  places = _fields(_Places, raw, "")
  if not multimodal:
    # A text model gets towers of our own, whose size is sensible.
    return Inkling(_model(_fields(_Text, raw, "")), False, *_ids(places))
  parts = {
    "text": _fields(_Text, raw.get("text_config"), "text_config."),
    "audio": _fields(_Audio, raw.get("audio_config"), "audio_config."),
    "vision": _fields(_Vision, raw.get("vision_config"), "vision_config."),
  }
  return Inkling(_model(**parts), True, *_ids(places))


def _fields(kind: type[Part], raw: Any, where: str) -> Part:
  """The fields of `kind` in a part of the file; others are of no use here.

  Raises:
    ValueError: one of them has a value of the wrong type.
  """
  known = {field.name for field in dataclasses.fields(kind)}  # pyright: ignore[reportArgumentType]
  if raw is None:
    raw = {}
  if not isinstance(raw, Mapping):
    raise ValueError(f"{where.rstrip('.')}={raw!r} is not a JSON object.")
  named = {_ALIASES.get(key, key): value for key, value in raw.items()}
  try:
    return settings.from_dict(
      kind, {key: named[key] for key in named if key in known}
    )
  except ValueError as error:
    raise ValueError(f"{where}{error}") from error


def _ids(places: _Places) -> tuple[int, int]:
  return places.audio_token_id, places.image_token_id


def _model(
  text: _Text, audio: _Audio | None = None, vision: _Vision | None = None
) -> config.InteractionConfig:
  towers: dict[str, Any] = {}
  if audio is not None:
    towers["audio"] = config.AudioConfig(
      num_mels=audio.n_mel_bins, num_levels=audio.mel_vocab_size
    )
  if vision is not None:
    towers["video"] = config.VideoConfig(
      patch=vision.patch_size,
      frames=vision.temporal_patch_size,
      channels=vision.num_channels,
      num_layers=vision.num_hidden_layers,
    )
  size = text.vocab_size
  return config.InteractionConfig(
    backbone=_backbone(text),
    text=config.TextConfig(
      table_size=size,
      vocab_size=min(text.unpadded_vocab_size or size, size),
      logit_divisor=text.logits_mup_width_multiplier,
    ),
    **towers,
  )


def _backbone(text: _Text) -> config.BackboneConfig:
  for field, wanted in (("hidden_act", "silu"), ("shared_expert_sink", True)):
    if getattr(text, field) != wanted:
      raise ValueError(
        f"{field}={getattr(text, field)!r} is not supported; only "
        f"{wanted!r} is."
      )
  dense_width, expert_width = (
    text.intermediate_size,
    text.moe_intermediate_size,
  )
  if text.dense_intermediate_size is not None:
    # Such files name the experts' width intermediate_size.
    dense_width, expert_width = text.dense_intermediate_size, dense_width
  return config.BackboneConfig(
    width=text.hidden_size,
    num_layers=text.num_hidden_layers,
    global_layers=_global_layers(text),
    dense_layers=_dense_layers(text),
    dense_width=dense_width,
    window_attention=config.AttentionConfig(
      text.swa_num_attention_heads,
      text.swa_num_key_value_heads,
      text.swa_head_dim,
      text.sliding_window_size,
    ),
    global_attention=config.AttentionConfig(
      text.num_attention_heads,
      text.num_key_value_heads,
      text.head_dim,
      text.rel_extent,
    ),
    experts=config.ExpertConfig(
      num_routed=text.n_routed_experts,
      num_chosen=text.num_experts_per_tok,
      num_shared=text.n_shared_experts,
      width=expert_width,
      route_scale=text.route_scale,
    ),
    bias_features=text.d_rel,
    conv_taps=text.conv_kernel_size,
    log_floor=text.log_scaling_n_floor,
    log_slope=text.log_scaling_alpha,
    norm_eps=text.rms_norm_eps,
  )


def _global_layers(text: _Text) -> tuple[int, ...]:
  layers = range(text.num_hidden_layers)
  if text.layer_types is not None:
    _check_length("layer_types", text.layer_types, text.num_hidden_layers)
    return tuple(i for i in layers if text.layer_types[i] == "hybrid")
  if text.local_layer_ids is not None:
    return tuple(i for i in layers if i not in text.local_layer_ids)
  return tuple(i for i in layers if (i + 1) % 6 == 0)


def _dense_layers(text: _Text) -> tuple[int, ...]:
  layers = range(text.num_hidden_layers)
  if text.mlp_layer_types is not None:
    _check_length(
      "mlp_layer_types", text.mlp_layer_types, text.num_hidden_layers
    )
    return tuple(i for i in layers if text.mlp_layer_types[i] == "dense")
  return tuple(i for i in layers if i < text.dense_mlp_idx)


def _check_length(field: str, kinds: tuple[str, ...], layers: int) -> None:
  if len(kinds) != layers:
    raise ValueError(
      f"{field} names {len(kinds)} layers, num_hidden_layers={layers}; "
      "they must be as many."
    )
