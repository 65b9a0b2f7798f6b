import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.model.forward import Predictions
from interaction_jax.train import losses
from interaction_jax.train.config import LossConfig
from interaction_jax.turns.vocabulary import Control

B, J, U, V = 2, 3, 3, 13
END = 5 + Control.END
# A float32 mean of a few tens of numbers.
CLOSE = {"rtol": 1e-5}


@pytest.fixture(scope="module")
def seen(cfg):
  """What a model might expect."""
  rng = np.random.default_rng(2)

  def normal(*shape):
    return jnp.asarray(rng.normal(size=shape), jnp.float32)

  return Predictions(
    logits=normal(B, J, U + 1, V),
    gate=normal(B, J),
    hidden=normal(B, J, cfg.backbone.width),
    load=jnp.ones((1, 11)),
    fits=jnp.ones((B, J), bool),
    dropped=jnp.zeros((B,), jnp.int32),
  )


@pytest.fixture(scope="module")
def alive():
  return jnp.asarray([[1, 1, 1], [1, 1, 0]], bool)


def surprise(logits, token):
  logits = np.asarray(logits, np.float64)
  return np.log(np.exp(logits).sum()) - logits[token]


def test_every_choice_of_text_counts_and_end_is_one(cfg, seen, episode, alive):
  """Counts 3 0 1 and 2 0, of a budget of 3; a forced END is no choice."""
  summed = losses._text(seen, episode, alive, cfg)
  text = np.asarray(episode.text_out)
  choices = [
    (0, 0, 0, text[0, 0, 0]), (0, 0, 1, text[0, 0, 1]),
    (0, 0, 2, text[0, 0, 2]),
    (0, 1, 0, END),
    (0, 2, 0, text[0, 2, 0]), (0, 2, 1, END),
    (1, 0, 0, text[1, 0, 0]), (1, 0, 1, text[1, 0, 1]), (1, 0, 2, END),
    (1, 1, 0, END),
  ]  # fmt: skip
  each = [surprise(seen.logits[b, j, u], token) for b, j, u, token in choices]
  assert summed.count == len(choices)
  np.testing.assert_allclose(summed.total, np.sum(each), **CLOSE)


def test_only_choices_made_are_learned(cfg, seen, episode, alive):
  def loss(logits):
    expected = dataclasses.replace(seen, logits=logits)
    return losses._text(expected, episode, alive, cfg).total

  moved = np.abs(np.asarray(jax.grad(loss)(seen.logits))).sum(axis=3) > 0
  np.testing.assert_array_equal(
    moved,
    [
      [[1, 1, 1, 0], [1, 0, 0, 0], [1, 1, 0, 0]],
      [[1, 1, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0]],
    ],
  )


def test_a_sum_knows_its_count():
  x = jnp.asarray([1.0, 2.0, jnp.nan, 6.0])
  summed = losses._sum(x, jnp.asarray([True, True, False, True]))
  assert (summed.total, summed.count) == (9.0, 3.0)
  summed = losses._sum(x, jnp.zeros((4,), bool))
  assert (summed.total, summed.count) == (0.0, 0.0)


@pytest.mark.parametrize("num", [1, 7, 20, 33, 70])
def test_the_past_of_a_turn_is_what_was_made_before(cfg, episode, num):
  """Of as many turns as it takes; before the first one there was silence."""
  cfg = dataclasses.replace(
    cfg, flow=dataclasses.replace(cfg.flow, past_frames=num)
  )
  target = losses._normalized(episode.mel, cfg)
  past = losses._past(target, episode.speaks, cfg)
  assert past.shape == (B, J, num, cfg.vocoder.num_mels)
  silence = (cfg.vocoder.floor - cfg.flow.mel_mean) / cfg.flow.mel_std
  frames = cfg.vocoder.frames_per_turn
  for row in range(B):
    made = np.full((100, cfg.vocoder.num_mels), silence, np.float32)
    for turn in range(J):
      np.testing.assert_allclose(past[row, turn], made[-num:], rtol=1e-6)
      speaks = episode.speaks[row, turn]
      new = (
        target[row, turn] if speaks else np.full_like(made[:frames], silence)
      )
      made = np.concatenate([made, new])


def test_whatever_is_below_the_floor_is_silence(cfg, episode):
  deep = losses._normalized(jnp.full_like(episode.mel, -30.0), cfg)
  wanted = (cfg.vocoder.floor - cfg.flow.mel_mean) / cfg.flow.mel_std
  np.testing.assert_allclose(deep, wanted, rtol=1e-6)


@pytest.fixture(scope="module")
def voice(cfg):
  """The mean flow loss, with everything spoken in its share unless told."""

  @functools.partial(jax.jit, static_argnames="loss_cfg")
  def program(weights, seen, episode, alive, keys, loss_cfg):
    return losses._voice(weights, seen, episode, alive, keys, cfg, loss_cfg)

  def run(weights, seen, episode, alive, seed=0, **changes):
    settings = LossConfig(**{"flow_share": 1.0, "drop": 0.0} | changes)
    keys = jax.random.split(jax.random.key(seed), B)
    summed = program(weights, seen, episode, alive, keys, settings)
    return summed.total / jnp.maximum(summed.count, 1.0), summed.count

  return run


