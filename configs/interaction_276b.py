"""The full size: 276 B parameters, 12 B of them active.

Command: interaction-jax inspect interaction_276b
Hardware: any CPU to inspect; running it takes a TPU pod slice.
Time: seconds to inspect.

The numbers are those of the published Inkling-Small, whose weights may be the
starting point of training. Its number of hMLP layers is not published; five
is what a patch of 40 pixels divides into. Control tokens are the first eight
of the 966 rows with which its tables are padded.
"""

from interaction_jax.model import config
from interaction_jax.train.config import DataConfig, Experiment, TrainConfig


def experiment() -> Experiment:
  """42 layers of width 4096, 256 experts in each but the first two."""
  heads = {"query_heads": 32, "key_heads": 8, "head_width": 128}
  backbone = config.BackboneConfig(
    width=4096,
    num_layers=42,
    global_layers=tuple(range(5, 42, 6)),
    dense_layers=(0, 1),
    dense_width=16_384,
    window_attention=config.AttentionConfig(**heads, reach=512),
    global_attention=config.AttentionConfig(**heads, reach=1024),
    experts=config.ExpertConfig(
      num_routed=256, num_chosen=6, num_shared=2, width=2048
    ),
    bias_features=16,
    log_floor=128_000,
  )
  model = config.InteractionConfig(
    backbone=backbone,
    text=config.TextConfig(
      table_size=201_024,
      vocab_size=200_066,
      first_control=200_058,
      logit_divisor=16.0,
    ),
    video=config.VideoConfig(num_layers=5),
    # A turn brings 5 positions of media or, while it speaks, 9, and 28 more
    # with video: three minutes of seeing, or twelve and more of hearing alone.
    # Keys and values of a session take 1.3 GB in bfloat16.
    memory=config.MemoryConfig(pinned=2048, text=8192, media=32_768, block=128),
    turn=config.TurnConfig(text_in=16, text_out=8),
    dtype="bfloat16",
    param_dtype="bfloat16",
  )
  # Four minutes of a conversation with video, or a quarter of an hour without.
  train = TrainConfig(data=DataConfig(positions=8192))
  return Experiment(name="interaction_276b", model=model, train=train)
