"""The half of a session that needs no device; every way of serving shares it.

    check      what came is looked at: a mistake is told, nothing has changed
    take       it waits for its turn
    next       the turn that is full: what is heard, read and seen in it
    tell       what the model made of it, as a turn and as events

`Session` runs such turns one by one, the engine those of many at once.
"""

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from jaxtyping import Float, Int, UInt8

from interaction_jax.data import media
from interaction_jax.model.config import InteractionConfig
from interaction_jax.serve.events import Event, Kind, Narrator
from interaction_jax.serve.intake import Intake
from interaction_jax.turns import clock, vocabulary
from interaction_jax.turns.vocabulary import Control, Vocabulary

Timed = tuple[float, Any]
"""A time in seconds of the session, and a picture or a text.

None in place of a picture says that it was taken, and lost on its way.
"""

_TOLD: Final[Mapping[Control, Kind]] = {
  Control.USER: "user_text",
  Control.BACKGROUND: "background",
}


@dataclasses.dataclass(frozen=True, eq=False)
class Turn:
  """What one turn made, and what it cost.

  Attributes:
    index: of the turn; its sound is audible in the next one.
    text: tokens written.
    speaks, gate: whether there is a voice, and the logit of that.
    ended: False where the budget of text cut the model short.
    mel, voice: the sound as frames and as samples.
    num_read: tokens of text read.
    saw: whether there was a pair of frames.
    lost: the shares of its sound and of its pair of frames that never came.
    compute_ms: from the last sample to the first of the voice.
  """

  index: int
  text: tuple[int, ...]
  speaks: bool
  gate: float
  ended: bool
  mel: Float[np.ndarray, "_ M"]
  voice: Float[np.ndarray, " W"]
  num_read: int
  saw: bool
  lost: tuple[float, float]
  compute_ms: float


@dataclasses.dataclass(frozen=True, eq=False)
class Parcel:
  """What came at once, found to be good.

  Attributes:
    samples: of sound.
    place: of the first of them in the session; None: behind the last.
    texts: when, from whom and what; a time is of the session, or counted from
      now where the fourth says so.
    pictures: when, and what, likewise; None: it was lost.
    about: what the events of its texts tell besides.
  """

  samples: Float[np.ndarray, " I"]
  place: int | None = None
  texts: tuple[tuple[float, Control, str, bool], ...] = ()
  pictures: tuple[
    tuple[float, UInt8[np.ndarray, "_ _ 3"] | None, bool], ...
  ] = ()
  about: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, eq=False)
