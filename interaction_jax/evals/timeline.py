"""A picture of a session: both voices, both texts, and what each turn cost.

It reads the folder that `talk` writes and nothing else, and holds as many
points for an hour as for a second: what is too fine to draw is summed up by
its extremes.
"""

import dataclasses
import json
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Float

from interaction_jax.serve import recording, transcript
from interaction_jax.serve.transcript import Label
from interaction_jax.turns import clock

NAME: Final = recording.PICTURE

# Distinct for every kind of colour vision (Okabe and Ito 2008).
_USER, _MODEL, _GATE = "#0072B2", "#D55E00", "#009E73"
_VIDEO, _INK, _FAINT = "#AA4499", "#333333", "#B8B8B8"

_COLUMNS: Final = 1500
"""Points along the axis of time, at most."""

_LONG: Final = 45.0
"""Seconds from which on words are written utterance by utterance."""

_LANES: Final = 6
"""Labels one above the other, at most."""

_FEW: Final = 3
"""The same, where only some of the labels can be shown."""

_LANE: Final = 0.42
"""Height of a lane, where a waveform is 2 high."""

_INCH: Final = 0.57
"""Inches for a height of 1, of rows with words."""

_STEPS: Final = (0.02, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800,
                 3600)  # fmt: skip
"""Seconds that may lie between two marks of time."""

_JOBS: Final = ("call", "call_result", "delegate", "background")


@dataclasses.dataclass(frozen=True)
class Placed:
  """A label and its place.

  Attributes:
    lane: the lowest is 0.
    left, right: where it is written, in seconds. It begins at its time, but at
      the end of a picture, where it ends with the picture.
  """

  lane: int
  left: float
  right: float
  label: Label


@dataclasses.dataclass(frozen=True)
class Words:
  """Labels as they are written.

  Attributes:
    placed: those that found a place.
    times: when each of all begins.
  """

  placed: list[Placed]
  times: list[float]

  @property
  def left_out(self) -> int:
    """Labels that found no lane."""
    return len(self.times) - len(self.placed)

  @property
  def height(self) -> float:
    """Of the lanes above the lowest."""
    return _LANE * max((one.lane for one in self.placed), default=0)


@dataclasses.dataclass(frozen=True, eq=False)
class Envelope:
  """The extremes of a signal in equal stretches of time, and their middle.

  Attributes:
    mid: the mean of values, the root of the mean square of sound.
  """

  t: Float[np.ndarray, " I"]
  mid: Float[np.ndarray, " I"]
  low: Float[np.ndarray, " I"]
  high: Float[np.ndarray, " I"]


def draw(folder: str | Path, out: str | Path | None = None) -> Path:
  """Draws the session of a folder; returns the file of the picture.

  Args:
    out: None: `timeline.png` in the folder.

  Raises:
    FileNotFoundError: the folder holds no session.
  """
  from matplotlib.backends.backend_agg import FigureCanvasAgg
  from matplotlib.figure import Figure

  folder = Path(folder)
  session = json.loads((folder / recording.SESSION).read_bytes())
  events = _events(folder)
  length = session["input"]["seconds"]
  user, model = voices(folder / recording.STEREO)
  typed, shown, said = (
    words([event for event in events if event["kind"] == kind], length)
    for kind in ("user_text", "show", "say")
  )
  heights = (
    _INCH * (2.7 + typed.height),
    _INCH * (0.9 + shown.height),
    _INCH * (2.7 + said.height),
    0.9,
    0.8,
    1.3,
  )
  figure = Figure(figsize=(15, sum(heights) + 0.6), dpi=120, facecolor="white")
  FigureCanvasAgg(figure)
  rows = figure.subplots(6, 1, sharex=True, height_ratios=heights)
  _voice(rows[0], user, _USER, "user", typed)
  _screen(rows[1], shown)
  _voice(rows[2], model, _MODEL, "model", said)
  _gate(rows[3], session, length)
  _marks(rows[4], session, events)
  _cost(rows[5], session)
  rows[0].set_title(_title(session), loc="left", fontsize=11, color=_INK)
  for row in rows:
    row.set_xlim(0, length)
    row.tick_params(labelsize=8, colors=_INK, length=0)
    for side in ("top", "right", "left", "bottom"):
      row.spines[side].set_visible(False)
    row.grid(axis="x", color="#EBEBEB", linewidth=0.8)
    row.set_axisbelow(True)
  step = next((one for one in _STEPS if length / one <= 12), _STEPS[-1])
  rows[-1].set_xticks(np.arange(0.0, length + 1e-9, step))
  rows[-1].xaxis.set_major_formatter(_clock_face(length))
  rows[-1].set_xlabel(_unit(length), fontsize=9, color=_INK)
  figure.align_ylabels(rows)
  path = folder / NAME if out is None else Path(out)
  with warnings.catch_warnings():
    # The font that matplotlib brings lacks many scripts; boxes stand there.
    warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
    figure.tight_layout(h_pad=0.6)
    figure.savefig(path, metadata={"Software": "interaction_jax"})
  return path


