"""The smallest model with every part of the full one; the tests run on it.

Command: interaction-jax train --config tiny --workdir runs/tiny
Hardware: any CPU.
Time: a minute, most of it to compile; it says nothing yet.

All sizes differ from one another, so an array with two axes exchanged does
not pass for the right one.
"""

from interaction_jax.model import config
from interaction_jax.train.config import DataConfig, Experiment, TrainConfig


def experiment() -> Experiment:
  """A model of seven layers, one dense and one global."""
  backbone = config.BackboneConfig(
    width=48,
    num_layers=7,
    global_layers=(5,),
    dense_layers=(0,),
    dense_width=72,
    window_attention=config.AttentionConfig(
      query_heads=6, key_heads=3, head_width=8, reach=5
    ),
    global_attention=config.AttentionConfig(
      query_heads=15, key_heads=5, head_width=12, reach=9
    ),
    experts=config.ExpertConfig(
      num_routed=10, num_chosen=3, num_shared=2, width=20
    ),
    bias_features=7,
    log_floor=32,
  )
  model = config.InteractionConfig(
    backbone=backbone,
    text=config.TextConfig(
      table_size=1411, vocab_size=1408, first_control=1400, logit_divisor=2.0
    ),
    audio=config.AudioConfig(num_mels=13, num_levels=11),
    video=config.VideoConfig(patch=6, num_layers=3, rows=2, columns=1),
    memory=config.MemoryConfig(pinned=6, text=14, media=50, block=24),
    turn=config.TurnConfig(text_in=5, text_out=4),
    flow=config.FlowConfig(width=16, num_layers=2, past_frames=3),
    vocoder=config.VocoderConfig(
      num_mels=26, width=18, num_layers=2, taps=3, num_pitches=21
    ),
  )
  train = TrainConfig(
    num_steps=20, save_every=10, batch=4, data=DataConfig(positions=320)
  )
  return Experiment(name="tiny", model=model, train=train)
