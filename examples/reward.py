"""Teaches a trained model better timing by reward alone.

Command: python examples/reward.py --bank BANK --out runs/timing
Hardware: two CPU cores.
Time: a quarter of an hour with nano, some minutes of it compiling.

Recorded people answer now sooner, now later, and a model that imitates them
does so too. So nano is first made to: it imitates conversations in which the
assistant answers up to 0.6 s late, by chance. Then it learns from reward that
promptness is what is wanted. A simulated user speaks; the model answers four
times, by the sampler that serves sessions, each time by another chance. An
answer that begins within two turns of when it was due is rewarded, talking when
nobody asked and silence when an answer is due cost something; what is due, the
labels of synthetic conversations say exactly. What went better than the other
tries becomes likelier (`interaction_jax/train/reward.py`).

Before and after it tells how the model does with voices it has never met,
beside one that does what the labels say and one that is silent, and leaves
the model in `OUT/model`, to be talked to: `talk --checkpoint OUT/model`. What
it was before lies in `OUT/before`.
"""

import argparse
import dataclasses
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from interaction_jax.core import checkpoint, settings
from interaction_jax.core.params import Params
from interaction_jax.data import episodes, generate
from interaction_jax.data.form import Form
from interaction_jax.data.synthetic import world
from interaction_jax.data.synthetic.bank import Bank
from interaction_jax.data.synthetic.voices import Split
from interaction_jax.serve import models
from interaction_jax.train import feed, keep, reward, transfer
from interaction_jax.train import state as states
from interaction_jax.train.config import (
  AdaptConfig,
  Experiment,
  OptimizerConfig,
  TrainConfig,
)
from interaction_jax.train.reward import RewardConfig
from interaction_jax.train.update import update
from interaction_jax.turns import layout
from interaction_jax.turns.schema import Episode

EXAM_SEED = 99
"""Of the users at whom the model is judged, whatever it learns from."""

REWARD = RewardConfig()

LATEST = 3
"""Turns that an imitated answer comes late at most."""


def imitation(line: argparse.Namespace) -> Experiment:
  """A model that speaks already, all of which takes on a habit."""
  optimizer = OptimizerConfig(learning_rate=line.habit_rate, warmup=5, ema=0.9)
  train = TrainConfig(
    num_steps=max(line.habit, 1), seed=line.seed, batch=line.batch,
    optimizer=optimizer,
  )  # fmt: skip
  return Experiment("habit", settings.load(line.config).model, train)


def experiment(line: argparse.Namespace) -> Experiment:
  """The same model, of which the end learns from reward: what decides."""
  model = settings.load(line.config).model
  last = model.backbone.num_layers - 1
  layers = f"backbone/layers/[{last - 1}{last}]"
  train = TrainConfig(
    num_steps=line.steps,
    seed=line.seed,
    batch=line.batch,
    adapt=AdaptConfig(
      # What decides: a voice begins where the text of an answer does.
      whole=(f"{layers}/attention/*", "heads/gate/*", "heads/text/*"),
    ),
    # Experts are chosen as before.
    optimizer=OptimizerConfig(
      learning_rate=line.rate, warmup=5, weight_decay=0.0, ema=0.9, balance=0.0
    ),
  )
  return Experiment(name="timing", model=model, train=train)


def form(plan: Experiment, num_turns: int) -> Form:
  """Rows without pictures, which conversations that are played cannot have."""
  return dataclasses.replace(
    feed.form(plan), num_turns=num_turns, positions=None, rows=0, columns=0,
    patches=0,
  )  # fmt: skip


def users(
  bank: Bank, form: Form, *, seed: int, batch: int, index: int, split: Split
) -> Episode:
  """Simulated users, with voices of a split, and labels of what is due."""
  return episodes.batch(
    bank, seed=seed, index=index, batch_size=batch, split=split, form=form
  ).episode()


def hesitant(users: Episode, key: jax.Array) -> Episode:
  """The same conversations, in each of which all answers come later.

  By as many turns as chance says, up to `LATEST`; what is written and what is
  heard of the assistant moves with its voice.
  """
  batch, num_turns = users.speaks.shape
  by = jax.random.randint(key, (batch, 1), 0, LATEST + 1)
  source = jnp.arange(num_turns) - by
  begun = source >= 0

  def later(x: jax.Array) -> jax.Array:
    index = jnp.maximum(source, 0).reshape(
      batch, num_turns, *[1] * (x.ndim - 2)
    )
    return jnp.take_along_axis(x, index, axis=1)

  return dataclasses.replace(
    users,
    speaks=later(users.speaks) & begun,
    mel=later(users.mel),
    voice=jnp.where(begun[..., None], later(users.voice), 0.0),
    text_out=later(users.text_out),
    num_text_out=jnp.where(begun, later(users.num_text_out), 0),
  )