class Ready:
  """A turn that is full: what the model receives in it.

  Attributes:
    index: of the turn.
    heard: its sound.
    tokens: read in it.
    pair: of pictures, seen before it; None: there is none.
    lost: the shares of its sound and of its pair of frames that never came.
    events: what was read.
  """

  index: int
  heard: Float[np.ndarray, " W"]
  tokens: tuple[int, ...]
  pair: UInt8[np.ndarray, "2 _ _ 3"] | None
  lost: tuple[float, float]
  events: tuple[Event, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Made:
  """What a model made of a turn, copied from where it was made.

  The fields are those of `TurnOutput`.
  """

  text: Int[np.ndarray, " U"]
  num_text: int
  speaks: bool
  gate: float
  mel: Float[np.ndarray, "_ M"]
  voice: Float[np.ndarray, " W"]
  ended: bool

  @classmethod
  def of(cls, output: Any, rows: Iterable[int] = (0,)) -> "list[Made]":
    """Copies rows of a `TurnOutput`, once it is there."""
    # np.array copies: a view would lie in memory that the next turn reuses.
    whole = {
      field.name: np.array(getattr(output, field.name))
      for field in dataclasses.fields(cls)
    }
    numbers = {name for name, value in whole.items() if value.ndim == 1}
    return [
      cls(
        **{
          name: value[row].item() if name in numbers else value[row]
          for name, value in whole.items()
        }
      )
      for row in rows
    ]


def check(
  audio: np.ndarray | None = None,
  frames: Sequence[np.ndarray | Timed] = (),
  text: str | Iterable[Timed] | None = None,
  *,
  at: float | None = None,
  speaker: Control = Control.USER,
  about: Mapping[str, Any] | None = None,
  cfg: InteractionConfig,
) -> Parcel:
  """Looks at what came; arguments as those of `Session.push`.

  Args:
    speaker: whose text it is.
    about: what the events of its texts tell besides.

  Raises:
    ValueError: samples, pictures or times are not what they should be.
  """
  samples, place = _samples(audio), None
  if at is not None:
    if not math.isfinite(at):
      raise ValueError(f"at={at} s is no time; seconds of the session are.")
    clock.turn_at(at)
    place = round(at * clock.SAMPLE_RATE)
  if isinstance(text, str):
    texts = [(0.0, speaker, text, True)]
  else:
    texts = [(float(t), speaker, str(words), False) for t, words in text or ()]
  pictures = [
    _timed(frame, count, cfg=cfg) for count, frame in enumerate(frames)
  ]
  for time, *_ in [*texts, *pictures]:
    clock.turn_at(time)
  for _, _, words, _ in texts:
    vocabulary.characters(words)
  return Parcel(samples, place, tuple(texts), tuple(pictures), about or {})


class Conversation:
  """What a session has received and not yet heard, and what it tells.

  Attributes:
    turn: index of the next turn.
    sound: that waits for its turn.
  """

  def __init__(self, words: Vocabulary, cfg: InteractionConfig):
    self.turn = 0
    self.sound = Intake()
    self._words, self._cfg = words, cfg
    self._narrator = Narrator(words)
    self._texts: list[tuple[float, Control, str, Mapping[str, Any]]] = []
    self._queue: list[int] = []
    self._frames: list[tuple[float, np.ndarray | None]] = []

  @property
  def time(self) -> float:
    """Seconds heard so far."""
    return self.sound.end / clock.SAMPLE_RATE

  @property
  def num_ready(self) -> int:
    """Turns that are full."""
    return len(self.sound.samples) // clock.SAMPLES

  def take(self, parcel: Parcel) -> None:
    """Takes in what came."""
    now = self.time
    self._texts += [
      (at + now * from_now, speaker, text, parcel.about)
      for at, speaker, text, from_now in parcel.texts
    ]
    self._frames += [
      (at + now * from_now, picture)
      for at, picture, from_now in parcel.pictures
    ]
    if parcel.texts:
      self._texts.sort(key=lambda one: one[0])
    if parcel.pictures:
      self._frames.sort(key=lambda one: one[0])
    self.sound.put(parcel.samples, parcel.place)

  def next(self) -> Ready | None:
    """The next turn, if it is full; it is over then."""
    full = next(self.sound.turns(), None)
    if full is None:
      return None
    heard, lost_sound = full
    read = self._read()
    pair, lost_frames = self._see()
    tokens = self._queue[: self._cfg.turn.text_in]
    self._queue = self._queue[len(tokens) :]
    index, self.turn = self.turn, self.turn + 1
    lost = (lost_sound, lost_frames)
    return Ready(index, heard, tuple(tokens), pair, lost, tuple(read))

  def tell(
    self, ready: Ready, made: Made, *, compute_ms: float
  ) -> tuple[Turn, tuple[Event, ...]]:
    """What a turn made, and what happened in it."""
    turn = Turn(
      index=ready.index,
      text=tuple(made.text[: made.num_text].tolist()),
      speaks=made.speaks,
      gate=made.gate,
      ended=made.ended,
      mel=made.mel,
      voice=made.voice,
      num_read=len(ready.tokens),
      saw=ready.pair is not None,
      lost=ready.lost,
      compute_ms=compute_ms,
    )
    told = self._narrator.tell(turn.index, turn.text, speaks=turn.speaks)
    return turn, (*ready.events, *told)

  def pinned(self, instructions: str | None) -> list[int]:
    """The tokens of instructions, which are read before the first turn.

    Raises:
      ValueError: they do not fit into `memory.pinned`.
    """
    tokens = self._marked(Control.INSTRUCTION, instructions or "")
    most = self._cfg.memory.pinned
    if len(tokens) > most:
      raise ValueError(
        f"instructions have {len(tokens)} tokens, but memory.pinned={most}; "
        "shorter ones are wanted."
      )
    return tokens

  def fields(self) -> dict[str, Any]:
    """All of it that JSON can hold; `audio` and `frames` are the rest."""
    kept = self._frames
    return {
      "turn": self.turn,
      "texts": [
        [at, int(who), text, dict(about)]
        for at, who, text, about in self._texts
      ],
      "queue": list(self._queue),
      "gaps": self.sound.gaps(),
      "frame_times": [time for time, picture in kept if picture is not None],
      "lost_frames": [time for time, picture in kept if picture is None],
      "narrator": self._narrator.state(),
    }

  @property
  def audio(self) -> Float[np.ndarray, " I"]:
    """A copy of the samples that wait."""
    return self.sound.samples.copy()

  @property
  def frames(self) -> tuple[np.ndarray, ...]:
    """The pictures that wait."""
    return tuple(each for _, each in self._frames if each is not None)

  def restore(
    self,
    fields: Mapping[str, Any],
    audio: Float[np.ndarray, " I"],
    frames: Sequence[np.ndarray],
  ) -> None:
    """Goes on from what `fields`, `audio` and `frames` held."""
    self.turn = fields["turn"]
    self._texts = [
      (at, Control(who), text, about)
      for at, who, text, about in fields["texts"]
    ]
    self._queue = list(fields["queue"])
    pictures = zip(fields["frame_times"], frames, strict=True)
    lost = [(time, None) for time in fields["lost_frames"]]
    self._frames = sorted([*pictures, *lost], key=lambda pair: pair[0])
    begin = self.turn * clock.SAMPLES
    self.sound = Intake.holding(begin, audio, fields["gaps"])
    self._narrator.restore(fields["narrator"])

  def _read(self) -> list[Event]:
    """Queues what came to be read by the end of this turn."""
    due = [one for one in self._texts if clock.turn_at(one[0]) <= self.turn]
    self._texts = self._texts[len(due) :]
    for _, speaker, text, _ in due:
      self._queue += self._marked(speaker, text)
    return [
      Event(time, self.turn, _kind(speaker, about), {"text": text, **about})
      for time, speaker, text, about in due
    ]

  def _see(self) -> tuple[np.ndarray | None, float]:
    """The pair of frames of this turn, if it has one, and its share lost."""
    begin, end = clock.seconds(self.turn), clock.seconds(self.turn + 1)
    seen = [pair for pair in self._frames if pair[0] < end]
    if self.turn % self._cfg.video.every:
      # Of pictures that nobody will see, two may still be the newest.
      self._frames = [*seen[-2:], *self._frames[len(seen) :]]
      return None, 0.0
    self._frames = self._frames[len(seen) :]
    if not seen:
      return None, 0.0
    lost = sum(seen[at][1] is None for at in _newest(seen, begin)) / 2
    # For a picture that was lost stands the one before it, if there is one.
    came = [(at, picture) for at, picture in seen if picture is not None]
    if not came:
      return None, lost
    return np.stack([came[at][1] for at in _newest(came, begin)]), lost

  def _marked(self, speaker: Control, text: str) -> list[int]:
    """Tokens of a text, opened by who speaks; none of an empty one."""
    words = self._words
    return [words.id_of(speaker), *words.encode(text)] if text else []


def _kind(speaker: Control, about: Mapping[str, Any]) -> Kind:
  return "call_result" if about.get("origin") == "call" else _TOLD[speaker]


def _timed(
  frame: np.ndarray | Timed, count: int, *, cfg: InteractionConfig
) -> tuple[float, np.ndarray | None, bool]:
  at, picture, from_now = count / 10, frame, True
  if isinstance(frame, tuple):
    at, picture = frame
    from_now = False
  if picture is not None:
    video = cfg.video
    rows, columns = video.rows * video.patch, video.columns * video.patch
    picture = media.fit(_picture(picture), rows=rows, columns=columns)
  return float(at), picture, from_now


def _samples(audio: Any) -> Float[np.ndarray, " I"]:
  if audio is None:
    return np.zeros(0, np.float32)
  samples = np.asarray(audio)
  if samples.ndim != 1:
    raise ValueError(
      f"audio has the shape {samples.shape}; one channel, (samples,), is "
      "wanted."
    )
  if samples.dtype == np.int16:
    return samples.astype(np.float32) / 2**15
  if not np.issubdtype(samples.dtype, np.floating):
    raise ValueError(
      f"audio has the type {samples.dtype}; floats from -1 to 1, or int16, are "
      "wanted."
    )
  if not np.isfinite(samples).all():
    raise ValueError("audio holds NaN or infinity; samples must be finite.")
  return samples.astype(np.float32)


def _picture(picture: Any) -> UInt8[np.ndarray, "_ _ 3"]:
  picture = np.asarray(picture)
  shape = picture.shape
  if len(shape) != 3 or shape[-1] != 3 or picture.dtype != np.uint8:
    raise ValueError(
      f"a frame has the shape {shape} and the type {picture.dtype}; rows, "
      "columns and RGB in uint8 are wanted."
    )
  return picture


def _newest(seen: Sequence[Timed], begin: float) -> tuple[int, int]:
  return media.pair([at for at, _ in seen], begin)
