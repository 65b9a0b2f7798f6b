"""From which position should a turn's voice be made? Both ways, side by side.

Command: python benchmarks/voice_query.py --bank BANK --out voice_query.json
Hardware: two CPU cores.
Time: a quarter of an hour.

    shared   [what came in] [text]            its last hidden state chooses END
                                 ^            and speaks
    query    [what came in] [text] [query]    the same state chooses END, that
                                      ^       of a position of its own speaks

A query is END itself, taken in as one token more: the embedding of that token
is the learned query, and one pass of the backbone a turn is its price. Both
learn from the same batches, by the same losses, from the same seeds, in turn.
What is compared is what comes out of pure noise on voices never trained on,
with the recorded text and past.
"""

import argparse
import dataclasses
import functools
import json
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from interaction_jax.core import settings
from interaction_jax.data import episodes
from interaction_jax.data.synthetic import bank as banks
from interaction_jax.evals.bench import machine
from interaction_jax.model import config, interaction
from interaction_jax.model import state as sessions
from interaction_jax.model.forward import forward
from interaction_jax.model.heads.flow import Condition
from interaction_jax.train import feed, losses, update
from interaction_jax.train import state as states
from interaction_jax.train.config import (
  DataConfig,
  Experiment,
  LossConfig,
  OptimizerConfig,
  TrainConfig,
)
from interaction_jax.turns import layout
from interaction_jax.turns.schema import Episode
from interaction_jax.turns.vocabulary import Control

WAYS = ("shared", "query")
RIVALS = 10
"""Turns among which a made voice is looked for, its own included."""


def experiment(num_steps: int, seed: int) -> Experiment:
  """A quarter of `nano`: its vocabulary and its ears, a smaller middle."""
  nano = settings.load("nano").model
  attention = {"query_heads": 4, "key_heads": 2, "head_width": 24}
  backbone = dataclasses.replace(
    nano.backbone,
    width=96,
    num_layers=4,
    global_layers=(1, 3),
    dense_width=256,
    window_attention=config.AttentionConfig(**attention, reach=48),
    global_attention=config.AttentionConfig(**attention, reach=128),
    experts=dataclasses.replace(nano.backbone.experts, width=48),
  )
  model = dataclasses.replace(
    nano,
    backbone=backbone,
    flow=dataclasses.replace(nano.flow, width=96, num_layers=3),
  )
  train = TrainConfig(
    num_steps=num_steps,
    seed=seed,
    batch=6,
    losses=LossConfig(flow_draws=2),
    optimizer=OptimizerConfig(learning_rate=3e-3, warmup=30, ema=0.99),
    data=DataConfig(num_turns=40, positions=360),
  )
  return Experiment(name="voice_query", model=model, train=train)


def queried(episode: Episode, cfg: config.InteractionConfig) -> Episode:
  """The episode with END as one token more behind the text of each turn."""
  end = (cfg.text.first_control or 0) + int(Control.END)
  text = jnp.pad(episode.text_out, ((0, 0), (0, 0), (0, 1)))
  behind = jnp.arange(text.shape[2]) == episode.num_text_out[..., None]
  return dataclasses.replace(
    episode,
    text_out=jnp.where(behind, end, text),
    num_text_out=episode.num_text_out + 1,
  )


def wider(cfg: config.InteractionConfig) -> config.InteractionConfig:
  """The model with room for one token more in a turn."""
  turn = dataclasses.replace(cfg.turn, text_out=cfg.turn.text_out + 1)
  return dataclasses.replace(cfg, turn=turn)


