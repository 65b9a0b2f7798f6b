"""Language models of `transformers` that learn the same text, or read on.

Inkling is the same model as ours, weight for weight; Qwen3-MoE has its sizes
without shared experts, short convolutions and learned bias. Each is timed as
it comes and compiled.
"""

import copy
import dataclasses
import importlib.util
import os
from collections.abc import Callable
from typing import Any, Final, Literal

import numpy as np
from jaxtyping import Float, Int

from interaction_jax.model.config import InteractionConfig

Experts = Literal["eager", "batched_mm", "grouped_mm"]
"""The ways of `transformers` to compute experts on a CPU."""

_PIECE: Final = 256
"""Positions of a context that are read at once."""


@dataclasses.dataclass(frozen=True)
class Peer:
  """One way to run one model of `transformers`.

  Attributes:
    family: "Inkling" or "Qwen3-MoE".
    compiled: by `torch.compile`, which takes minutes.
    experts: how they are computed; None: as `transformers` chooses, which is
      "grouped_mm".
  """

  family: str
  compiled: bool
  experts: Experts | None = None

  @property
  def name(self) -> str:
    """What a row calls it."""
    form = "compiled" if self.compiled else None
    return ", ".join(filter(None, (self.family, self.experts, form)))


PEERS: Final = tuple(
  Peer(family, compiled)
  for compiled in (False, True)
  for family in ("Inkling", "Qwen3-MoE")
)
"""Those that learn."""

_FORMS: Final[tuple[tuple[str, Experts | None], ...]] = (
  ("Inkling", None),
  ("Qwen3-MoE", "eager"),
  ("Qwen3-MoE", "batched_mm"),
  ("Qwen3-MoE", "grouped_mm"),
)

READERS: Final = tuple(
  Peer(family, compiled, experts)
  for compiled in (False, True)
  for family, experts in _FORMS
)
"""Those that read on."""

Learner = Callable[[], float]
"""Takes a step of training, and tells its loss."""


def installed(known: tuple[Peer, ...] = PEERS) -> tuple[Peer, ...]:
  """Those of the known peers that can be run here."""
  needed = ("torch", "transformers")
  there = all(importlib.util.find_spec(name) for name in needed)
  return known if there else ()


def learner(
  peer: Peer, cfg: InteractionConfig, ids: np.ndarray, *, dtype: str
) -> tuple[Learner, int]:
  """A model of the sizes of `cfg` that learns `ids`, and its parameters.

  Weights and moments are float32 and AdamW is the fused one; in bfloat16 the
  model runs under autocast, which is torch's fastest way to train in it.

  Raises:
    ValueError: there is no such family.
  """
  import torch

  model = _set(make(peer.family, cfg, dtype="float32"), peer).train()
  optimizer = torch.optim.AdamW(
    model.parameters(), lr=1e-4, weight_decay=0.01, fused=True
  )
  given = torch.tensor(ids, dtype=torch.long)
  run: Any = torch.compile(model) if peer.compiled else model

  def learn() -> float:
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == "bfloat16"):
      loss = run(input_ids=given, labels=given, use_cache=False).loss
    loss.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return loss.item()

  return learn, sum(one.numel() for one in model.parameters())


def make(family: str, cfg: InteractionConfig, *, dtype: str) -> Any:
  """A model of the sizes of `cfg`, its weights in `dtype`.

  In bfloat16 it keeps in float32 what `transformers` keeps so: of Inkling the
  short convolutions, the bias that chooses experts and their common scale.

  Raises:
    ValueError: there is no such family.
  """
  import torch
  import transformers

  torch.manual_seed(0)
  made = transformers.AutoModelForCausalLM.from_config(
    _config(family, cfg), dtype=getattr(torch, dtype)
  )
  return made.eval()


def read(model: Any, ids: Int[np.ndarray, " T"], *, room: int) -> Any:
  """The cache of a model that has read one text.

  That of Qwen3-MoE is static, and no larger than it must be since attention
  runs over all of it. Inkling would take a static one for longer than it is
  (transformers 5.24): it looks at its length again once that has grown.

  Args:
    room: positions that it will hold besides.
  """
  import torch
  import transformers

  if model.config.model_type.startswith("inkling"):
    cache: Any = transformers.DynamicCache(config=model.config)
  else:
    size = len(ids) + room
    cache = transformers.StaticCache(config=model.config, max_cache_len=size)
  given = torch.tensor(ids[None], dtype=torch.long)
  with torch.inference_mode():
    for piece in given.split(_PIECE, dim=1) if len(ids) else ():
      model(input_ids=piece, cache=cache, use_cache=True, logits_to_keep=1)
  return cache


