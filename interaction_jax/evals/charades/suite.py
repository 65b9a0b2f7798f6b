"""Charades: "start" and "stop", said when somebody does something.

Which of its two annotations was used for the published number is not known;
both are here, each as a part of its own.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from interaction_jax.data.record import Record
from interaction_jax.data.synthetic import scene, world
from interaction_jax.data.synthetic.scene import Thing
from interaction_jax.evals import clip, protocol
from interaction_jax.evals.charades import layout
from interaction_jax.evals.charades import score as overlaps
from interaction_jax.evals.charades.layout import Moment
from interaction_jax.evals.clip import Scene
from interaction_jax.evals.harness.inventory import Inventory
from interaction_jax.evals.harness.item import Act, Canvas, Item
from interaction_jax.evals.harness.judge import Judge
from interaction_jax.evals.harness.narrator import Spoken
from interaction_jax.evals.harness.suite import (
  Reply,
  Row,
  Score,
  Suite,
  write_json,
)
from interaction_jax.evals.protocol import Protocol
from interaction_jax.turns import clock

USUAL: Final = Protocol(
  "Say 'start' when the person starts doing {action} then say 'Stop' when they "
  "stop."
)
"""The words are published; the silence after them is that of the same
authors' other video benchmark."""

_PARTS: Final = ("actions", "sentences")
_PUBLISHED: Final = {
  "TML-Interaction-Small": 0.324,
  "GPT-realtime-2.0 min": 0.0,
}


def load(inventory: Inventory) -> list[Item]:
  """An item for every action and every sentence of a video."""
  moments = [("actions", one) for one in layout.actions(inventory)]
  moments += [("sentences", one) for one in layout.sentences(inventory)]
  if not moments and not inventory.problems:
    inventory.note(f"{layout.ACTIONS} or {layout.SENTENCES}", "missing")
  plan = protocol.read(inventory, USUAL)
  place = layout.videos(inventory)
  ids = dict.fromkeys(one.video for _, one in moments)
  inventory.extra(place, [f"{name}.mp4" for name in ids])
  seconds = {name: inventory.video(f"{place}/{name}.mp4") for name in ids}
  for _, one in moments:
    if seconds[one.video] is None:
      inventory.leave_out(one.name)
  usable = [pair for pair in moments if seconds[pair[1].video] is not None]
  prompts = protocol.spoken(
    {one.name: plan.says(action=one.happens) for _, one in usable}
  )
  return [
    _item(
      part,
      one,
      inventory.root / place / f"{one.video}.mp4",
      seconds[one.video] or 0.0,
      plan,
      prompts[one.name],
    )
    for part, one in usable
  ]


def _item(
  part: str,
  moment: Moment,
  video: Path,
  seconds: float,
  plan: Protocol,
  prompt: Spoken,
) -> Item:
  begin = plan.begin(prompt)
  length = begin + seconds + plan.reply
  when = tuple((begin + first, begin + last) for first, last in moment.when)
  first, last = when[0]
  return Item(
    name=moment.name,
    part=part,
    seconds=length,
    open=partial(
      _open, prompt=prompt, video=video, begin=begin, seconds=length
    ),
    wanted=(Act(first, "start"), Act(last, "stop")),
    truth={"when": when, "happens": moment.happens},
  )


def _open(
  canvas: Canvas, *, prompt: Spoken, video: Path, begin: float, seconds: float
) -> Record:
  sound = clip.joined([(0.0, prompt.sound)], seconds)
  return clip.watched(canvas, sound, video=video, begin=begin)


def generate(folder: Path, num: int, seed: int) -> None:
  """Things that go to and fro for a while, annotated in both ways."""
  rows, lines = [], []
  for place in range(num):
    rng = np.random.default_rng((seed, place))
    first = int(rng.uniform(1.0, 3.5) * 10) * scene.PERIOD
    # It comes to rest where it began: after whole half swings.
    last = first + int(rng.integers(3, 8)) * scene.SWING // 2
    end = last + int(rng.uniform(1.0, 2.0) * clock.SAMPLE_RATE)
    thing = Thing(
      str(rng.choice((*world.SHAPES, "person"))),
      str(rng.choice(list(scene.COLOURS))),
      0,
      end,
      across=float(rng.uniform(0.3, 0.7)),
      moves=(first, last),
    )
    name = f"SCN{place:02d}"
    shown = Scene(end / clock.SAMPLE_RATE, (thing,), int(rng.integers(3)))
    clip.write(folder / layout.VIDEOS[0] / f"{name}.mp4", shown)
    begin, stop = (at / clock.SAMPLE_RATE for at in (first, last))
    rows.append(f"{name},c000 {begin:.2f} {stop:.2f},{shown.seconds:.2f}")
    lines.append(f"{name} {begin:.2f} {stop:.2f}##a {thing.shape} moves.")
  text = "\n".join(["id,actions,length", *rows])
  (folder / layout.ACTIONS).write_text(text + "\n")
  (folder / layout.CLASSES).write_text("c000 Moving to and fro\n")
  (folder / layout.SENTENCES).write_text("\n".join(lines) + "\n")
  write_json(
    folder / protocol.NAME, {"prompt": "say start and stop", "reply": 2.0}
  )


def score(
  items: Sequence[Item], replies: Mapping[str, Reply], judge: Judge
) -> list[Score]:
  """How well what was said encloses what happens."""
  del judge
  scores = []
  for item in items:
    words = replies[item.key].words
    wanted = item.truth["when"]
    said = overlaps.first(words)
    every = overlaps.spoken(words, until=item.seconds)
    value = overlaps.overlap(said, wanted)
    values = {
      "miou": value,
      "miou_every": overlaps.overlap(every, wanted),
      **{
        f"recall_{least}": float(value >= least) for least in overlaps.RECALLS
      },
    }
    details = {"said": every, "wanted": list(wanted)}
    scores += [
      Score(f"{item.part}_{name}", item.key, one, details=details)
      for name, one in values.items()
    ]
  return scores


def _rows(part: str) -> list[Row]:
  what = part.removesuffix("s")
  return [
    Row(
      f"{part}_miou",
      f"overlap over union of the first 'start' to 'stop' and a {what}; the "
      "published number is of one of both parts",
      published=_PUBLISHED,
    ),
    Row(
      f"{part}_miou_every",
      "the same of all that was said, the last up to the end if nobody stops",
    ),
    *(
      Row(f"{part}_recall_{least}", f"overlap of {least} or more")
      for least in overlaps.RECALLS
    ),
  ]


SUITE: Final = Suite(
  name="charades",
  about="when something begins and ends in a video, said as it happens",
  source="Sigurdsson et al. 2016, arXiv:1604.01753, and Gao et al. 2017, "
  "arXiv:1705.02101; spoken protocol and numbers of Thinking Machines Lab 2026,"
  " doi:10.64434/tml.20260511",
  parts=_PARTS,
  asks="voice",
  rows=tuple(row for part in _PARTS for row in _rows(part)),
  load=load,
  generate=generate,
  score=score,
  protocol="the prompt is spoken; 2 s later the video begins, without sound; "
  "what is not said overlaps with nothing",
)