class Way:
  """One of the two, while it learns.

  Attributes:
    seconds: spent on updates, those that compiled left out.
  """

  def __init__(self, name: str, plan: Experiment):
    self.name, self.train = name, plan.train
    self.own = plan.model
    self.cfg = wider(plan.model) if name == "query" else plan.model
    self.state = states.begin(self.cfg, self.train)
    self.seconds: list[float] = []
    self._learn = jax.jit(self._step, donate_argnums=0)
    self._judge = jax.jit(self._judged)

  def learn(self, episode: Episode) -> None:
    """One update."""
    began = time.perf_counter()
    self.state = jax.block_until_ready(self._learn(self.state, episode))
    self.seconds.append(time.perf_counter() - began)

  def judge(self, held_out: list[Episode]) -> dict[str, float]:
    """How good it is now."""
    weights = states.weights(self.state, cfg=self.cfg, train=self.train)
    each = [self._judge(weights, episode, i) for i, episode in
            enumerate(held_out)]  # fmt: skip
    summed = {name: np.sum([one[name] for one in each], axis=0)
              for name in each[0]}  # fmt: skip
    return {name: round(float(a / b), 5) for name, (a, b) in summed.items()}

  def _given(self, episode: Episode) -> Episode:
    return queried(episode, self.own) if self.name == "query" else episode

  def _length(self, episode: Episode) -> int:
    own = self.train.data.positions
    assert own is not None, "rows are cut where their positions are used up"
    return own + (episode.speaks.shape[1] if self.name == "query" else 0)

  def _step(self, state: Any, episode: Episode) -> Any:
    key = jax.random.fold_in(jax.random.key(state.seed), state.step)

    def loss(params: Any) -> tuple[jax.Array, Any]:
      tally = losses.tally(
        params,
        self._given(episode),
        key,
        cfg=self.cfg,
        weights=self.train.losses,
        length=self._length(episode),
      )
      counts = tally
      if self.name == "query":
        # What follows a query is known, and no choice.
        text = dataclasses.replace(
          tally.text, count=tally.text.count - tally.gate.count
        )
        counts = dataclasses.replace(tally, text=text)
      parts = losses.means(tally, weights=self.train.losses, counts=counts)
      return parts.total, parts

    gradient, parts = jax.grad(loss, has_aux=True)(state.params)
    fine = jnp.isfinite(parts.total)
    return update.apply(
      state, gradient, fine, parts.load, cfg=self.cfg, train=self.train
    )

  def _judged(
    self, params: Any, episode: Episode, index: int
  ) -> dict[str, jax.Array]:
    """Sums and counts of each measure over a batch."""
    cfg, given = self.cfg, self._given(episode)
    seen = forward(params, given, cfg=cfg, length=self._length(episode))
    alive = layout.upto(episode.num_turns, episode.speaks.shape[1]) & seen.fits
    target, made = losses.choices(episode, cfg=self.own)
    made &= alive[..., None]
    logits = seen.logits[:, :, : target.shape[2]]
    text = optax.softmax_cross_entropy_with_integer_labels(logits, target)
    gate = optax.sigmoid_binary_cross_entropy(
      seen.gate, episode.speaks.astype(jnp.float32)
    )
    spoken = episode.speaks & alive
    wanted = jnp.maximum(episode.mel, cfg.vocoder.floor)
    mel = _flat(self._voice(params, seen.hidden, given, wanted, index))
    wanted, spoken = _flat(wanted), spoken.reshape(-1)
    error = jnp.abs(mel - wanted).mean(axis=(1, 2))
    found = _found(mel, wanted, spoken)
    return {
      "text_nats": _total(text, made),
      "gate_nats": _total(gate, alive),
      "gate_wrong": _total((seen.gate > 0) != episode.speaks, alive),
      "mel_error": _total(error, spoken),
      "found": _total(found, spoken),
    }

  def _voice(self, params, hidden, episode, wanted, index):
    """Every turn's frames, from pure noise, as `step` makes them."""
    cfg = self.cfg
    batch = episode.speaks.shape[0]
    target = (wanted - cfg.flow.mel_mean) / cfg.flow.mel_std
    silent = sessions.silent_mel(batch, target.shape[2], cfg=cfg)[:, None]
    before = jnp.where(episode.speaks[..., None, None], target, silent)
    before = jnp.concatenate([silent, before[:, :-1]], axis=1)
    model = interaction.bind(params, cfg=cfg)
    condition = Condition(
      hidden=_flat(hidden),
      text=model.embed.text(_flat(episode.text_out)),
      text_mask=layout.upto(
        episode.num_text_out.reshape(-1), cfg.turn.text_out
      ),
      past=_flat(before[:, :, -cfg.flow.past_frames :]),
    )
    sampling = config.SamplingConfig()
    key = jax.random.fold_in(jax.random.key(0), index)
    noise = jax.random.normal(key, _flat(target).shape)
    made = model.heads.flow.make(
      noise * sampling.flow_temperature**0.5,
      condition,
      num_steps=sampling.flow_steps,
      guidance=sampling.guidance,
    )
    made = made * cfg.flow.mel_std + cfg.flow.mel_mean
    return jnp.maximum(made, cfg.vocoder.floor).reshape(target.shape)


def _found(mel: jax.Array, wanted: jax.Array, spoken: jax.Array) -> jax.Array:
  """Whether each voice is nearer to its own target than to any rival's.

  Rivals are other spoken turns of the batch, whatever they say; at random one
  in `RIVALS` is found.
  """
  order = jnp.argsort(~spoken, stable=True)
  num = jnp.maximum(spoken.sum(), 1)
  rank = jnp.cumsum(spoken) - 1
  steps = 1 + 7 * jnp.arange(RIVALS - 1)
  rivals = order[(rank[:, None] + steps) % num]
  own = jnp.abs(mel - wanted).mean(axis=(1, 2))
  other = jnp.abs(mel[:, None] - wanted[rivals]).mean(axis=(2, 3))
  return (own[:, None] <= other).all(axis=1)


def _flat(x: jax.Array) -> jax.Array:
  return x.reshape(-1, *x.shape[2:])


def _total(x: jax.Array, mask: jax.Array) -> jax.Array:
  """A sum, and over how many."""
  return jnp.stack([jnp.where(mask, x, 0.0).sum(), mask.sum()])


def main() -> None:
  """Trains both for every seed, and writes what came of it after each mark."""
  flags = argparse.ArgumentParser()
  flags.add_argument("--bank", required=True)
  flags.add_argument("--out", required=True)
  flags.add_argument("--steps", type=int, default=500)
  flags.add_argument("--every", type=int, default=100)
  flags.add_argument("--seeds", type=int, default=2)
  flags.add_argument("--held-out", type=int, default=6)
  line = flags.parse_args()
  bank = banks.load(Path(line.bank))
  plan = experiment(line.steps, 0)
  form = dataclasses.replace(feed.form(plan), rows=0, columns=0, patches=0)
  make = functools.partial(
    episodes.batch, bank, seed=1, batch_size=plan.train.batch, form=form
  )
  held_out = [
    make(index=index, split="held_out").episode()
    for index in range(line.held_out)
  ]
  report: dict[str, Any] = {"machine": machine.describe(), "rows": []}
  ways = [
    Way(name, experiment(line.steps, seed))
    for seed in range(line.seeds)
    for name in WAYS
  ]
  for step in range(line.steps):
    episode = make(index=step, split="train").episode()
    for way in ways:
      way.learn(episode)
    if (step + 1) % line.every and step + 1 != line.steps:
      continue
    for way in ways:
      row = {
        "way": way.name,
        "seed": way.train.seed,
        "steps": step + 1,
        "step_ms": round(1000 * float(np.median(way.seconds[1:])), 1),
        **way.judge(held_out),
      }
      report["rows"].append(row)
      print(json.dumps(row), flush=True)
    Path(line.out).write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
  main()
