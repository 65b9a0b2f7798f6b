"""Audio MultiChallenge: 452 spoken conversations whose last reply is graded.

    fixed    user 1 | typed: what was answered | user 2 | ... | user N | reply
    open     user 1 | whatever is answered now | user 2 | ... | user N | reply

`fixed` is the published protocol, as far as somebody can follow it who listens
in real time; in `open` a system stands by what it has said itself.

Reference: Gosai et al. 2025, arXiv:2512.14865.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Float

from interaction_jax.data.record import Record, TextIn
from interaction_jax.data.synthetic import world
from interaction_jax.evals import clip, protocol, table
from interaction_jax.evals.audio_multichallenge import layout, rubric
from interaction_jax.evals.audio_multichallenge.layout import Conversation
from interaction_jax.evals.audio_multichallenge.rubric import Turn
from interaction_jax.evals.harness import item as items_
from interaction_jax.evals.harness.inventory import Inventory
from interaction_jax.evals.harness.item import Act, Canvas, Item
from interaction_jax.evals.harness.judge import Judge
from interaction_jax.evals.harness.suite import (
  Reply,
  Row,
  Score,
  Suite,
  write_json,
)
from interaction_jax.evals.protocol import Protocol
from interaction_jax.turns import clock

USUAL: Final = Protocol("You answered: {reply}", pause=2.0, reply=60.0)

PARTS: Final = ("fixed", "open")

_OFFICIAL: Final = 452
_SPEECH: Final = 2.2
"""Words a second of a reply that there is time for: those of the release,
which later turns of the user answer to."""


def load(inventory: Inventory) -> list[Item]:
  """Every conversation twice."""
  plan = protocol.read(inventory, USUAL)
  found = layout.conversations(inventory)
  if found and not (inventory.root / protocol.NAME).is_file():
    whole = len(found) + len(inventory.left_out)
    inventory.count(layout.FOLDER, whole, _OFFICIAL)
  gone = inventory.left_out[:]
  inventory.left_out[:] = [f"{way}/{name}" for name in gone for way in PARTS]
  return [
    _item(inventory.root, way, one, plan) for way in PARTS for one in found
  ]


def _item(root: Path, way: str, one: Conversation, plan: Protocol) -> Item:
  times = _times(way, one, plan)
  typed: tuple[TextIn, ...] = ()
  if way == "fixed" and plan.prompt:
    typed = tuple(
      TextIn(
        round(end * clock.SAMPLE_RATE), "background", plan.says(reply=text)
      )
      for (_, end), text in zip(times, one.replies, strict=False)
    )
  last = times[-1][1]
  seconds = clock.seconds(clock.num_turns(round(last * clock.SAMPLE_RATE)))
  seconds += plan.reply
  begins = tuple(begin for begin, _ in times)
  return Item(
    name=f"{way}/{one.name}",
    part=way,
    seconds=seconds,
    open=partial(
      _open, root=root, one=one, begins=begins, typed=typed, seconds=seconds
    ),
    wanted=_oracle(way, one, times),
    truth={
      "axis": one.axis,
      "said": one.said,
      "replies": one.replies,
      "rubrics": one.rubrics,
      "ends": tuple(end for _, end in times),
    },
  )


def _times(
  way: str, one: Conversation, plan: Protocol
) -> list[tuple[float, float]]:
  """From when to when the user speaks, turn by turn; each begins a turn."""
  found, begin = [], 0.0
  for turn, seconds in enumerate(one.seconds):
    end = begin + seconds
    found.append((begin, end))
    pause = plan.pause
    if way == "open" and turn < len(one.replies):
      pause += len(one.replies[turn].split()) / _SPEECH
    samples = round((end + pause) * clock.SAMPLE_RATE)
    begin = clock.seconds(clock.num_turns(samples))
  return found


def _open(
  canvas: Canvas,
  *,
  root: Path,
  one: Conversation,
  begins: Sequence[float],
  typed: tuple[TextIn, ...],
  seconds: float,
) -> Record:
  del canvas
  parts = list(zip(begins, layout.sounds(root, one), strict=True))
  return items_.listening(clip.joined(parts, seconds), text_in=typed)


def _oracle(
  way: str, one: Conversation, times: Sequence[tuple[float, float]]
) -> tuple[Act, ...]:
  """The replies of the release, and at last what the rubrics ask for."""
  acts = []
  if way == "open":
    acts = [
      Act(end + 0.4, text)
      for (_, end), text in zip(times, one.replies, strict=False)
    ]
  wanted = [rubric.wanted(text) for text in one.rubrics]
  answer = " ".join(dict.fromkeys(text for text in wanted if text)) or "Okay."
  return (*acts, Act(times[-1][1] + 0.4, answer))


def generate(folder: Path, num: int, seed: int) -> None:
  """Small conversations of the four axes, in the layout of the release."""
  makers: Sequence[Callable[[np.random.Generator], dict[str, Any]]] = (
    _remembered,
    _rule,
    _again,
    _edited,
  )
  rows = []
  for place in range(num):
    kind = place % len(makers)
    rng = np.random.default_rng((seed, kind, place))
    rows.append(
      {
        "id": f"twin{place:04d}",
        "axis": layout.AXES[kind].upper(),
        **makers[kind](rng),
      }
    )
  spoken = protocol.spoken(
    {
      f"{row['id']}/{turn}": text
      for row in rows
      for turn, text in enumerate(row["user"])
    }
  )
  made = []
  for row in rows:
    whole = {name: row[name] for name in ("id", "axis", "rubric")}
    for turn in range(layout.TURNS):
      there = turn < len(row["user"])
      key = f"{row['id']}/{turn}"
      whole |= {
        f"user_turn_{turn + 1}_audio": (
          _wav(spoken[key].sound) if there else None
        ),
        f"user_turn_{turn + 1}_transcript": row["user"][turn] if there else "",
      }
      if turn + 1 < layout.TURNS:
        answered = turn < len(row["assistant"])
        whole[f"assistant_turn_{turn + 1}_transcript"] = (
          row["assistant"][turn] if answered else ""
        )
    made.append(whole)
  table.write(folder / layout.FOLDER / "test-00000-of-00001.parquet", made)
  write_json(
    folder / protocol.NAME, {"prompt": "{reply}", "pause": 1.0, "reply": 5.0}
  )


def _wav(sound: Float[np.ndarray, " _"]) -> dict[str, Any]:
  import soundfile

  file = io.BytesIO()
  soundfile.write(file, sound, clock.SAMPLE_RATE, format="WAV")
  return {"bytes": file.getvalue(), "path": None}


def _two(rng: np.random.Generator) -> list[str]:
  things = (*world.OBJECTS, *world.FOODS)
  return [str(one) for one in rng.choice(things, 2, replace=False)]


def _remembered(rng: np.random.Generator) -> dict[str, Any]:
  one, _ = _two(rng)
  return {
    "user": [f"remember {one}", "what was the word"],
    "assistant": ["okay"],
    "rubric": f'["Says \\"{one}\\"."]',
  }


def _rule(rng: np.random.Generator) -> dict[str, Any]:
  one, other = _two(rng)
  return {
    "user": [f"when i say {one} say {other}", "hello", one],
    "assistant": ["okay", "hello"],
    "rubric": f'["Says \\"{other}\\".", "Does not say \\"{one}\\"."]',
  }


def _again(rng: np.random.Generator) -> dict[str, Any]:
  one, other = (int(n) for n in rng.integers(1, 10, 2))
  words = [" ".join(world.number(n)) for n in (one, other, one + other)]
  return {
    "user": [f"what is {words[0]} plus {words[1]}", "say it again"],
    "assistant": [words[2]],
    "rubric": f'["Says \\"{words[2]}\\" as before."]',
  }


def _edited(rng: np.random.Generator) -> dict[str, Any]:
  one, other = _two(rng)
  return {
    "user": ["hello", f"say {one} no sorry say {other}"],
    "assistant": ["hello"],
    "rubric": f'["Says \\"{other}\\".", "Does not say \\"{one}\\"."]',
  }


def score(
  items: Sequence[Item], replies: Mapping[str, Reply], judge: Judge
) -> list[Score]:
  """Whether the last reply meets the rubrics, all of them and each."""
  return [
    one for item in items for one in _scores(item, replies[item.key], judge)
  ]


def _scores(item: Item, reply: Reply, judge: Judge) -> list[Score]:
  truth, way = item.truth, item.part
  own = _own(reply, truth["ends"])
  given = (*truth["replies"], own[-1])
  verdicts = _verdicts(_history(truth["said"], given), truth, judge)
  values: dict[str, float | None] = {}
  if way == "open":
    values["open_apr_given"] = rubric.passed(verdicts)
    verdicts = _verdicts(_history(truth["said"], own), truth, judge)
  whole = rubric.passed(verdicts)
  values |= {f"{way}_apr": whole, f"{way}_ars": rubric.share(verdicts)}
  if way == "fixed":
    values[truth["axis"]] = whole
  late = [
    word.start - truth["ends"][-1]
    for word in reply.words
    if word.start >= truth["ends"][-1]
  ]
  values["latency"] = late[0] if late else None
  details = {
    "replies": own,
    "rubrics": dict(zip(truth["rubrics"], verdicts, strict=True)),
    "axis": truth["axis"],
  }
  return [
    Score(row, item.key, value, details=details)
    for row, value in values.items()
  ]


def _own(reply: Reply, ends: Sequence[float]) -> list[str]:
  """What a system said after each turn of the user, until the next is over."""
  bounds = [*ends, float("inf")]
  return [
    " ".join(
      x.text for x in reply.words if bounds[n] <= x.start < bounds[n + 1]
    )
    for n in range(len(ends))
  ]


def _history(said: Sequence[str], answered: Sequence[str]) -> list[Turn]:
  return [
    turn
    for pair in zip(said, answered, strict=True)
    for turn in zip(("user", "assistant"), pair, strict=True)
  ]


def _verdicts(
  history: Sequence[Turn], truth: Mapping[str, Any], judge: Judge
) -> list[bool | None]:
  return [
    judge.ask(rubric.question(history, one)).value for one in truth["rubrics"]
  ]


_PUBLISHED: Final = {
  "TML-Interaction-Small": 0.434,
  "GPT-realtime-2.0 min": 0.376,
  "GPT-realtime-1.5": 0.347,
  "Gemini-3.1-flash-live min": 0.268,
  "GPT-realtime-2.0 xhigh": 0.485,
  "Gemini-3.1-flash-live high": 0.361,
  "Gemini 3 Pro Preview (Thinking), Gosai et al.": 0.5465,
}

SUITE: Final = Suite(
  name="audio_multichallenge",
  about="spoken conversations of up to eight turns; the last reply is graded",
  source="Gosai et al. 2025, arXiv:2512.14865; numbers of theirs and of "
  "Thinking Machines Lab 2026, doi:10.64434/tml.20260511",
  parts=PARTS,
  asks="voice",
  rows=(
    Row(
      "fixed_apr",
      "conversations in which the last reply meets every rubric",
      published=_PUBLISHED,
    ),
    Row("fixed_ars", "rubrics that the last reply meets, in the mean"),
    *(Row(axis, f"fixed_apr of {axis} alone") for axis in layout.AXES),
    Row("open_apr", "the same after replies of its own, which the judge sees"),
    Row("open_ars", "rubrics met after replies of its own, in the mean"),
    Row(
      "open_apr_given",
      "open_apr if the judge sees the replies of the release instead",
    ),
    Row(
      "latency",
      "from the end of the last turn to the first word",
      better="less",
      unit="s",
      ranked=False,
    ),
  ),
  load=load,
  generate=generate,
  score=score,
  protocol="fixed: the user's turns are played 2 s apart, and what was answered"
  " to each but the last is typed when it is over; open: nothing is typed, and "
  "after each turn there is time for a reply as long as that of the release. "
  "Then there is time for the last reply, which alone is graded",
  twin_items=8,
  judged=True,
)
