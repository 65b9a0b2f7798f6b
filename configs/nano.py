"""A small model that hears, reads, writes and speaks on a laptop.

Command: interaction-jax train --config nano --workdir runs/nano
Hardware: two CPU cores.
Time: see the model card in interaction_jax/assets/nano.
"""

from interaction_jax.model import config
from interaction_jax.train import config as training
from interaction_jax.train.config import Experiment


def experiment() -> Experiment:
  """Six layers, two of them global, eight small experts."""
  attention = {"query_heads": 6, "key_heads": 2, "head_width": 32}
  backbone = config.BackboneConfig(
    width=192,
    num_layers=6,
    # Every sixth layer, as at full size, would leave a single global one.
    global_layers=(2, 5),
    dense_layers=(0,),
    dense_width=512,
    window_attention=config.AttentionConfig(**attention, reach=64),
    global_attention=config.AttentionConfig(**attention, reach=256),
    experts=config.ExpertConfig(
      num_routed=8, num_chosen=2, num_shared=1, width=64, route_scale=2.0
    ),
    log_floor=4096,
  )
  model = config.InteractionConfig(
    backbone=backbone,
    text=config.TextConfig(
      table_size=1408, vocab_size=1408, first_control=1400
    ),
    # Two frames of 25 ms in a position hear better than one of 50 ms at this
    # size.
    audio=config.AudioConfig(hop=400, window=800, frames_per_position=2),
    # A patch of 40 pixels would take more weights than the experts. What is
    # there to see is simple, and a pair every 400 ms shows it in time.
    video=config.VideoConfig(
      patch=20, num_layers=3, rows=2, columns=3, every=2
    ),
    turn=config.TurnConfig(text_in=8, text_out=6),
    memory=config.MemoryConfig(pinned=64, text=256, media=1024, block=32),
  )
  train = training.TrainConfig(
    num_steps=4000,
    save_every=100,
    batch=8,
    # Of 128 turns that a row may have, 18 are spoken as a rule.
    losses=training.LossConfig(flow_draws=1, flow_share=0.15),
    data=training.DataConfig(positions=640),
  )
  return Experiment(name="nano", model=model, train=train)
