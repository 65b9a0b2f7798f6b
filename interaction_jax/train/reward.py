"""Learning from reward: when to speak, judged by what happens.

A user who does not care what the model does (a recorded or synthetic one)
speaks to it several times over; the model answers as in serving, by chance.
What went better than in the other tries becomes likelier:

    gradient = sum_j A_j grad log p(turn j),  A_j = R_j - mean of others' R_j

with R_j the reward from turn j on. One try is no measure for another user, so
each is compared with those of the same conversation alone.

Reference: Kool et al. 2019, "Buy 4 REINFORCE samples, get a baseline for
free"; Ahmadian et al. 2024, arXiv:2402.14740.
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, UInt32

from interaction_jax.core.params import Params
from interaction_jax.model import state as sessions
from interaction_jax.model import step as steps
from interaction_jax.model.config import InteractionConfig, SamplingConfig
from interaction_jax.model.forward import forward
from interaction_jax.model.state import SessionState
from interaction_jax.train import adapt, losses, update
from interaction_jax.train import state as states
from interaction_jax.train.adapt import Split
from interaction_jax.train.config import TrainConfig
from interaction_jax.train.state import TrainState
from interaction_jax.turns import layout
from interaction_jax.turns.schema import Episode, Media, TurnInput

_GRACE = 2
"""Micro-turns in which an answer may begin and be in time."""


@dataclasses.dataclass(frozen=True)
class RewardConfig:
  """How a conversation is judged, and how it is learned from.

  Attributes:
    num_tries: of each conversation.
    in_time: reward of an answer that begins within two micro-turns.
    intrusion: what each turn costs in which the model speaks and should not.
    silence: what each turn costs in which it should speak and does not.
    discount: of what comes a turn later.
    temperature: of text and of the choice to speak.
    text: weight of the choice of text beside that of speaking.
  """

  num_tries: int = 4
  in_time: float = 1.0
  intrusion: float = 0.3
  silence: float = 0.1
  discount: float = 0.8
  temperature: float = 1.0
  text: float = 1.0

  def __post_init__(self):
    if self.num_tries < 2:
      raise ValueError(
        f"reward.num_tries={self.num_tries} must be 2 or more: one try is "
        "judged by the others."
      )
    if not 0 <= self.discount <= 1:
      raise ValueError(
        f"reward.discount={self.discount} must lie in 0 to 1; 0.8 is usual."
      )
    if self.temperature <= 0:
      raise ValueError(
        f"reward.temperature={self.temperature} must be above 0: without "
        "chance there is nothing to compare."
      )

  @property
  def sampling(self) -> SamplingConfig:
    """The sampler of serving, with chance in every choice."""
    return SamplingConfig(
      temperature=self.temperature, gate_temperature=self.temperature
    )


def judge(
  speaks: Bool[Array, "B J"],
  wanted: Bool[Array, "B J"],
  alive: Bool[Array, "B J"],
  *,
  cfg: RewardConfig,
) -> Float[Array, "B J"]:
  """The reward of every turn.

      wanted    . . . x x x . .        an answer is due at turn 3
      in time         ^ ^              it may begin at 3 or 4
      intrusion x x x         . x      one turn of running on is free

  Args:
    speaks: what the model did.
    wanted: what the exact labels of the conversation say.
    alive: turns that are real.
  """
  before = _earlier(speaks)
  due = wanted & ~_earlier(wanted)
  begins = speaks & ~before
  window, late = due, due
  for _ in range(_GRACE - 1):
    late = _earlier(late)
    window |= late & wanted
  intrudes = speaks & ~wanted & ~_earlier(wanted)
  misses = wanted & ~speaks & ~window
  reward = (
    cfg.in_time * (begins & window)
    - cfg.intrusion * intrudes
    - cfg.silence * misses
  )
  return jnp.where(alive, reward, 0.0)


def play(
  params: Params,
  episode: Episode,
  seed: UInt32[Array, " B"],
  *,
  cfg: InteractionConfig,
  sampling: SamplingConfig,
) -> Episode:
  """Lets the model answer the users of episodes, by the sampler of serving.

  Returns:
    The episodes as they went: the user as before, everything else its own.

  Raises:
    ValueError: there is video in the episodes.
  """
  if episode.frames is not None:
    raise ValueError(
      "episode.frames: conversations with video cannot be played yet; leave "
      "them out."
    )
  num_turns = episode.speaks.shape[1]
  alive = layout.upto(episode.num_turns, num_turns)
  session = sessions.start(seed, cfg=cfg, turn=episode.start)
  session = _instructed(params, session, episode, cfg=cfg)
  turns = TurnInput(
    active=alive.T,
    heard=_by_turn(episode.heard),
    text=_by_turn(episode.text_in),
    num_text=episode.num_text_in.T,
    lost=None if episode.lost is None else _by_turn(episode.lost),
  )
  _, made = steps.stream(params, session, turns, cfg=cfg, sampling=sampling)
  voice = _by_turn(made.voice)
  return dataclasses.replace(
    episode,
    speaks=made.speaks.T,
    mel=_by_turn(made.mel),
    # What a turn makes is audible in the next one.
    voice=jnp.pad(voice[:, :-1], ((0, 0), (1, 0), (0, 0))),
    text_out=_by_turn(made.text),
    num_text_out=made.num_text.T,
  )


def _instructed(
  params: Params,
  session: SessionState,
  episode: Episode,
  *,
  cfg: InteractionConfig,
) -> SessionState:
  """Reads the instructions, in pieces that a block has room for."""
  length = episode.pinned.shape[1]
  room = min(length, cfg.memory.block)
  if not room:
    return session
  num = -(-length // room)
  text = jnp.pad(episode.pinned, ((0, 0), (0, num * room - length)))
  text = jnp.swapaxes(text.reshape(-1, num, room), 0, 1)
  begins = room * jnp.arange(num)[:, None]
  count = jnp.clip(episode.num_pinned - begins, 0, room)

  def read(session: SessionState, piece: Any) -> tuple[SessionState, None]:
    text, count = piece
    told = Media(active=count > 0, text=text, num_text=count, pinned=count > 0)
    return steps.absorb(params, session, told, cfg=cfg), None

  return jax.lax.scan(read, session, (text, count))[0]


def log_likelihood(
  params: Params,
  episode: Episode,
  *,
  cfg: InteractionConfig,
  reward: RewardConfig,
) -> tuple[Float[Array, "B J"], Float[Array, "L E"]]:
  """How likely the choices of every turn were, and the load of experts."""
  seen = forward(params, episode, cfg=cfg)
  gate = seen.gate / reward.temperature
  chosen = jax.nn.log_sigmoid(jnp.where(episode.speaks, gate, -gate))
  target, made = losses.choices(episode, cfg=cfg)
  allowed = steps.allowed(cfg)
  logits = jnp.where(allowed, seen.logits / reward.temperature, -jnp.inf)
  each = jax.nn.log_softmax(logits, axis=-1)
  each = jnp.take_along_axis(each, target[..., None], axis=-1)[..., 0]
  text = jnp.where(made, each, 0.0).sum(axis=-1)
  return chosen + reward.text * text, seen.load


@functools.partial(
  jax.jit, static_argnames=("cfg", "train", "reward"), donate_argnums=0
)
def learn(
  state: TrainState,
  episode: Episode,
  *,
  cfg: InteractionConfig,
  train: TrainConfig,
  reward: RewardConfig,
) -> tuple[TrainState, Float[Array, " B"]]:
  """Plays every conversation several times, and learns from the rewards.

  Returns:
    The state after it, and the mean reward of each conversation.
  """
  num = reward.num_tries
  again = jax.tree.map(lambda x: jnp.repeat(x, num, axis=0), episode)
  batch, num_turns = again.speaks.shape
  key = jax.random.fold_in(jax.random.key(state.seed), state.step)
  seed = jax.random.bits(key, (batch,), jnp.uint32)
  axes = states.axes(cfg)

  def whole(trained: Params) -> Params:
    return adapt.merge(Split(trained, state.frozen), axes, cfg=train.adapt)

  tries = play(
    whole(state.params), again, seed, cfg=cfg, sampling=reward.sampling
  )
  tries = jax.lax.stop_gradient(tries)
  alive = layout.upto(again.num_turns, num_turns)
  rewards = judge(tries.speaks, again.speaks, alive, cfg=reward)
  better = jnp.where(alive, _advantage(rewards, num, reward.discount), 0.0)

  def loss(trained: Params) -> tuple[Float[Array, ""], Float[Array, "L E"]]:
    likely, load = log_likelihood(whole(trained), tries, cfg=cfg, reward=reward)
    return -(better * likely).sum() / alive.sum(), load

  (value, load), gradient = jax.value_and_grad(loss, has_aux=True)(state.params)
  after = update.apply(
    state, gradient, jnp.isfinite(value), load, cfg=cfg, train=train
  )
  return after, rewards.sum(axis=1).reshape(-1, num).mean(axis=1)


def _advantage(
  rewards: Float[Array, "B J"], num: int, discount: float
) -> Float[Array, "B J"]:
  """What is to come of each turn, less the mean of the other tries."""

  def add(later: jax.Array, now: jax.Array) -> tuple[jax.Array, jax.Array]:
    total = now + discount * later
    return total, total

  start = jnp.zeros(rewards.shape[:1])
  _, coming = jax.lax.scan(add, start, rewards.T, reverse=True)
  tries = coming.T.reshape(-1, num, rewards.shape[1])
  # x - mean of the others = num / (num - 1) * (x - mean of all).
  better = tries - tries.mean(axis=1, keepdims=True)
  return (better * num / (num - 1)).reshape(rewards.shape)


def _earlier(x: Bool[Array, "B J"]) -> Bool[Array, "B J"]:
  """One turn later: whether it was so in the turn before."""
  return jnp.pad(x[:, :-1], ((0, 0), (1, 0)))


def _by_turn(x: jax.Array) -> jax.Array:
  """Exchanges rows and turns."""
  return jnp.swapaxes(x, 0, 1)
