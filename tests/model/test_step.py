"""What the laws do not show: what may be written, channels, and refusals."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import pytest

from interaction_jax.core import settings
from interaction_jax.model import interaction
from interaction_jax.model import state as states
from interaction_jax.model import step as steps
from interaction_jax.model.backbone import memory
from interaction_jax.turns.schema import Media, TurnInput
from interaction_jax.turns.vocabulary import CHANNELS, SPEAKERS, Control

FIRST = 5
SAY, SHOW, CALL = (FIRST + c for c in (Control.SAY, Control.SHOW, Control.CALL))


@pytest.fixture(scope="module")
def cfg(root):
  return settings.load(root / "tests" / "small.py").model


def test_a_model_never_writes_in_the_name_of_others(cfg):
  allowed = steps.allowed(cfg)
  assert allowed.shape == (cfg.text.vocab_size,)
  forbidden = {FIRST + speaker for speaker in SPEAKERS}
  for token in range(cfg.text.vocab_size):
    assert bool(allowed[token]) == (token not in forbidden)
  assert allowed[FIRST + Control.END]
  assert all(allowed[FIRST + channel] for channel in CHANNELS)


@pytest.mark.parametrize(
  ("text", "num", "channel"),
  [
    ([1, 2, 3], 3, SAY),
    ([SHOW, 2, 3], 3, SHOW),
    ([SHOW, 2, CALL], 3, CALL),
    ([SHOW, 2, CALL], 2, SHOW),
    ([SHOW, 2, CALL], 0, SAY),
    ([FIRST + Control.USER, 1, FIRST + Control.END], 3, SAY),
  ],
  ids=["none", "first", "last", "unwritten", "nothing", "no-channel"],
)
def test_the_last_channel_named_holds(cfg, text, num, channel):
  batch = 2
  width, vocab = cfg.backbone.width, cfg.text.vocab_size
  writing = steps._Writing(
    memory=memory.empty(cfg.backbone, cfg.memory, batch, cfg.dtype),
    token=jnp.zeros((batch,), jnp.int32),
    going=jnp.zeros((batch,), bool),
    last=jnp.zeros((batch, width)),
    # The other row writes nothing and stays where it was.
    text=jnp.asarray([text, [CALL] * 3], jnp.int32),
    num_text=jnp.asarray([num, 0], jnp.int32),
    num_passes=jnp.zeros((), jnp.int32),
    logits=jnp.zeros((batch, 4, vocab)),
  )
  before = jnp.asarray([SAY, SHOW], jnp.int32)
  assert steps._channel(before, writing, cfg).tolist() == [channel, SHOW]


def test_a_plain_language_model_has_no_turns(cfg):
  plain = dataclasses.replace(
    cfg, text=dataclasses.replace(cfg.text, first_control=None)
  )
  with pytest.raises(ValueError, match=r"text\.first_control is None"):
    steps.allowed(plain)


def test_more_than_a_block_is_refused(cfg):
  batch, length = 2, cfg.memory.block + 1
  media = Media(
    active=jnp.ones((batch,), bool),
    text=jnp.zeros((batch, length), jnp.int32),
    num_text=jnp.zeros((batch,), jnp.int32),
    pinned=jnp.zeros((batch,), bool),
  )
  weights = jax.eval_shape(
    functools.partial(interaction.init, cfg=cfg), jax.random.key(0)
  )
  state = states.start(jnp.zeros((batch,), jnp.uint32), cfg=cfg)
  with pytest.raises(ValueError, match=r"18 positions .* memory\.block=17"):
    jax.eval_shape(
      functools.partial(steps.absorb, cfg=cfg), weights, state, media
    )


@pytest.mark.parametrize("name", sorted(settings.shipped()))
def test_every_shipped_config_has_turns(name):
  """Traced at its own size, and nothing drawn."""
  cfg = settings.load(name).model
  # A period of layers, dense and with experts, window and global.
  few = range(6)
  backbone = dataclasses.replace(
    cfg.backbone,
    num_layers=len(few),
    global_layers=tuple(i for i in cfg.backbone.global_layers if i in few),
    dense_layers=tuple(i for i in cfg.backbone.dense_layers if i in few),
  )
  cfg = dataclasses.replace(cfg, backbone=backbone)
  video, rows = cfg.video, 2

  def zeros(*shape, kind=jnp.int32):
    return jnp.zeros(shape, kind)

  def run(key):
    params = interaction.init(key, cfg=cfg)
    state = states.start(zeros(rows, kind=jnp.uint32), cfg=cfg)
    every = zeros(rows, kind=bool)
    canvas = (video.rows * video.patch, video.columns * video.patch)
    media = Media(
      # As much text as there is room for beside a pair of frames.
      active=every,
      text=zeros(rows, cfg.memory.block - video.num_patches),
      num_text=zeros(rows),
      pinned=every,
      frames=zeros(rows, video.frames, *canvas, 3, kind=jnp.uint8),
      has_frames=every,
    )
    state = steps.absorb(params, state, media, cfg=cfg)
    turn = TurnInput(
      active=every,
      heard=zeros(rows, 3200, kind=jnp.float32),
      text=zeros(rows, cfg.turn.text_in),
      num_text=zeros(rows),
    )
    state, output = steps.step(params, state, turn, cfg=cfg)
    return output.text, output.voice, state.memory.counts

  assert cfg.memory.block >= video.num_patches + cfg.turn.text_in
  shapes = [leaf.shape for leaf in jax.eval_shape(run, jax.random.key(0))]
  assert shapes == [(rows, cfg.turn.text_out), (rows, 3200), (rows, 3)]
