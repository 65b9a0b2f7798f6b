"""What a model costs: its parameters by part, and the work of a position.

Nothing is drawn and nothing is stored: a model is built of shapes alone, so the
full size is counted in no time on any machine.
"""

import math
import re
from collections.abc import Mapping
from typing import Any, Final, TypedDict

from flax import nnx

from interaction_jax.core import params
from interaction_jax.model import interaction
from interaction_jax.model.config import InteractionConfig


class Parameters(TypedDict):
  """Counts of parameters; `parts` sum to `total`."""

  total: int
  active: int
  parts: dict[str, int]


# The first pattern found in a parameter's path and letters, such as
# "backbone/layers/3/feed/gate E D F", names its part.
_PARTS: Final[dict[str, str]] = {
  r"^embed/text/": "text_embedding",
  r"^embed/audio/": "audio_embedding",
  r"^embed/video/": "video_tower",
  r"^embed/": "other_embeddings",
  r"^heads/text/": "unembedding",
  r"^heads/": "other_heads",
  r"^multi_token/": "multi_token_layers",
  r"/router/": "router",
  r"/feed/.* E\b": "experts",
  r"/feed/.* O\b": "shared_experts",
  r"/feed/": "dense_layers",
  r"_taps ": "short_convolutions",
  r"norm ": "norms",
  r"/attention/": "attention",
}

# Parts that answer for no text token: towers, the other heads, and layers
# that only guess ahead.
_INACTIVE: Final[frozenset[str]] = frozenset(
  {
    "audio_embedding",
    "video_tower",
    "other_embeddings",
    "other_heads",
    "multi_token_layers",
  }
)


def parameters(cfg: InteractionConfig) -> Parameters:
  """Counts the parameters of a model, in all and by part.

  Active are those that one position of text uses: of the routed experts the
  chosen ones, E → X; both text tables; no towers and no other heads.
  """
  parts = dict.fromkeys(_PARTS.values(), 0)
  model = params.outline(interaction.build(cfg))
  for path, leaf in nnx.to_flat_state(nnx.state(model)):
    name = "/".join(str(key) for key in path)
    part = _part(f"{name} {leaf.get_metadata('axes')}")
    parts[part] += math.prod(leaf.shape)
  experts = cfg.backbone.experts
  idle = parts["experts"] // experts.num_routed
  idle *= experts.num_routed - experts.num_chosen
  total = sum(parts.values())
  unused = sum(parts[name] for name in _INACTIVE)
  return {"total": total, "active": total - unused - idle, "parts": parts}


def flops(cfg: InteractionConfig, *, context: int) -> int:
  """Floating-point operations of one position of the backbone, forward.

  Two for every active weight, the text table left out since it is only looked
  up, and 4 N H for every position that a layer attends to.

  Args:
    context: positions remembered; window layers see at most their window.
  """
  counts = parameters(cfg)
  backbone = cfg.backbone
  attended = 0
  for layer in range(backbone.num_layers):
    attention = backbone.attention(layer)
    seen = context
    if backbone.kind(layer) == "window":
      seen = min(context, attention.reach)
    attended += attention.query_heads * attention.head_width * seen
  weights = counts["active"] - counts["parts"]["text_embedding"]
  return 2 * weights + 4 * attended


def table(counts: Mapping[str, Any]) -> str:
  """The counts as aligned lines, for a person to read."""
  rows = dict(counts["parts"])
  rows |= {name: counts.get(name, 0) for name in ("total", "active")}
  return "\n".join(
    f"{name.replace('_', ' '):<20}{count:>20,}{_short(count):>10}"
    for name, count in rows.items()
    if count
  )


def _part(parameter: str) -> str:
  for pattern, name in _PARTS.items():
    if re.search(pattern, parameter):
      return name
  raise AssertionError(
    f"parameter {parameter} belongs to no part of model/cost.py; add a pattern."
  )


def _short(count: int) -> str:
  for unit, size in (("B", 1e9), ("M", 1e6), ("k", 1e3)):
    if count >= size:
      return f"{count / size:.1f} {unit}"
  return f"{count}  "
