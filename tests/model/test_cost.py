import json
import math
import os
import subprocess
import sys

import jax
import pytest

from interaction_jax.core import settings
from interaction_jax.model import cost, interaction


@pytest.fixture(scope="module")
def tiny():
  return settings.load("tiny").model


# Says what counting the full size found, and by how many MiB the memory of the
# process ever grew meanwhile.
COUNT = """
import json, resource
from interaction_jax.core import settings
from interaction_jax.model import cost

def held():
  return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

cfg = settings.load("interaction_276b").model
before = held()
counts = cost.parameters(cfg)
print(json.dumps({"counts": counts, "grown": held() - before}))
"""


@pytest.fixture(scope="module")
def counted(root):
  """What a process of its own finds."""
  done = subprocess.run(
    [sys.executable, "-c", COUNT],
    cwd=root,
    env=os.environ | {"JAX_PLATFORMS": "cpu"},
    capture_output=True,
    text=True,
  )
  assert done.returncode == 0, done.stderr[-3000:]
  return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def full(counted):
  return counted["counts"]


def test_the_full_size_is_276_b_of_which_12_b_are_active(full):
  # What the published model says of itself, to the digits it is given in.
  assert full["total"] == pytest.approx(276e9, rel=0.05)
  assert full["active"] == pytest.approx(12e9, rel=0.05)


def test_counting_draws_nothing(counted):
  # The smallest of its large matrices would take 64 MiB, its first layer 1 GiB.
  # Tracing takes some 100 MiB.
  assert counted["grown"] < 600


def test_parts_of_the_full_size_follow_from_its_shapes(full):
  parts = full["parts"]
  width, expert = 4096, 3 * 4096 * 2048
  table = 201_024 * width
  assert parts["text_embedding"] == table + width
  assert parts["unembedding"] == table
  assert parts["audio_embedding"] == 80 * 16 * width + width
  assert parts["experts"] == 40 * 256 * expert
  assert parts["shared_experts"] == 40 * 2 * expert
  # Each dense layer has a scale beside its three matrices.
  assert parts["dense_layers"] == 2 * (3 * width * 16_384 + 1)
  # K, V, the output of attention and that of the feed-forward, four taps.
  assert parts["short_convolutions"] == 42 * 4 * (2 * 1024 + 2 * width)


def test_every_parameter_is_counted_once(tiny):
  counts = cost.parameters(tiny)
  shapes = jax.eval_shape(
    lambda key: interaction.init(key, cfg=tiny), jax.random.key(0)
  )
  held = sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(shapes))
  assert counts["total"] == sum(counts["parts"].values()) == held


def test_active_leaves_out_experts_not_chosen_and_towers(tiny):
  counts = cost.parameters(tiny)
  parts = counts["parts"]
  experts = tiny.backbone.experts
  idle = parts["experts"] * (experts.num_routed - experts.num_chosen)
  towers = parts["audio_embedding"] + parts["video_tower"]
  others = parts["other_heads"] + parts["other_embeddings"]
  others += parts["multi_token_layers"]
  assert counts["active"] == (
    counts["total"] - idle // experts.num_routed - towers - others
  )


def test_flops_grow_with_the_context_in_global_layers_alone(tiny):
  window = tiny.backbone.window_attention.reach
  near, far = (cost.flops(tiny, context=window + n) for n in (0, 10))
  attention = tiny.backbone.global_attention
  heads = attention.query_heads * attention.head_width
  num_global = len(tiny.backbone.global_layers)
  assert far - near == 4 * heads * 10 * num_global
  assert cost.flops(tiny, context=0) > cost.parameters(tiny)["active"]


def test_a_parameter_of_no_part_is_a_mistake_of_ours():
  with pytest.raises(AssertionError, match="strange/table V D belongs"):
    cost._part("strange/table V D")


def test_the_table_is_aligned_and_leaves_out_what_is_not_there(tiny):
  text = cost.table(cost.parameters(tiny))
  assert len({len(line) for line in text.splitlines()}) == 1
  assert "multi token" not in text
  assert text.splitlines()[-1].startswith("active")