class Past:
  """A context that every row of a batch has read; peers of a family share it.

  Attributes:
    cache: what a peer is given and writes to.
    length: positions of the context.
  """

  def __init__(self, cache: Any, batch: int):
    """Copies a cache of one row."""
    import torch

    with torch.inference_mode():
      self.cache = copy.deepcopy(cache)
      self.cache.reorder_cache(torch.zeros(batch, dtype=torch.long))
    self.length = int(cache.get_seq_length())
    self._kept = [
      (layer.keys, layer.values, copy.deepcopy(_tails(layer)))
      for layer in self.cache.layers
    ]

  def rewind(self) -> None:
    """Forgets all that came behind the context."""
    import torch

    with torch.inference_mode():
      if not self.length:
        self.cache.reset()
        return
      for layer, kept in zip(self.cache.layers, self._kept, strict=True):
        # A static cache is written in place, another one never is.
        layer.keys, layer.values, tails = kept
        if hasattr(layer, "max_cache_len"):
          layer.cumulative_length.fill_(self.length)
        for index, tail in tails.items():
          layer.conv_states[index].copy_(tail)


class Reader:
  """A peer that appends the same positions to the same context each time."""

  def __init__(
    self, peer: Peer, model: Any, past: Past, ids: Int[np.ndarray, "B T"]
  ):
    """Shares the weights of `model`, and `past` with peers of its family.

    Args:
      model: made by `make`.
      past: what it has read, with room for `ids` and no more.

    Raises:
      ValueError: the cache has not just the room that is needed.
    """
    import torch

    torch.set_num_threads(os.cpu_count() or 1)
    most = getattr(past.cache.layers[0], "max_cache_len", None)
    if most is not None and most != past.length + ids.shape[1]:
      raise ValueError(
        f"ids of {ids.shape[1]} positions: the cache has room for "
        f"{most - past.length}."
      )
    # All but the weights is its own, since what is set in a model is compiled.
    own = copy.deepcopy(model, {id(one): one for one in model.parameters()})
    own = _set(own, peer)
    self._run: Any = torch.compile(own) if peer.compiled else own
    self._ids = torch.tensor(ids, dtype=torch.long)
    self._past = past

  def rewind(self) -> None:
    """Forgets all that came behind the context."""
    self._past.rewind()

  def __call__(self) -> Any:
    """Appends the positions; gives the logits of all."""
    import torch

    with torch.inference_mode():
      return self._run(
        input_ids=self._ids, cache=self._past.cache, use_cache=True
      ).logits

  def logits(self) -> Float[np.ndarray, "B T V"]:
    """The same in NumPy, from the context on."""
    self.rewind()
    return self().float().numpy()


def forget() -> None:
  """Forgets what was compiled, so that other shapes are not made dynamic."""
  import torch

  torch.compiler.reset()


def _tails(layer: Any) -> dict[int, Any]:
  """The states of the short convolutions of a layer of a cache."""
  tails = getattr(layer, "conv_states", {})
  return {index: tail for index, tail in tails.items() if tail is not None}


def _set(model: Any, peer: Peer) -> Any:
  """The model with forms that torch's own kernels compute."""
  model.set_attn_implementation("sdpa")
  model.set_experts_implementation(peer.experts or "grouped_mm")
  return model


def _config(family: str, cfg: InteractionConfig) -> Any:
  import transformers

  transformers.utils.logging.set_verbosity_error()
  backbone, text = cfg.backbone, cfg.text
  heads, experts = backbone.global_attention, backbone.experts
  sizes = {
    "vocab_size": text.table_size,
    "hidden_size": backbone.width,
    "num_hidden_layers": backbone.num_layers,
    "num_attention_heads": heads.query_heads,
    "num_key_value_heads": heads.key_heads,
    "head_dim": heads.head_width,
    "moe_intermediate_size": experts.width,
    "num_experts_per_tok": experts.num_chosen,
    "rms_norm_eps": backbone.norm_eps,
  }
  if family == "Qwen3-MoE":
    return transformers.Qwen3MoeConfig(
      **sizes,
      num_experts=experts.num_routed,
      norm_topk_prob=True,
      # Every layer has experts, so nothing has this width.
      intermediate_size=experts.width,
    )
  if family != "Inkling":
    known = sorted({peer.family for peer in PEERS})
    raise ValueError(f"family={family!r} is none of: {', '.join(known)}.")
  window = backbone.window_attention
  return transformers.InklingTextConfig(
    **sizes,
    swa_num_attention_heads=window.query_heads,
    swa_num_key_value_heads=window.key_heads,
    swa_head_dim=window.head_width,
    sliding_window_size=window.reach,
    rel_extent=heads.reach,
    d_rel=backbone.bias_features,
    conv_kernel_size=backbone.conv_taps,
    layer_types=[
      "hybrid" if backbone.kind(layer) == "global" else "hybrid_sliding"
      for layer in range(backbone.num_layers)
    ],
    n_routed_experts=experts.num_routed,
    n_shared_experts=experts.num_shared,
    route_scale=experts.route_scale,
    logits_mup_width_multiplier=text.logit_divisor,
    # The tokens that begin and end are of no matter, but have to exist.
    bos_token_id=None,
    eos_token_id=None,
  )
