"""What goes into a turn, what comes out, and whole episodes of both.

    turn          0        1        2        3
    heard         hhhh     hhhh     hhhh     hhhh
    voice (in)    ....     ....     vvvv     vvvv     audible in that turn
    speaks (out)  no       yes      yes      no       audible one turn later

So `voice[j + 1]` is the sound that turn j made.

What was lost on its way never shifts the clock: silence stands for sound, no
pair for pictures, and `lost` says so. Its two numbers, each from 0 to 1, are
the share of a turn's samples that are missing, and the share of its pair of
frames.
"""

import dataclasses

import jax
from jaxtyping import Array, Bool, Float, Int, UInt8


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class TurnInput:
  """What B sessions receive in one turn, or, with J in front, in J of them.

  Attributes:
    active: sessions that have this turn; the others stand still.
    heard: the user's sound, from -1 to 1.
    text: tokens read this turn, each run opened by a speaker's marker.
    num_text: how many of them are real, from the front.
    lost: what should have come and did not; None: nothing.
  """

  active: Bool[Array, "*J B"]
  heard: Float[Array, "*J B W"]
  text: Int[Array, "*J B I"]
  num_text: Int[Array, "*J B"]
  lost: Float[Array, "*J B 2"] | None = None


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class TurnOutput:
  """What B sessions make in a turn, or in J of them, audible in the next.

  Attributes:
    text: tokens written, control tokens among them, END left out.
    num_text: how many of them are real, from the front.
    speaks: whether there is a voice.
    gate: its logit.
    mel: the voice as fine log-mel frames; floor level in silence.
    voice: the voice as sound.
    ended: False where END was forced because the budget was used up.
  """

  text: Int[Array, "*J B U"]
  num_text: Int[Array, "*J B"]
  speaks: Bool[Array, "*J B"]
  gate: Float[Array, "*J B"]
  mel: Float[Array, "*J B I M"]
  voice: Float[Array, "*J B W"]
  ended: Bool[Array, "*J B"]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Media:
  """What `absorb` appends before a turn: instructions, long text, video.

  Attributes:
    active: sessions that receive it; the others stand still.
    text: tokens, each run opened by a speaker's marker.
    num_text: how many of them are real, from the front.
    pinned: whether the text is never forgotten, as instructions are.
    frames: pairs of frames, 0 and 100 ms into the turn; None: no video.
    has_frames: sessions that have them; None: no video.
  """

  active: Bool[Array, " B"]
  text: Int[Array, "B I"]
  num_text: Int[Array, " B"]
  pinned: Bool[Array, " B"]
  frames: UInt8[Array, "B 2 _ _ 3"] | None = None
  has_frames: Bool[Array, " B"] | None = None


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Episode:
  """A stretch of B conversations, J turns long, as training sees it.

  Attributes:
    start: index of the first turn in its session.
    num_turns: real turns of each row; the others are padding.
    heard: the user's sound.
    voice: the model's own sound, by the turn in which it is audible.
    speaks: whether a turn makes sound, audible in the next.
    mel: what a turn makes, as fine log-mel frames.
    text_in, num_text_in: tokens read in each turn.
    text_out, num_text_out: tokens written in each turn, END left out.
    pinned, num_pinned: instructions, read before the first turn.
    frames: all pairs of frames of a row, I of them; None: no video.
    frames_of: which pair each turn has; -1: none.
    lost: what should have come in each turn and did not; None: nothing.
  """

  start: Int[Array, " B"]
  num_turns: Int[Array, " B"]
  heard: Float[Array, "B J W"]
  voice: Float[Array, "B J W"]
  speaks: Bool[Array, "B J"]
  mel: Float[Array, "B J _ M"]
  text_in: Int[Array, "B J _"]
  num_text_in: Int[Array, "B J"]
  text_out: Int[Array, "B J U"]
  num_text_out: Int[Array, "B J"]
  pinned: Int[Array, "B _"]
  num_pinned: Int[Array, " B"]
  frames: UInt8[Array, "B I 2 _ _ 3"] | None = None
  frames_of: Int[Array, "B J"] | None = None
  lost: Float[Array, "B J 2"] | None = None
