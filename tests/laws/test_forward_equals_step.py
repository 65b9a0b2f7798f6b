"""`forward` over an episode equals `step` over its turns, gradients too.

A run makes its own text and voice; what it made is then an episode, over
which `forward` must expect the same. Positions outgrow every memory.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.model import interaction
from interaction_jax.model import step as steps
from interaction_jax.model.forward import forward
from interaction_jax.ops import spectral
from interaction_jax.turns import clock, layout
from interaction_jax.turns.schema import Episode, Media

J = 12
START = np.asarray([0, 144_000, 77], np.int32)
NUM_TURNS = np.asarray([J, J, 8], np.int32)
NUM_PINNED = np.asarray([6, 0, 4], np.int32)
NUM_PAIRS = 4
# Which pair of frames a turn has: some rows often, some never. In turn 0 one
# `absorb` is given instructions and frames.
FRAMES_OF = np.full((3, J), -1, np.int32)
FRAMES_OF[0, [1, 4, 5]] = [0, 1, 3]
FRAMES_OF[2, [0, 1, 5]] = [3, 2, 0]

# Sums over tens of terms in another order, some ten of them in a row: hidden
# states of size 4 come out 2.4e-6 apart, ten ulps. Four times that is allowed.
CLOSE = {"rtol": 1e-5, "atol": 1e-5}


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Case:
  """Everything that is drawn for a run.

  Attributes:
    weigh_logits, weigh_gate: the random projection whose gradient is taken.
  """

  turns: Any
  pinned: jax.Array
  frames: jax.Array
  weigh_logits: jax.Array
  weigh_gate: jax.Array


def draw(small, seed):
  rng = np.random.default_rng(seed)
  batch = len(START)
  video, vocab = small.cfg.video, small.cfg.text.vocab_size
  side = (video.rows * video.patch, video.columns * video.patch)
  turns = [small.turn(rng, batch, turn < NUM_TURNS) for turn in range(J)]
  shape = (batch, J, small.cfg.turn.text_out + 1, vocab)
  frames = rng.integers(0, 256, (batch, NUM_PAIRS, 2, *side, 3))
  return Case(
    turns=jax.tree.map(lambda *leaves: jnp.stack(leaves), *turns),
    pinned=small.tokens(rng, batch, 6),
    frames=jnp.asarray(frames, jnp.uint8),
    weigh_logits=jnp.asarray(rng.normal(size=shape), jnp.float32),
    weigh_gate=jnp.asarray(rng.normal(size=shape[:2]), jnp.float32),
  )


def project(case, text, logits, gate):
  """A number that hears of every choice made, and of nothing else."""
  alive = jnp.arange(J) < NUM_TURNS[:, None]
  made = jnp.arange(logits.shape[2]) <= text[..., None]
  made = made & alive[..., None]
  logits = jnp.where(made[..., None], logits * case.weigh_logits, 0.0)
  return logits.sum() + jnp.where(alive, gate * case.weigh_gate, 0.0).sum()


def by_row(x):
  """From one axis J in front to one behind B."""
  return jax.tree.map(lambda leaf: jnp.moveaxis(leaf, 0, 1), x)


def media_at(case, turn, pair):
  """Instructions before the first turn, video before some of the others."""
  row = jnp.arange(len(START))
  told = jnp.where(turn == 0, jnp.asarray(NUM_PINNED), 0)
  return Media(
    active=(told > 0) | (pair >= 0),
    text=case.pinned,
    num_text=told,
    pinned=jnp.ones_like(told, bool),
    frames=case.frames[row, jnp.maximum(pair, 0)],
    has_frames=pair >= 0,
  )


def run(params, case, *, small):
  """A session a row, scanned with `traced_step`, which has a gradient."""

  def body(state, now):
    index, turn, pair = now
    media = media_at(case, index, pair)
    state = steps.absorb(params, state, media, cfg=small.cfg)
    state, out, trace = steps.traced_step(
      params, state, turn, cfg=small.cfg, sampling=small.sampling, loop="scan"
    )
    return state, (out, trace)

  now = (jnp.arange(J), case.turns, jnp.asarray(FRAMES_OF.T))
  after, (out, trace) = jax.lax.scan(body, small.start(START), now)
  return after, by_row(out), by_row(trace)


def episode_of(case, out):
  """What a run heard and made, as a recording of it."""
  silence = jnp.zeros((len(START), 1, clock.SAMPLES))
  turns = by_row(case.turns)
  return Episode(
    start=jnp.asarray(START),
    num_turns=jnp.asarray(NUM_TURNS),
    heard=turns.heard,
    voice=jnp.concatenate([silence, out.voice[:, :-1]], axis=1),
    speaks=out.speaks,
    mel=out.mel,
    text_in=turns.text,
    num_text_in=turns.num_text,
    text_out=out.text,
    num_text_out=out.num_text,
    pinned=case.pinned,
    num_pinned=jnp.asarray(NUM_PINNED),
    frames=case.frames,
    frames_of=jnp.asarray(FRAMES_OF),
    lost=turns.lost,
  )


@dataclasses.dataclass(frozen=True)
class Compared:
  """Both ways, and the gradients of both."""

  case: Case
  after: Any
  out: Any
  trace: Any
  by_step: Any
  seen: Any
  by_forward: Any


@pytest.fixture(scope="module")
def programs(small):
  def stepped(params, case):
    after, out, trace = run(params, case, small=small)
    value = project(case, out.num_text, trace.logits, out.gate)
    return value, (after, out, trace)

  def seen(params, case, episode):
    seen = forward(params, episode, cfg=small.cfg)
    text = episode.num_text_out
    return project(case, text, seen.logits, seen.gate), seen

  # Unoptimised they compile in half the time, and prove the same.
  quick = {"xla_backend_optimization_level": 0}
  return tuple(
    jax.jit(jax.grad(program, has_aux=True), compiler_options=quick)
    for program in (stepped, seen)
  )


@pytest.fixture(scope="module", params=[0, 1], ids=["one", "another"])
def compared(request, small, programs):
  stepped, seen = programs
  case = draw(small, request.param)
  by_step, (after, out, trace) = stepped(small.params, case)
  by_forward, predictions = seen(small.params, case, episode_of(case, out))
  return Compared(case, after, out, trace, by_step, predictions, by_forward)


def alive():
  return np.arange(J) < NUM_TURNS[:, None]


def test_the_run_is_a_hard_one(small, compared):
  out, after = compared.out, compared.after
  memory, here = small.cfg.memory, alive()
  written = set(np.asarray(out.num_text)[here].tolist())
  assert written == set(range(small.cfg.turn.text_out + 1))
  assert set(np.asarray(out.speaks)[here].tolist()) == {False, True}
  assert not np.asarray(out.ended)[here].all()
  counts = np.asarray(after.memory.counts)
  assert (counts[:, 1] > memory.text).all()
  assert (counts[:, 2] > memory.media + memory.block).all()
  assert (counts[:, 0] == NUM_PINNED).all()
  # Sounds that are all alike would hide an error in how they are heard.
  for sound in (by_row(compared.case.turns).heard, out.voice):
    sound = sound.reshape(len(START), -1)
    audio = small.cfg.audio
    tail = spectral.initial_tail(3, hop=audio.hop, window=audio.window)
    _, levels = interaction.listen(tail, sound, cfg=small.cfg)
    assert len(np.unique(levels)) > 3


def test_no_position_is_dropped(compared):
  assert compared.seen.dropped.tolist() == [0, 0, 0]
  here = alive()
  counted = int(compared.seen.load[0].sum())
  assert counted == 2 * int(compared.after.memory.length.sum())
  assert compared.after.turn.tolist() == (START + here.sum(axis=1)).tolist()


@pytest.mark.parametrize("what", ["hidden", "gate"])
def test_turns_end_alike(compared, what):
  stepped = compared.trace.hidden if what == "hidden" else compared.out.gate
  np.testing.assert_allclose(
    np.asarray(getattr(compared.seen, what))[alive()],
    np.asarray(stepped)[alive()],
    **CLOSE,
  )


def test_every_choice_of_text_is_alike(compared):
  places = compared.trace.logits.shape[2]
  made = np.asarray(layout.upto(compared.out.num_text + 1, places))
  made = made & alive()[..., None]
  assert made.sum() > 50
  np.testing.assert_allclose(
    np.asarray(compared.seen.logits)[made],
    np.asarray(compared.trace.logits)[made],
    **CLOSE,
  )


def test_gradients_are_alike(compared):
  """Relative to the largest of each parameter: small ones are differences.

  Sums over all positions, in another order than those of a scan backwards,
  come out up to 2e-5 of the largest number apart.
  """
  named = jax.tree_util.tree_leaves_with_path(compared.by_step)
  moved = 0
  for (path, one), other in zip(
    named, jax.tree.leaves(compared.by_forward), strict=True
  ):
    name = jax.tree_util.keystr(path)
    one, other = np.asarray(one), np.asarray(other)
    largest = np.abs(other).max()
    moved += largest > 1e-3
    np.testing.assert_allclose(
      one, other, rtol=0, atol=1e-4 * largest + 1e-6, err_msg=name
    )
  assert moved > 40


def test_voice_and_vocoder_have_no_gradient_through_the_feedback(compared):
  heads = compared.by_step["heads"]
  for leaf in jax.tree.leaves([heads["flow"], heads["vocoder"]]):
    assert not np.asarray(leaf).any()


def test_turn_by_turn_is_the_same(small, compared, same_bits):
  """`step` as it is served: its loop stops when all rows have ended."""
  case, state, outs = compared.case, small.start(START), []
  for index in range(J):
    media = media_at(case, index, jnp.asarray(FRAMES_OF[:, index]))
    state = small.absorb(state, media)
    turn = jax.tree.map(lambda leaf, index=index: leaf[index], case.turns)
    state, out = small.step(state, turn)
    outs.append(out)
  out = by_row(jax.tree.map(lambda *leaves: jnp.stack(leaves), *outs))
  for name in ("text", "num_text", "speaks", "ended"):
    same_bits(getattr(out, name), getattr(compared.out, name))
  same_bits(state.memory.counts, compared.after.memory.counts)
  np.testing.assert_allclose(out.gate, compared.out.gate, **CLOSE)
  # Guidance takes differences, which makes what is apart a few times larger.
  np.testing.assert_allclose(out.mel, compared.out.mel, rtol=0, atol=2e-4)
