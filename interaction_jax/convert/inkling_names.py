"""Where each of our parameters comes from in an Inkling checkpoint.

Two namings are in use: that of the published files, which `transformers`
writes for the multimodal model, and that of its modules, which it writes for
the text model. Every parameter of ours has a source in both.
"""

import collections
import dataclasses
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from interaction_jax.model import config

Path = tuple[str, ...]
Layout = Callable[[np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Source:
  """One way to obtain a parameter: a tensor, and how to lay it out."""

  name: str
  layout: Layout


@dataclasses.dataclass(frozen=True)
class _Row:
  """A parameter, its tensor in the files, and its tensor by module."""

  path: str
  in_files: str
  in_modules: str
  layout: Layout = lambda tensor: tensor
  module_layout: Layout | None = None

  def sources(self, *prefixes: tuple[str, str]) -> tuple[Source, ...]:
    layouts = (self.layout, self.module_layout or self.layout)
    return tuple(
      Source(prefix + name, layout)
      for pair in prefixes
      for prefix, name, layout in zip(
        pair, (self.in_files, self.in_modules), layouts, strict=True
      )
    )


_TEXT = (("model.llm.", "model.language_model."), ("model.llm.", "model."))
_MEDIA = (("model.", "model."),)


def sources(cfg: config.InteractionConfig) -> dict[Path, tuple[Source, ...]]:
  """The possible sources of every parameter that Inkling has."""
  table = {}
  for row in _ENDS:
    table[tuple(row.path.split("/"))] = row.sources(*_TEXT)
  for row in _HEAD:
    table[tuple(row.path.split("/"))] = row.sources(("model.llm.", ""))
  for row in _towers(cfg):
    table[tuple(row.path.split("/"))] = row.sources(*_MEDIA)
  for layer in range(cfg.backbone.num_layers):
    prefixes = tuple(
      (f"{files}layers.{layer}.", f"{modules}layers.{layer}.")
      for files, modules in _TEXT
    )
    for row in _layer(cfg.backbone, layer):
      path = ("backbone", "layers", str(layer), *row.path.split("/"))
      table[path] = row.sources(*prefixes)
  return table


def resolve(
  table: Mapping[Path, tuple[Source, ...]], names: Mapping[str, object]
) -> dict[Path, Source]:
  """The source of each parameter among the tensors that there are."""
  return {
    path: source
    for path, options in table.items()
    for source in options[::-1]
    if source.name in names
  }


def missing(
  table: Mapping[Path, tuple[Source, ...]], found: Mapping[Path, Source]
) -> list[str]:
  """Tensors that parameters without a source would come from.

  Their names are in the naming that most of the others have.
  """
  used = collections.Counter(
    [one.name for one in table[path]].index(source.name)
    for path, source in found.items()
  )
  naming = used.most_common(1)[0][0] if used else 0
  lacking = [table[path] for path in table.keys() - found.keys()]
  return sorted({options[naming % len(options)].name for options in lacking})


def _swapped(tensor: np.ndarray) -> np.ndarray:
  """The last two axes exchanged: ours are [in, out], theirs [out, in]."""
  return np.swapaxes(tensor, -1, -2)


def _taps(tensor: np.ndarray) -> np.ndarray:
  """[D, 1, Z] to [Z, D]."""
  return tensor[:, 0].T


def _scalar(tensor: np.ndarray) -> np.ndarray:
  return tensor.reshape(())


def _interleaved(which: int) -> Layout:
  """Gate (0) or up (1) of [.., 2 F, D], stored row by row in turn."""
  return lambda tensor: _swapped(tensor[..., which::2, :])


def _half(which: int) -> Layout:
  """Gate (0) or up (1) of [.., 2 F, D], stored one after the other."""

  def layout(tensor: np.ndarray) -> np.ndarray:
    width = tensor.shape[-2] // 2
    return _swapped(tensor[..., which * width : (which + 1) * width, :])

  return layout


def _heads(width: int) -> Layout:
  """[heads * width, D] to [D, heads, width]."""
  return lambda tensor: tensor.reshape(-1, width, tensor.shape[-1]).transpose(
    2, 0, 1
  )


_ENDS = (
  _Row("embed/text/table", "embed.weight", "embed_tokens.weight"),
  _Row(
    "embed/text/norm", "embed_norm.weight", "embed_tokens.embed_norm.weight"
  ),
  _Row("backbone/norm", "norm.weight", "norm.weight"),
)
_HEAD = (_Row("heads/text/table", "unembed.weight", "lm_head.weight"),)


def _towers(cfg: config.InteractionConfig) -> Iterator[_Row]:
  audio, video = cfg.audio, cfg.video
  yield _Row(
    "embed/audio/table",
    "audio.encoder.weight",
    "audio_tower.embed_audio_tokens.embed_audio_tokens.weight",
    lambda tensor: tensor.reshape(audio.num_mels, audio.num_levels, -1),
  )
  yield _Row(
    "embed/audio/norm", "audio.final_norm.weight", "audio_tower.norm.weight"
  )
  for layer in range(video.num_layers):
    path = f"embed/video/layers/{layer}"
    module = f"vision_tower.encoder_layers.{layer}"
    yield _Row(
      f"{path}/kernel",
      f"visual.layers.linear_{layer}.weight",
      f"{module}.projection.weight",
      _swapped,
    )
    if layer < video.num_layers - 1:
      yield _Row(
        f"{path}/norm",
        f"visual.layers.norm_{layer}.weight",
        f"{module}.layer_norm.weight",
      )
  yield _Row(
    "embed/video/norm",
    "visual.final_norm.weight",
    "vision_tower.final_norm.weight",
  )


def _layer(cfg: config.BackboneConfig, layer: int) -> Iterator[_Row]:
  yield _Row("attention_norm", "attn_norm.weight", "input_layernorm.weight")
  yield from _attention(cfg, cfg.attention(layer))
  yield _Row(
    "attention_taps", "attn_sconv.weight", "attn_sconv.conv1d.weight", _taps
  )
  yield _Row("feed_norm", "mlp_norm.weight", "post_attention_layernorm.weight")
  yield from _DENSE if layer in cfg.dense_layers else _experts(cfg.experts)
  yield _Row("feed_taps", "mlp_sconv.weight", "mlp_sconv.conv1d.weight", _taps)


def _attention(
  cfg: config.BackboneConfig, heads: config.AttentionConfig
) -> Iterator[_Row]:
  files, modules = "attn.", "self_attn."

  def out(tensor: np.ndarray) -> np.ndarray:
    """[D, N * H] to [N, H, D]."""
    width = heads.head_width
    return tensor.reshape(len(tensor), -1, width).transpose(1, 2, 0)

  def taps(tensor: np.ndarray) -> np.ndarray:
    """[K * H, 1, Z] to [Z, K, H]."""
    return _taps(tensor).reshape(-1, heads.key_heads, heads.head_width)

  for ours, short, name, layout in (
    ("query", "wq_du.weight", "q_proj.weight", _heads(heads.head_width)),
    ("key", "wk_dv.weight", "k_proj.weight", _heads(heads.head_width)),
    ("value", "wv_dv.weight", "v_proj.weight", _heads(heads.head_width)),
    ("features", "wr_du.weight", "r_proj.weight", _heads(cfg.bias_features)),
    ("out", "wo_ud.weight", "o_proj.weight", out),
    ("key_taps", "k_sconv.weight", "k_sconv.conv1d.weight", taps),
    ("value_taps", "v_sconv.weight", "v_sconv.conv1d.weight", taps),
  ):
    yield _Row(f"attention/{ours}", files + short, modules + name, layout)
  for ours, name in (
    ("bank", "rel_logits_proj.proj"),
    ("query_norm", "q_norm.weight"),
    ("key_norm", "k_norm.weight"),
  ):
    yield _Row(f"attention/{ours}", files + name, modules + name)


_DENSE = (
  _Row(
    "feed/gate",
    "mlp.w13_dn.weight",
    "mlp.gate_proj.weight",
    _interleaved(0),
    _swapped,
  ),
  _Row(
    "feed/up",
    "mlp.w13_dn.weight",
    "mlp.up_proj.weight",
    _interleaved(1),
    _swapped,
  ),
  _Row("feed/down", "mlp.w2_md.weight", "mlp.down_proj.weight", _swapped),
  _Row("feed/scale", "mlp.global_scale", "mlp.global_scale", _scalar),
)


def _experts(cfg: config.ExpertConfig) -> Iterator[_Row]:
  def routed(tensor: np.ndarray) -> np.ndarray:
    return tensor[: cfg.num_routed].T

  def shared(tensor: np.ndarray) -> np.ndarray:
    return tensor[cfg.num_routed :].T

  gate, router = "mlp.gate.", "feed/router/"
  yield _Row(f"{router}routed", f"{gate}weight", f"{gate}weight", routed)
  yield _Row(f"{router}shared", f"{gate}weight", f"{gate}weight", shared)
  yield _Row(
    f"{router}selection_bias", f"{gate}bias", f"{gate}e_score_correction_bias"
  )
  scale = f"{gate}global_scale"
  yield _Row(f"{router}scale", scale, scale, _scalar)
  for which, ours in enumerate(("gate", "up")):
    yield _Row(
      f"feed/{ours}",
      "mlp.experts.w13_weight",
      "mlp.experts.gate_up_proj",
      _interleaved(which),
      _half(which),
    )
    yield _Row(
      f"feed/shared_{ours}",
      "mlp.shared_experts.shared_w13_weight",
      f"mlp.shared_experts.{ours}_proj",
      _interleaved(which),
      _swapped,
    )
  yield _Row(
    "feed/down",
    "mlp.experts.w2_weight",
    "mlp.experts.down_proj",
    _swapped,
  )
  yield _Row(
    "feed/shared_down",
    "mlp.shared_experts.shared_w2_weight",
    "mlp.shared_experts.down_proj",
    _swapped,
  )