def voices(path: Path) -> tuple[Envelope, Envelope]:
  """The envelopes of both channels of a file, read block by block."""
  import soundfile

  with soundfile.SoundFile(path) as file:
    width = max(1, -(-file.frames // _COLUMNS))
    lows, highs, mids = [], [], []
    for block in file.blocks(width, dtype="float32", always_2d=True):
      lows.append(block.min(axis=0))
      highs.append(block.max(axis=0))
      mids.append(np.sqrt(np.mean(block**2, axis=0)))
    rate = file.samplerate
  t = (np.arange(len(lows)) + 0.5) * width / rate
  mid, low, high = (np.array(one, np.float64) for one in (mids, lows, highs))
  left, right = (
    Envelope(t, mid[:, side], low[:, side], high[:, side]) for side in (0, 1)
  )
  return left, right


def envelope(values: Float[np.ndarray, " I"]) -> Envelope:
  """The extremes of one value a turn, where there are more than fit."""
  width = max(1, -(-len(values) // _COLUMNS))
  starts = np.arange(0, len(values), width)
  sizes = np.minimum(width, len(values) - starts)
  return Envelope(
    t=starts * clock.TURN_MS / 1000,
    mid=np.add.reduceat(values, starts) / sizes,
    low=np.minimum.reduceat(values, starts),
    high=np.maximum.reduceat(values, starts),
  )


def words(events: list[dict[str, Any]], length: float) -> Words:
  """Pieces of text as they are written into a picture of so many seconds.

  Each word stands by itself, or, where there is no room for that, what was
  said in one breath.
  """
  items = labels(events, 0.0 if length <= _LONG else transcript.PAUSE)
  placed = _laid(items, length)
  if len(placed) < len(items):
    items = labels(events, transcript.PAUSE)
    placed = _laid(items, length)
  return Words(placed, [item.t for item in items])


def labels(events: list[dict[str, Any]], pause: float) -> list[Label]:
  """Pieces of text put together.

  Args:
    pause: seconds that end an utterance; 0: words are not put together.
  """
  channel = transcript.Utterances(pause)
  found: list[Label] = []
  for event in events:
    typed = event["kind"] == "user_text"
    found += channel.add(event["t"], event["payload"]["text"], typed=typed)
  return found + channel.end()


def stairs(items: list[Label], length: float) -> list[Placed]:
  """Gives labels places at which no stem passes behind another label.

      lane 2   |what came first
      lane 1   |    |what came next
      lane 0   |    |    |and then

  A label hangs on a stem, so it lies above those that begin under it; what
  would lie too high is left out.

  Args:
    items: in the order of time.
    length: of the picture, in seconds.
  """
  placed: list[Placed] = []
  for item in reversed(items):
    one = _at(0, item, length)
    lane = 1 + max(_under(placed, one), default=-1)
    if lane < _LANES:
      placed.append(dataclasses.replace(one, lane=lane))
  return placed


def packed(
  items: Iterable[Label], length: float, *, num_lanes: int
) -> list[Placed]:
  """Gives labels places at which none covers another.

  Stems may pass behind them. If there is a way to place all, this is one; a
  label that finds no place is left out.
  """
  new = sorted((_at(0, item, length) for item in items), key=lambda o: o.left)
  placed: list[Placed] = []
  for index, one in enumerate(new):
    free = set(range(num_lanes)) - _under(placed, one)
    if free:
      # Above what begins under it, as far as there is room.
      alone = all(other.left >= one.right for other in new[index + 1 :][:1])
      lane = min(free) if alone else max(free)
      placed.append(dataclasses.replace(one, lane=lane))
  return placed


def _laid(items: list[Label], length: float) -> list[Placed]:
  """All labels, if there is any way, or most; else some of the longest."""
  placed = stairs(items, length)
  num_lanes = 0
  while len(placed) < len(items) and num_lanes < _LANES:
    num_lanes += 1
    placed = packed(items, length, num_lanes=num_lanes)
  if 2 * len(placed) >= len(items):
    return placed
  # Bits that fit into the gaps between them would tell nothing.
  least = max(len(one.text) for one in items) / 2
  long = [one for one in items if len(one.text) >= least]
  return packed(_some(long, length), length, num_lanes=_FEW)


def _some(items: list[Label], length: float) -> Iterator[Label]:
  """As many as there is room for, the longest first."""
  chosen: list[Placed] = []
  for item in sorted(items, key=lambda one: -len(one.text)):
    one = _at(0, item, length)
    free = set(range(_FEW)) - _under(chosen, one)
    if free:
      chosen.append(dataclasses.replace(one, lane=min(free)))
      yield item


def _at(lane: int, label: Label, length: float) -> Placed:
  # The plot is about 14 inches wide, and a letter of 9 points 0.075.
  wide = length * 0.0054 * (len(label.text) + 2)
  left = max(0.0, min(label.t, length - wide))
  return Placed(lane, left, left + wide, label)


def _under(placed: Iterable[Placed], new: Placed) -> set[int]:
  """The lanes in which something is written where a label would be."""
  return {
    one.lane for one in placed if one.left < new.right and new.left < one.right
  }


def _events(folder: Path) -> list[dict[str, Any]]:
  lines = (folder / recording.EVENTS).read_text(encoding="utf-8").splitlines()
  return [json.loads(line) for line in lines]


def _voice(
  row: Any,
  signal: Envelope,
  colour: str,
  name: str,
  words: Words,
) -> None:
  """A waveform, with its words in lanes above it."""
  peak = max(0.05, float(np.abs([signal.low, signal.high]).max()))
  # The peaks light, the loudness within them dark.
  for low, high, alpha in (
    (signal.low, signal.high, 0.45),
    (
      np.maximum(signal.low, -signal.mid),
      np.minimum(signal.high, signal.mid),
      1,
    ),
  ):
    row.fill_between(
      signal.t, low / peak, high / peak, color=colour, linewidth=0.3,
      alpha=alpha,
    )  # fmt: skip
  row.axhline(0, color=colour, linewidth=0.6)
  _words(row, words, colour, floor=1.25)
  row.set_ylim(-1.1, 1.6 + words.height)
  row.set_yticks([])
  row.set_ylabel(name, fontsize=10, color=colour, fontweight="bold")


def _screen(row: Any, shown: Words) -> None:
  """What the model wrote for the screen, captions for one."""
  _words(row, shown, _MODEL, floor=0.3)
  row.set_ylim(-0.2, 0.7 + shown.height)
  row.set_yticks([])
  row.set_ylabel("screen", fontsize=10, color=_MODEL, fontweight="bold")


def _words(row: Any, words: Words, colour: str, *, floor: float) -> None:
  """Words at their times, in lanes from `floor` on."""
  row.vlines(
    words.times, floor - 0.3, floor - 0.2, color=colour, lw=0.6, alpha=0.5
  )
  for one in words.placed:
    t, height = one.label.t, floor + _LANE * one.lane
    row.plot([t, t], [0, height], color=colour, linewidth=0.6, alpha=0.6)
    row.annotate(
      one.label.text,
      (one.left, height),
      xytext=(2, 0),
      textcoords="offset points",
      fontsize=9,
      color=_INK,
      va="center",
      annotation_clip=True,
      # A dollar is a dollar here, not a formula.
      parse_math=False,
      # Stems of others pass behind it.
      bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
    ).set_in_layout(False)
  if words.left_out:
    row.set_title(
      f"and {words.left_out} more, in {recording.EVENTS}",
      loc="right", fontsize=8, color=_INK, pad=2,
    )  # fmt: skip


def _gate(row: Any, session: dict[str, Any], length: float) -> None:
  """How likely it is to speak, turn by turn, and where it did."""
  turns = session["turns"]
  gate = np.asarray(turns["gate"], np.float64)
  chance = 1 / (1 + np.exp(-np.clip(gate, -30, 30)))
  drawn = envelope(chance)
  # What a gate opens or shuts is audible one turn later.
  t = np.append(drawn.t + clock.audible(0), length + clock.audible(0))
  mid, high = (np.append(one, one[-1]) for one in (drawn.mid, drawn.high))
  row.fill_between(t, high, step="post", color=_GATE, alpha=0.15, linewidth=0)
  row.fill_between(t, mid, step="post", color=_GATE, alpha=0.3, linewidth=0)
  row.step(t, mid, where="post", color=_GATE, linewidth=0.9)
  bias = session["sampling"]["speak_bias"]
  row.axhline(1 / (1 + np.exp(bias)), color=_INK, lw=0.8, ls=(0, (4, 3)))
  row.set_ylim(-0.05, 1.05)
  row.set_yticks([0, 1])
  row.set_ylabel("gate", fontsize=10, color=_GATE, fontweight="bold")


def _marks(
  row: Any, session: dict[str, Any], events: list[dict[str, Any]]
) -> None:
  """Pairs of frames above, jobs of the background below."""
  saw = np.flatnonzero(session["turns"]["saw"])
  if len(saw) < _COLUMNS / 4:
    row.eventplot(
      clock.TURN_MS / 1000 * saw, lineoffsets=2, linelengths=0.6,
      colors=_VIDEO, linewidths=1.2,
    )  # fmt: skip
  else:
    there = envelope(np.asarray(session["turns"]["saw"], np.float64))
    row.fill_between(
      there.t, 1.7, 1.7 + 0.6 * there.high, step="post", color=_VIDEO, lw=0
    )
  jobs = [event for event in events if event["kind"] in _JOBS]
  markers = {"call": ">", "call_result": "<", "delegate": "^",
             "background": "v"}  # fmt: skip
  for kind, marker in markers.items():
    times = [event["t"] for event in jobs if event["kind"] == kind]
    if times:
      row.plot(times, [1] * len(times), marker, color=_INK, ms=5, label=kind)
  if jobs:
    row.legend(
      loc="lower right", bbox_to_anchor=(1.0, 0.95), fontsize=7, ncols=4,
      frameon=False,
    )  # fmt: skip
  for height, empty, text in (
    (2, not len(saw), "no video"),
    (1, not jobs, "no background jobs"),
  ):
    if empty:
      row.annotate(
        text, (0, height), xytext=(4, 0), textcoords="offset points",
        fontsize=8, color=_FAINT, va="center",
      )  # fmt: skip
  row.set_ylim(0.4, 2.6)
  row.set_yticks([1, 2], ["jobs", "frames"])


def _cost(row: Any, session: dict[str, Any]) -> None:
  """Milliseconds of each turn, on a logarithmic scale, under the budget."""
  cost = np.asarray(session["turns"]["compute_ms"], np.float64)
  drawn = envelope(np.maximum(cost, 0.1))
  # A point stands in the middle of its turn.
  t = drawn.t + clock.TURN_MS / 2000
  late = drawn.high > clock.TURN_MS
  top = max(400.0, 1.5 * cost.max())
  bottom = min(10.0, 0.7 * max(0.1, cost.min()))
  row.set_yscale("log")
  # Before anything is drawn: limits found from equal values have no width.
  row.set_ylim(bottom, top)
  row.vlines(t, drawn.low, drawn.high, color=_FAINT, lw=0.8)
  row.plot(t, drawn.mid, ".", color=_INK, ms=3 if len(t) < 500 else 1.5)
  row.plot(t[late], drawn.high[late], "X", color=_MODEL, ms=5)
  row.axhline(clock.TURN_MS, color=_MODEL, lw=1.0, ls=(0, (4, 3)))
  median = float(np.median(cost))
  row.axhline(median, color=_INK, lw=0.6, ls=(0, (1, 2)))
  ticks = [tick for tick in (1, 10, 50, 200, 1000) if bottom <= tick <= top]
  row.set_yticks(ticks, [str(tick) for tick in ticks])
  row.minorticks_off()
  row.set_ylabel("ms a turn", fontsize=10, color=_INK, fontweight="bold")
  row.set_title(
    f"median {median:.0f} ms, longest {cost.max():.0f} ms of 200 ms",
    loc="right", fontsize=8, color=_INK, pad=2,
  )  # fmt: skip


def _title(session: dict[str, Any]) -> str:
  name = Path(session["checkpoint"]["name"]).name
  seconds = session["input"]["seconds"]
  length = f"{seconds:.1f} s" if seconds < 600 else f"{seconds / 60:.1f} min"
  return f"{session['input']['name']}   {length}   {name}"


def _clock_face(length: float) -> Any:
  from matplotlib.ticker import FuncFormatter

  def face(t: float, _: int | None = None) -> str:
    if length < 120:
      return f"{t:g}"
    hours, rest = divmod(round(t), 3600)
    minutes, seconds = divmod(rest, 60)
    if length < 3600:
      return f"{minutes}:{seconds:02}"
    return f"{hours}:{minutes:02}:{seconds:02}"

  return FuncFormatter(face)


def _unit(length: float) -> str:
  if length < 120:
    return "seconds"
  return "minutes:seconds" if length < 3600 else "hours:minutes:seconds"