def judge(speaks: jax.Array, users: Episode) -> dict[str, jax.Array]:
  """The mean reward of a conversation, and what it is made of.

  Args:
    speaks: what a model did, by row and turn.
  """
  alive = layout.upto(users.num_turns, users.speaks.shape[1])

  def total(**weights: float) -> jax.Array:
    cfg = dataclasses.replace(REWARD, **weights)
    found = reward.judge(speaks, users.speaks, alive, cfg=cfg)
    return found.sum(axis=1).mean()

  nothing = {"in_time": 0.0, "intrusion": 0.0, "silence": 0.0}
  return {
    "reward": total(),
    "answers_in_time": total(**nothing | {"in_time": 1.0}),
    "turns_intruded": -total(**nothing | {"intrusion": 1.0}),
    "turns_silent": -total(**nothing | {"silence": 1.0}),
  }


def means(
  exam: Sequence[Episode], speaks: Callable[[int, Episode], jax.Array]
) -> dict[str, float]:
  """What `judge` says of an exam, averaged over its batches."""
  each = [judge(speaks(index, one), one) for index, one in enumerate(exam)]
  return {
    name: round(float(np.mean([one[name] for one in each])), 4)
    for name in each[0]
  }


def run(line: argparse.Namespace) -> dict[str, Any]:
  """Learns, and returns what it came to."""
  began = time.perf_counter()
  habit, plan = imitation(line), experiment(line)
  rows = form(plan, line.turns)
  bank = generate.prepare(Path(line.bank), seed=line.seed)
  exam = [
    users(bank, rows, seed=EXAM_SEED, batch=line.batch, index=index,
          split="held_out")
    for index in range(line.exams)
  ]  # fmt: skip

  @jax.jit
  def played(params: Params, one: Episode, index: jax.Array) -> jax.Array:
    seed = jnp.arange(line.batch, dtype=jnp.uint32) + 1000 * index
    return reward.play(
      params, one, seed, cfg=plan.model, sampling=REWARD.sampling
    ).speaks

  def examined(params: Params) -> dict[str, float]:
    return means(exam, lambda i, one: played(params, one, jnp.uint32(i)))

  loaded = checkpoint.load(models.find(line.model), dtype="float32")
  params = transfer.fitted(
    loaded, world.vocabulary(), jax.random.key(line.seed), cfg=plan.model
  )
  trained = examined(params)
  state = states.restart(params, habit.model, habit.train)
  for step in range(line.habit):
    each = users(bank, rows, seed=line.seed + 1, batch=line.batch, index=step,
                 split="train")  # fmt: skip
    each = hesitant(each, jax.random.fold_in(jax.random.key(line.seed), step))
    state, lost = update(state, each, cfg=habit.model, train=habit.train)
    print(f"{step + 1}/{line.habit} loss {lost.total:.4f}", flush=True)
  params = states.weights(state, cfg=habit.model, train=habit.train)
  out = Path(line.out)
  keep.export(habit, params, out / "before", dtype="float32", overwrite=True)
  state = states.restart(params, plan.model, plan.train)
  report: dict[str, Any] = {
    "conversations": line.batch * line.exams,
    "labels": means(exam, lambda _, one: one.speaks),
    "silence": means(exam, lambda _, one: jnp.zeros_like(one.speaks)),
    "trained": trained,
    "before": examined(params),
    "steps": [],
  }
  for step in range(line.steps):
    state, rewards = reward.learn(
      state,
      users(bank, rows, seed=line.seed, batch=line.batch, index=step,
            split="train"),
      cfg=plan.model,
      train=plan.train,
      reward=REWARD,
    )  # fmt: skip
    report["steps"].append(round(float(rewards.mean()), 4))
    print(f"{step + 1}/{line.steps} reward {report['steps'][-1]}", flush=True)
  taught = states.weights(state, cfg=plan.model, train=plan.train)
  report |= {
    "after": examined(taught),
    "skipped": int(state.skipped),
    "wall_s": round(time.perf_counter() - began, 1),
  }
  keep.export(plan, taught, out / keep.MODEL, dtype="float32", overwrite=True)
  (out / "report.json").write_text(json.dumps(report, indent=2) + "\n")
  for name in ("labels", "silence", "trained", "before", "after"):
    print(f"{name:<8} {json.dumps(report[name])}")
  return report


def main(words: Sequence[str] | None = None) -> dict[str, Any]:
  """Reads the command line, and runs."""
  parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
  parser.add_argument("--out", required=True, help="the folder to write")
  parser.add_argument("--bank", default="bank", help="the speech bank")
  parser.add_argument("--model", default="nano", help="that learns")
  parser.add_argument("--config", default="nano", help="of that model")
  parser.add_argument("--habit", type=int, default=60, help="steps, imitating")
  parser.add_argument("--habit-rate", type=float, default=1e-3, help="of those")
  parser.add_argument("--steps", type=int, default=60, help="from reward")
  parser.add_argument("--batch", type=int, default=8, help="conversations")
  parser.add_argument("--turns", type=int, default=32, help="of each")
  parser.add_argument("--exams", type=int, default=6, help="held-out batches")
  parser.add_argument("--rate", type=float, default=6e-4, help="of learning")
  parser.add_argument("--seed", type=int, default=0)
  return run(parser.parse_args(words))


if __name__ == "__main__":
  main()
