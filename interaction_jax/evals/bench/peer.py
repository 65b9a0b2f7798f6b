"""Language models of `transformers` that learn the same text.

Inkling is the same model as ours, weight for weight; Qwen3-MoE has its sizes
without shared experts, short convolutions and learned bias. Each is timed as
it comes and compiled.
"""

import dataclasses
import importlib.util
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from interaction_jax.model.config import InteractionConfig


@dataclasses.dataclass(frozen=True)
class Peer:
  """One way to train one model of `transformers`.

  Attributes:
    family: "Inkling" or "Qwen3-MoE".
    compiled: by `torch.compile`, which takes minutes.
  """

  family: str
  compiled: bool

  @property
  def name(self) -> str:
    """What a row calls it."""
    return f"{self.family}, compiled" if self.compiled else self.family


PEERS: Final = tuple(
  Peer(family, compiled)
  for compiled in (False, True)
  for family in ("Inkling", "Qwen3-MoE")
)

Learner = Callable[[], float]
"""Takes a step of training, and tells its loss."""


def installed() -> tuple[Peer, ...]:
  """The peers that can be trained here."""
  needed = ("torch", "transformers")
  there = all(importlib.util.find_spec(name) for name in needed)
  return PEERS if there else ()


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

  torch.manual_seed(0)
  model = _model(peer.family, cfg)
  # Forms of both that torch's own kernels compute.
  model.set_attn_implementation("sdpa")
  model.set_experts_implementation("grouped_mm")
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


def _model(family: str, cfg: InteractionConfig) -> Any:
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
    return transformers.Qwen3MoeForCausalLM(
      transformers.Qwen3MoeConfig(
        **sizes,
        num_experts=experts.num_routed,
        norm_topk_prob=True,
        # Every layer has experts, so nothing has this width.
        intermediate_size=experts.width,
      )
    )
  if family != "Inkling":
    known = sorted({peer.family for peer in PEERS})
    raise ValueError(f"family={family!r} is none of: {', '.join(known)}.")
  window = backbone.window_attention
  return transformers.InklingForCausalLM(
    transformers.InklingTextConfig(
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
  )
