"""What a model changes when its experts take a byte a number.

choices   a model as it is stored listens to conversations; then it and its
          quantised forms are asked again for every choice that it made,
          tokens and gates, with what it did as their own past
bytes     of the weights
turn      a turn of each, side by side
layer     experts as wide as those of the full size, against float32
"""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from interaction_jax.core.params import Params
from interaction_jax.data import media
from interaction_jax.data.synthetic import bank as banks
from interaction_jax.data.synthetic import perform
from interaction_jax.evals.bench import timing
from interaction_jax.evals.bench.timing import Row, Task
from interaction_jax.model import step
from interaction_jax.model.config import InteractionConfig
from interaction_jax.model.forward import forward
from interaction_jax.ops import dispatch, quantised
from interaction_jax.ops.dispatch import ExpertWeights, Routing
from interaction_jax.serve import models
from interaction_jax.serve.conversation import Ready, Turn
from interaction_jax.serve.models import Model
from interaction_jax.serve.session import Session
from interaction_jax.turns import clock
from interaction_jax.turns.schema import Episode

_EXAMPLE: Final = Path(__file__).parents[3] / "examples" / "conversation.flac"
"""What is heard where there is no bank; it comes with a checkout."""

_ROOM: Final = 128
"""Positions of a row are a multiple of it, so that few lengths are compiled."""


@dataclasses.dataclass(frozen=True)
class Layer:
  """The sizes of a layer of experts.

  Attributes:
    width, inner: as in the full size.
    experts: of which a position chooses one.
    positions: as many as a turn brings.
  """

  width: int = 4096
  inner: int = 2048
  experts: int = 2
  positions: int = 8


@dataclasses.dataclass(frozen=True, eq=False)
class _Heard:
  """A conversation, and what a model did in it."""

  episode: Episode
  turns: tuple[Turn, ...]


