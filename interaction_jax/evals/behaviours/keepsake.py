"""What is kept of a row: a line of every item, and files of the worst ones.

items.jsonl          what was wanted, what was done, what the judge said
0007/stereo.wav      the user on the left, the model on the right
0007/output.wav      the model alone, as long as the input
0007/output.json     its words with times, as those of a recogniser
0007/events.jsonl    what happened, as `talk` writes it
0007/ticks.csv       turn by turn
0007/timeline.png    a picture of it
"""

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from interaction_jax.data.record import Record
from interaction_jax.evals import account, timeline
from interaction_jax.evals.account import Account
from interaction_jax.evals.behaviours import items
from interaction_jax.evals.behaviours.exchange import Exchange, Judgement
from interaction_jax.evals.behaviours.row import Row
from interaction_jax.serve.backlog import Conduct
from interaction_jax.serve.events import Event
from interaction_jax.serve.models import GREEDY, Model
from interaction_jax.turns import clock


def keep(
  folder: Path,
  row: Row,
  model: Model,
  records: Sequence[Record],
  conducts: Sequence[Conduct],
  *,
  most: int,
) -> None:
  """Writes the lines of a row, and the files of some conversations.

  Args:
    most: conversations with files, the worst first; -1: all.
  """
  shutil.rmtree(folder, ignore_errors=True)
  folder.mkdir(parents=True)
  worth: list[tuple[float, int]] = []
  with (folder / "items.jsonl").open("w", encoding="utf-8") as lines:
    for place, (record, conduct) in enumerate(
      zip(records, conducts, strict=True)
    ):
      made = account.of_conduct(conduct, model.words)
      judged = items.judge(row, record, made)
      for exchange, said in judged:
        line = _line(place, exchange, said)
        lines.write(json.dumps(line, ensure_ascii=False) + "\n")
      hits = [said.hit for _, said in judged if said.hit is not None]
      alarms = sum(said.false_alarms for _, said in judged)
      worth.append((float(np.mean(hits)) - 0.01 * alarms, place))
  worst = [place for _, place in sorted(worth)]
  for place in worst if most < 0 else worst[:most]:
    _files(
      folder / f"{place:04d}", f"{row.name} {place}", model,
      records[place], conducts[place],
    )  # fmt: skip


def _line(place: int, exchange: Exchange, said: Judgement) -> dict[str, Any]:
  return {
    "conversation": place,
    "scenario": exchange.scenario,
    "start": clock.seconds(exchange.first),
    "end": clock.seconds(exchange.last),
    "hit": said.hit,
    "kind": said.kind,
    "false_alarms": said.false_alarms,
    "timing_error_s": [round(x, 3) for x in said.timing],
    "details": {name: round(x, 4) for name, x in said.details.items()},
    "asked": " ".join(exchange.label["asked"]),
    "wanted": _told(exchange.wanted),
    "made": _told(exchange.made),
  }


def _told(one: Account) -> dict[str, Any]:
  """The text of every channel, and when there is a voice."""
  texts = {
    channel: one.text(channel).strip()
    for channel in ("say", "show", "call", "delegate")
  }
  return {
    **{channel: text for channel, text in texts.items() if text},
    "voice": [
      [clock.seconds(first), clock.seconds(last)]
      for first, last in one.stretches(gap=0)
    ],
  }


def _files(
  folder: Path, name: str, model: Model, record: Record, conduct: Conduct
) -> None:
  import soundfile

  folder.mkdir()
  rate = clock.SAMPLE_RATE
  pair = np.stack([record.heard, conduct.voice], axis=1)
  soundfile.write(folder / "stereo.wav", pair, rate)
  soundfile.write(folder / "output.wav", conduct.voice, rate)
  happened = [*_read(record), *account.events(conduct, model.words)]
  happened.sort(key=lambda event: event.t)
  lines = [f"{event.to_json()}\n" for event in happened]
  (folder / "events.jsonl").write_text("".join(lines), encoding="utf-8")
  made = account.of_conduct(conduct, model.words)
  (folder / "output.json").write_text(json.dumps(_recognised(made)))
  (folder / "labels.json").write_text(json.dumps(record.labels))
  _write_ticks(folder / "ticks.csv", conduct)
  (folder / "session.json").write_text(
    json.dumps(_session(name, model, record, conduct))
  )
  timeline.draw(folder)


def _read(record: Record) -> Iterator[Event]:
  """What the model was given to read."""
  for text in record.text_in:
    if text.speaker == "instruction":
      continue
    yield Event(
      text.at / clock.SAMPLE_RATE,
      text.at // clock.SAMPLES,
      "user_text" if text.speaker == "user" else "background",
      {"text": text.text},
    )


def _recognised(made: Account) -> dict[str, Any]:
  """What was said, as a recogniser of speech would tell it."""
  words = made.spans()
  return {
    "text": " ".join(text for text, _, _ in words),
    "chunks": [
      {"text": text, "timestamp": [start, end]} for text, start, end in words
    ],
  }


def _write_ticks(path: Path, conduct: Conduct) -> None:
  lines = ["turn,audible_s,speaks,gate,num_text,batch_turn_ms"]
  for turn, (text, speaks, gate) in enumerate(
    zip(conduct.text, conduct.speaks, conduct.gate, strict=True)
  ):
    lines.append(
      f"{turn},{clock.audible(turn):.1f},{int(speaks)},{gate:.4f},{len(text)},"
      f"{conduct.turn_ms:.3f}"
    )
  path.write_text("\n".join(lines) + "\n")


def _session(
  name: str, model: Model, record: Record, conduct: Conduct
) -> dict[str, Any]:
  """What a picture needs to know of a session."""
  num = record.num_turns
  seen = record.frame_times // clock.SAMPLES
  every = model.cfg.video.every
  return {
    "input": {"name": name, "seconds": record.seconds},
    "checkpoint": {"name": model.name},
    "sampling": {"speak_bias": GREEDY.speak_bias},
    "turns": {
      "gate": conduct.gate.tolist(),
      "saw": [bool(t % every == 0 and (seen == t).any()) for t in range(num)],
      "compute_ms": [conduct.turn_ms] * num,
    },
  }
