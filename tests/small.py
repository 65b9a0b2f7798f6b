"""The model of the laws: every part, as small as it goes.

A window layer, which is dense, and a global one with experts, and memories
that a few turns fill. Sizes that could be taken for one another differ.
"""

from interaction_jax.model import config
from interaction_jax.train.config import Experiment


def experiment() -> Experiment:
  """A model of two layers."""
  backbone = config.BackboneConfig(
    width=24,
    num_layers=2,
    global_layers=(1,),
    dense_layers=(0,),
    dense_width=40,
    window_attention=config.AttentionConfig(
      query_heads=6, key_heads=3, head_width=8, reach=5
    ),
    global_attention=config.AttentionConfig(
      query_heads=10, key_heads=5, head_width=7, reach=9
    ),
    experts=config.ExpertConfig(
      num_routed=11, num_chosen=2, num_shared=3, width=16
    ),
    bias_features=6,
    log_floor=32,
  )
  model = config.InteractionConfig(
    backbone=backbone,
    # So few tokens that a model which has learned nothing often chooses END.
    text=config.TextConfig(
      table_size=15, vocab_size=13, first_control=5, logit_divisor=2.0
    ),
    audio=config.AudioConfig(num_mels=13, num_levels=11),
    video=config.VideoConfig(patch=6, num_layers=3, rows=2, columns=1),
    memory=config.MemoryConfig(pinned=6, text=9, media=30, block=17),
    turn=config.TurnConfig(text_in=5, text_out=3),
    flow=config.FlowConfig(width=12, num_layers=1, past_frames=7),
    vocoder=config.VocoderConfig(
      num_mels=26, width=14, num_layers=1, taps=3, num_pitches=21
    ),
  )
  return Experiment(name="small", model=model)