@pytest.fixture(scope="module")
def blank(weights):
  """A flow head that expects the mean of all mel, whatever it is given."""
  flow = weights["heads"]["flow"]
  flow = flow | {"mel_out": jnp.zeros_like(flow["mel_out"])}
  return weights | {"heads": weights["heads"] | {"flow": flow}}


def test_only_spoken_turns_have_a_voice(
  cfg, blank, seen, episode, alive, voice
):
  """Rows speak in turns 0 and 2, and in 1 (and 2, which is padding)."""
  loss, count = voice(blank, seen, episode, alive)
  target = np.asarray(losses._normalized(episode.mel, cfg), np.float64)
  spoken = np.stack([target[0, 0], target[0, 2], target[1, 1]])
  assert count == 3 * LossConfig().flow_draws
  np.testing.assert_allclose(loss, np.mean(spoken**2), **CLOSE)


def test_no_voice_no_loss(weights, seen, episode, alive, voice):
  silent = dataclasses.replace(episode, speaks=jnp.zeros_like(episode.speaks))
  loss, count = voice(weights, seen, silent, alive)
  assert (loss, count) == (0.0, 0.0)


def test_a_share_of_turns_is_enough(cfg, blank, seen, episode, alive, voice):
  """One of three turns in each row, any that is spoken."""
  target = np.asarray(losses._normalized(episode.mel, cfg), np.float64)
  sizes = np.square(target).mean(axis=(2, 3))
  found = set()
  for seed in range(9):
    loss, count = voice(blank, seen, episode, alive, seed=seed, flow_share=0.34)
    assert count == 2 * LossConfig().flow_draws
    means = [(sizes[0, turn] + sizes[1, 1]) / 2 for turn in (0, 2)]
    place = int(np.argmin(np.abs(np.asarray(means) - float(loss))))
    np.testing.assert_allclose(loss, means[place], **CLOSE)
    found.add(place)
  assert found == {0, 1}


def test_a_row_draws_by_itself(weights, seen, episode, alive, voice):
  """What it loses depends on its number, not on who is beside it."""
  quiet = dataclasses.replace(episode, speaks=episode.speaks.at[0].set(False))
  both, _ = voice(weights, seen, episode, alive)
  second, count = voice(weights, seen, quiet, alive)
  loud = dataclasses.replace(episode, speaks=episode.speaks.at[1].set(False))
  first, _ = voice(weights, seen, loud, alive)
  # Two turns of the first row and one of the second, each drawn four times.
  assert count == 4
  np.testing.assert_allclose(both, (2 * first + second) / 3, **CLOSE)


def test_another_key_draws_another_noise(weights, seen, episode, alive, voice):
  one, _ = voice(weights, seen, episode, alive, seed=0)
  again, _ = voice(weights, seen, episode, alive, seed=0)
  two, _ = voice(weights, seen, episode, alive, seed=1)
  assert one == again
  assert one != two


def test_hidden_states_learn_to_speak_where_the_model_spoke(
  weights, seen, episode, alive, voice
):
  def loss(hidden, drop):
    expected = dataclasses.replace(seen, hidden=hidden)
    return voice(weights, expected, episode, alive, drop=drop)[0]

  moved = np.asarray(jax.grad(loss)(seen.hidden, 0.0)).any(axis=2)
  np.testing.assert_array_equal(moved, [[1, 0, 1], [0, 1, 0]])
  # With nothing to go by there is nothing to learn.
  assert not np.asarray(jax.grad(loss)(seen.hidden, 1.0)).any()


def test_what_the_user_said_is_no_target(
  cfg, weights, seen, episode, alive, voice
):
  """Nor is what a silent turn would have sounded like."""
  other = dataclasses.replace(
    episode,
    heard=episode.heard + 1,
    text_in=(episode.text_in + 1) % V,
    num_text_in=5 - episode.num_text_in,
    pinned=(episode.pinned + 1) % V,
    voice=-episode.voice,
    mel=jnp.where(episode.speaks[..., None, None], episode.mel, 0.0),
  )
  one = losses._text(seen, episode, alive, cfg)
  assert one.total == losses._text(seen, other, alive, cfg).total
  one = voice(weights, seen, episode, alive)
  assert one == voice(weights, seen, other, alive)


def test_all_of_it(cfg, weights, episode, quick):
  """`losses` adds the parts up, each with its weight and its count."""
  share = LossConfig(text=2.0, gate=3.0, flow=0.5)
  program = functools.partial(losses.losses, cfg=cfg, weights=share)
  parts = jax.jit(program, compiler_options=quick)(
    weights, episode, jax.random.key(0)
  )
  total = 2 * parts.text + 3 * parts.gate + 0.5 * parts.flow
  np.testing.assert_allclose(parts.total, total, **CLOSE)
  # 3 and 2 real turns, 10 choices; of 0.35 x 6 turns, two are computed.
  assert (parts.gate_count, parts.text_count) == (5, 10)
  assert parts.flow_count == 2 * share.flow_draws
  # Ticks and frames heard, voices, text read, text written, instructions.
  assert parts.positions == 5 * 5 + 1 * 4 + 7 + 6 + 4
  assert parts.dropped == 0
  np.testing.assert_array_equal(
    parts.load.sum(), parts.positions * cfg.backbone.experts.num_chosen
  )