def run(
  model: Model,
  *,
  rounds: int,
  sounds: Sequence[Float[np.ndarray, " _"]],
  kinds: Sequence[str] = quantised.KINDS,
  layer: Layer = Layer(),
  progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
  """Compares a model with its quantised forms.

  Args:
    model: as it is stored.
    rounds: how often turns and layers are timed in turn.
    sounds: of users at 16 kHz, one for each conversation; see `heard`.
    progress: is told how much is done, and how much there is.

  Raises:
    ValueError: there is nothing to hear, or the model has no routed experts.
  """
  if not any(len(sound) >= clock.SAMPLES for sound in sounds):
    raise ValueError(
      f"sounds: {len(sounds)} of them, none of which lasts for a turn of "
      f"{clock.SAMPLES} samples."
    )
  total = 3 + len(kinds)
  others = {kind: _narrowed(model, kind) for kind in kinds}
  talks = [_listen(model, sound) for sound in sounds]
  progress(1, total)
  asked = [_ask(model.params, talk, model.cfg) for talk in talks]
  report: dict[str, Any] = {
    "model": model.name,
    "conversations": len(talks),
    "turns": sum(len(talk.turns) for talk in talks),
    "bytes": model.nbytes,
    "as_recorded": _as_recorded(asked, talks),
    "rows": [],
  }
  found = {}
  for number, (kind, other) in enumerate(others.items()):
    found[kind] = _compared(
      asked, [_ask(other.params, talk, model.cfg) for talk in talks]
    )
    found[kind]["bytes"] = other.nbytes
    progress(2 + number, total)
  report["rows"] += _turns(model, others, found, rounds)
  progress(total - 1, total)
  report["rows"] += _layers(kinds, layer, rounds)
  progress(total, total)
  return report


def heard(
  bank: str | Path | None, *, num: int = 8, num_turns: int = 100
) -> list[Float[np.ndarray, " _"]]:
  """What users say in held-out conversations of a bank.

  Args:
    bank: None: the conversation in `examples/` instead.
    num, num_turns: how many there are, and how long each is.

  Raises:
    FileNotFoundError: there is no such bank, or no example.
  """
  if bank is None:
    if not _EXAMPLE.is_file():
      raise FileNotFoundError(
        f"{_EXAMPLE} is not there, since this is no checkout; --bank BANK "
        "makes conversations instead."
      )
    return [np.concatenate(list(media.sound(_EXAMPLE)))]
  found = banks.load(bank)
  return [
    perform.record(
      found,
      np.random.default_rng((0, number)),
      num_turns=num_turns,
      split="held_out",
      video=0.0,
      lossy=0.0,
    ).heard
    for number in range(num)
  ]


def summary(report: Mapping[str, Any]) -> str:
  """The report as a person reads it."""
  lines = [
    f"{report['model']}: {report['turns']} turns of {report['conversations']} "
    f"conversations, {report['bytes'] / 1e6:.1f} MB"
  ]
  for row in report["rows"]:
    if "choices" in row:
      lines.append(
        f"{row['what']}: {row['changed']} of {row['choices']} choices changed, "
        f"logits are off by {row['logits_rms']:.2%} (rms), "
        f"{row['bytes'] / 1e6:.1f} MB; a turn takes {row['ratio']:.2f} of what "
        f"it took ({row['ours_ms']:.1f} ms)"
      )
    else:
      lines.append(
        f"{row['what']}: off by {row['error']:.2%} (rms), "
        f"{row['bytes'] / 1e6:.1f} MB; {row['ours_ms']:.1f} ms"
        + ("" if row["ratio"] is None else f", {row['ratio']:.2f} of bfloat16")
      )
  return "\n".join(lines)


def _narrowed(model: Model, kind: str) -> Model:
  other = models.of(
    model.params,
    cfg=model.cfg,
    words=model.words,
    name=model.name,
    quantise={"experts": kind},
  )
  return dataclasses.replace(other, cache=model.cache)


# Choices.


def _listen(model: Model, sound: Float[np.ndarray, " _"]) -> _Heard:
  """Has a model listen, and keeps what it did as its past."""
  cfg, num = model.cfg, len(sound) // clock.SAMPLES
  sound = np.asarray(sound[: num * clock.SAMPLES], np.float32)
  turns = Session(model).push(sound).turns
  most = cfg.turn.text_out
  text = np.zeros((num, most), np.int32)
  for turn in turns:
    text[turn.index, : len(turn.text)] = turn.text
  # What a turn makes is audible in the next one.
  voice = np.zeros((num + 1, clock.SAMPLES), np.float32)
  voice[1:] = [turn.voice for turn in turns]

  def row(values: Any, kind: Any) -> jax.Array:
    return jnp.asarray(np.asarray(values, kind)[None])

  episode = Episode(
    start=row(0, np.int32),
    num_turns=row(num, np.int32),
    heard=row(sound.reshape(num, -1), np.float32),
    voice=row(voice[:-1], np.float32),
    speaks=row([turn.speaks for turn in turns], bool),
    mel=row([turn.mel for turn in turns], np.float32),
    text_in=row(np.zeros((num, 1)), np.int32),
    num_text_in=row(np.zeros(num), np.int32),
    text_out=row(text, np.int32),
    num_text_out=row([len(turn.text) for turn in turns], np.int32),
    pinned=row(np.zeros(0), np.int32),
    num_pinned=row(0, np.int32),
  )
  return _Heard(episode, turns)


@dataclasses.dataclass(frozen=True, eq=False)
class _Asked:
  """What a model expects at every choice of a conversation, in order.

  Attributes:
    logits: of the tokens that it may write.
    gate: of every turn.
  """

  logits: Float[np.ndarray, "_ V"]
  gate: Float[np.ndarray, " J"]


def _ask(params: Params, talk: _Heard, cfg: InteractionConfig) -> _Asked:
  num = len(talk.turns)
  spoken = sum(turn.speaks for turn in talk.turns)
  written = sum(len(turn.text) for turn in talk.turns)
  needed = num + (num + spoken) * cfg.audio_positions + written
  length = -(-needed // _ROOM) * _ROOM
  found = _forward(params, talk.episode, cfg=cfg, length=length)
  assert not np.asarray(found.dropped).any(), "all positions have room"
  # At the end of its budget a turn ends without a choice.
  places = np.arange(cfg.turn.text_out)
  counts = np.asarray(talk.episode.num_text_out)[0]
  chosen = places <= counts[:, None]
  logits = np.asarray(found.logits, np.float32)[0, :, : cfg.turn.text_out]
  may = np.asarray(step.allowed(cfg))
  return _Asked(logits[chosen][:, may], np.asarray(found.gate)[0])


_forward = functools.partial(jax.jit, static_argnames=("cfg", "length"))(
  forward
)


def _as_recorded(asked: Sequence[_Asked], talks: Sequence[_Heard]) -> float:
  """The share of gates that turn out as they did turn by turn."""
  same = [
    (one.gate > 0) == np.asarray([turn.speaks for turn in talk.turns])
    for one, talk in zip(asked, talks, strict=True)
  ]
  return round(float(np.concatenate(same).mean()), 5)


def _compared(
  before: Sequence[_Asked], after: Sequence[_Asked]
) -> dict[str, Any]:
  """How many choices are others, and how far logits have moved."""

  def joined(asked: Sequence[_Asked], name: str) -> np.ndarray:
    return np.concatenate([getattr(one, name) for one in asked])

  was, now = joined(before, "logits"), joined(after, "logits")
  opened, opens = joined(before, "gate") > 0, joined(after, "gate") > 0
  tokens = int((was.argmax(-1) != now.argmax(-1)).sum())
  gates = int((opened != opens).sum())
  moved = np.sqrt(np.mean((now - was) ** 2) / np.mean(was**2))
  return {
    "choices": len(was) + len(opened),
    "changed": tokens + gates,
    "changed_tokens": tokens,
    "changed_gates": gates,
    "logits_rms": round(float(moved), 6),
  }


# Times.


def _turns(
  model: Model,
  others: Mapping[str, Model],
  found: Mapping[str, dict[str, Any]],
  rounds: int,
) -> list[Row]:
  """A turn that hears noise, the first of a session, of each form."""
  forms = {"stored": model, **others}
  times = timing.measure(
    {name: _turn(form) for name, form in forms.items()}, rounds=rounds
  )
  return [
    timing.row(
      f"turn, {kind}",
      times[kind],
      dtype=model.cfg.dtype,
      batch=1,
      peer="as stored",
      peer_times=times["stored"],
      **found[kind],
    )
    for kind in others
  ]


def _turn(model: Model) -> Task:
  compiled = model.programs(models.GREEDY)
  noise = np.random.default_rng(1).normal(0, 0.1, clock.SAMPLES)
  ready = Ready(0, noise.astype(np.float32), (), None, (0.0, 0.0), ())
  start = compiled.open(model.params, 0)

  def copy() -> Any:
    return jax.block_until_ready(jax.tree.map(jnp.copy, start))

  def call(state: Any) -> np.ndarray:
    turn = compiled.heard({0: ready})
    return np.asarray(compiled.step(model.params, state, turn)[1].voice)

  return Task(call, copy)


def _layers(kinds: Sequence[str], sizes: Layer, rounds: int) -> list[Row]:
  """The walk over experts, with activations in bfloat16."""
  rng = np.random.default_rng(0)

  def draw(*shape: int) -> jax.Array:
    drawn = rng.standard_normal(shape, np.float32)
    return jnp.asarray(drawn * shape[-2] ** -0.5)

  num, width, inner = sizes.experts, sizes.width, sizes.inner
  exact = (
    draw(num, width, inner),
    draw(num, width, inner),
    draw(num, inner, width),
  )
  x = jnp.asarray(rng.standard_normal((sizes.positions, width)), jnp.float32)
  at = jnp.arange(sizes.positions, dtype=jnp.int32)[:, None] % num
  share = jnp.ones((sizes.positions, 1))
  run = jax.jit(lambda x, w: dispatch.gathered(x, Routing(at, share, share), w))
  wanted = np.asarray(run(x, ExpertWeights(*exact)))
  x = x.astype(jnp.bfloat16)
  forms = dict(_forms(exact, kinds))
  times = timing.measure(
    {
      name: Task(lambda _, w=w: jax.block_until_ready(run(x, w)))
      for name, w in forms.items()
    },
    rounds=rounds,
  )
  rows = []
  for name, weights in forms.items():
    off = np.asarray(run(x, weights), np.float32) - wanted
    error = np.sqrt(np.mean(off**2) / np.mean(wanted**2))
    peer = None if name == "bfloat16" else "bfloat16"
    rows.append(
      timing.row(
        f"layer, {name}",
        times[name],
        dtype="bfloat16",
        batch=sizes.positions,
        peer=peer,
        peer_times=None if peer is None else times[peer],
        error=round(float(error), 6),
        bytes=sum(leaf.nbytes for leaf in jax.tree.leaves(weights)),
      )
    )
  return rows


def _forms(
  exact: Sequence[jax.Array], kinds: Sequence[str]
) -> Iterator[tuple[str, ExpertWeights]]:
  yield "bfloat16", ExpertWeights(*(w.astype(jnp.bfloat16) for w in exact))
  for kind in kinds:
    yield kind, ExpertWeights(*(quantised.convert(w, kind) for w in exact))
