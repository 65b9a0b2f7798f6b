"""What a model is, in numbers: frozen, checked when built.

Small presets and the full size differ in these numbers only. Each class
belongs to the part it describes; `InteractionConfig` holds them together.
"""

import dataclasses
from typing import Literal

from interaction_jax.turns import clock
from interaction_jax.turns.vocabulary import Control

Kind = Literal["window", "global"]
Remat = Literal["none", "full", "dots"]
"""What a layer keeps for its gradient: all, nothing but its input, or its
products with weights (`dots`)."""


def _positive(config: object, *names: str) -> None:
  """Raises unless every named field is 1 or more."""
  for name in names:
    if getattr(config, name) < 1:
      room = type(config).__name__.removesuffix("Config").lower()
      raise ValueError(
        f"{room}.{name}={getattr(config, name)} must be 1 or more."
      )


@dataclasses.dataclass(frozen=True)
class AudioConfig:
  """The dMel front end, shared by what is heard and by the model's own voice.

  Attributes:
    sample_rate: of everything inside the model, in Hz.
    hop: samples from one frame to the next.
    window: samples a frame looks at, the last `hop` of them new.
    num_mels: mel channels of a frame.
    num_levels: values a channel is rounded to.
    low, high: log10 magnitude of the lowest and the highest level.
    frames_per_position: frames stacked into one position of the sequence.
    norm: whether the summed embedding passes an RMS norm.
  """

  sample_rate: int = 16_000
  hop: int = 800
  window: int = 1600
  num_mels: int = 80
  num_levels: int = 16
  low: float = -7.0
  high: float = 2.0
  frames_per_position: int = 1
  norm: bool = True

  def __post_init__(self):
    _positive(self, "sample_rate", "hop", "num_mels", "frames_per_position")
    if self.window < self.hop:
      raise ValueError(
        f"audio.window={self.window} is shorter than audio.hop={self.hop}; "
        f"samples between frames would be lost. {2 * self.hop} is usual."
      )
    if self.num_levels < 2 or self.low >= self.high:
      raise ValueError(
        f"audio.num_levels={self.num_levels} from low={self.low} to "
        f"high={self.high} are not levels; 16 from -7.0 to 2.0 are usual."
      )


@dataclasses.dataclass(frozen=True)
class VideoConfig:
  """The patch front end.

  Attributes:
    patch: side of a patch in pixels.
    frames: frames folded into a patch.
    channels: colours.
    num_layers: layers of the hMLP.
    rows, columns: patches of the canvas; P is their product.
    every: turns from one pair of frames to the next.
    norm_eps: of its norms.
  """

  patch: int = 40
  frames: int = 2
  channels: int = 3
  num_layers: int = 5
  rows: int = 7
  columns: int = 12
  every: int = 3
  norm_eps: float = 1e-6

  def __post_init__(self):
    _positive(self, "patch", "frames", "channels", "num_layers")
    _positive(self, "rows", "columns", "every")

  @property
  def num_patches(self) -> int:
    """P: patches of a pair of frames."""
    return self.rows * self.columns


@dataclasses.dataclass(frozen=True)
class AttentionConfig:
  """One of the two kinds of attention.

  Attributes:
    query_heads, key_heads, head_width: N, K and H.
    reach: distance in positions from which on the learned bias is zero. In a
      window layer it is the window: what lies further back is not seen.
  """

  query_heads: int
  key_heads: int
  head_width: int
  reach: int

  def __post_init__(self):
    _positive(self, "query_heads", "key_heads", "head_width", "reach")
    if self.query_heads % self.key_heads:
      raise ValueError(
        f"attention.query_heads={self.query_heads} is not a multiple of "
        f"attention.key_heads={self.key_heads}."
      )


@dataclasses.dataclass(frozen=True)
class ExpertConfig:
  """The mixture of experts in the layers that are not dense.

  Attributes:
    num_routed, num_chosen, num_shared: E, X and O.
    width: feed-forward width of one expert.
    route_scale: constant factor on every expert's weight.
  """

  num_routed: int
  num_chosen: int
  num_shared: int
  width: int
  route_scale: float = 8.0

  def __post_init__(self):
    _positive(self, "num_routed", "num_chosen", "num_shared", "width")
    if self.num_chosen > self.num_routed:
      raise ValueError(
        f"experts.num_chosen={self.num_chosen} exceeds "
        f"experts.num_routed={self.num_routed}."
      )


@dataclasses.dataclass(frozen=True)
class BackboneConfig:
  """The transformer: that of Inkling, at any size.

  Attributes:
    width: D.
    num_layers: L.
    global_layers: layers that see everything; the others see a window.
    dense_layers: layers with one feed-forward block instead of experts.
    dense_width: F of the dense layers.
    bias_features: R, from which a head mixes its relative bias.
    conv_taps: Z of the short convolutions.
    log_floor: position from which on the scores of global layers grow with
      the logarithm of the position; None: never.
    log_slope: how fast they grow.
    norm_eps: of all RMS norms.
  """

  width: int
  num_layers: int
  global_layers: tuple[int, ...]
  dense_layers: tuple[int, ...]
  dense_width: int
  window_attention: AttentionConfig
  global_attention: AttentionConfig
  experts: ExpertConfig
  bias_features: int = 16
  conv_taps: int = 4
  log_floor: int | None = None
  log_slope: float = 0.1
  norm_eps: float = 1e-6

  def __post_init__(self):
    _positive(self, "width", "num_layers", "dense_width", "conv_taps")
    _positive(self, "bias_features")
    for name in ("global_layers", "dense_layers"):
      layers = getattr(self, name)
      if any(not 0 <= layer < self.num_layers for layer in layers):
        raise ValueError(
          f"backbone.{name}={layers} names a layer outside 0 to "
          f"{self.num_layers - 1}."
        )
    if self.log_floor is not None and self.log_floor < 1:
      raise ValueError(
        f"backbone.log_floor={self.log_floor} must be 1 or more, or None."
      )

  def kind(self, layer: int) -> Kind:
    """Which attention `layer` has."""
    return "global" if layer in self.global_layers else "window"

  def attention(self, layer: int) -> AttentionConfig:
    """The numbers of the attention of `layer`."""
    if layer in self.global_layers:
      return self.global_attention
    return self.window_attention


@dataclasses.dataclass(frozen=True)
class TextConfig:
  """The vocabulary.

  Attributes:
    table_size: V, rows of both text tables.
    vocab_size: tokens that have a logit; the rows above are padding.
    first_control: id of END, the first control token; None: a plain language
      model, which has none.
    logit_divisor: the hidden state is divided by it before the logits.
  """

  table_size: int
  vocab_size: int
  first_control: int | None = None
  logit_divisor: float = 1.0

  def __post_init__(self):
    _positive(self, "table_size", "vocab_size")
    if self.vocab_size > self.table_size:
      raise ValueError(
        f"text.vocab_size={self.vocab_size} exceeds "
        f"text.table_size={self.table_size}."
      )
    if self.first_control is None:
      return
    last = self.first_control + len(Control)
    if not len(Control) <= last <= self.vocab_size:
      raise ValueError(
        f"text.first_control={self.first_control} leaves no room for "
        f"{len(Control)} control tokens that have a logit; "
        f"text.vocab_size={max(last, len(Control))} would."
      )


@dataclasses.dataclass(frozen=True)
class MemoryConfig:
  """How much global layers remember; window layers remember their window.

  Attributes:
    pinned: instructions, in positions. They are never forgotten, so more do
      not fit.
    text: newest positions of text, in and out.
    media: newest positions of everything else: voice, heard, video, tick.
    block: positions that may be appended at once.
  """

  pinned: int = 64
  text: int = 512
  media: int = 1024
  block: int = 128

  def __post_init__(self):
    _positive(self, "pinned", "text", "media", "block")


@dataclasses.dataclass(frozen=True)
class TurnConfig:
  """Budgets of a turn.

  Attributes:
    text_in: tokens read in a turn; more wait, or are absorbed beforehand.
    text_out: U, tokens written in a turn before END is forced.
  """

  text_in: int = 8
  text_out: int = 4

  def __post_init__(self):
    _positive(self, "text_in", "text_out")


@dataclasses.dataclass(frozen=True)
class FlowConfig:
  """The decoder that makes a turn's voice from noise.

  Attributes:
    width: F, of its mixers.
    num_layers: mixers.
    past_frames: frames of its own voice that it sees.
    mean, std: of the normal whose logistic is the flow time in training.
    mel_mean, mel_std: what fine mel is normalised by.
  """

  width: int = 128
  num_layers: int = 4
  past_frames: int = 8
  mean: float = -1.5
  std: float = 1.0
  mel_mean: float = -2.7
  mel_std: float = 1.3

  def __post_init__(self):
    _positive(self, "width", "num_layers", "past_frames")


@dataclasses.dataclass(frozen=True)
class SamplingConfig:
  """How a model is run; part of a compiled step, not of the weights.

  Attributes:
    temperature: of text; 0 takes the likeliest token.
    speak_bias: added to the gate's logit. Above 0 the model speaks sooner
      and longer, below 0 it holds back.
    gate_temperature: of the choice to speak; 0 takes the likelier one.
    flow_steps: Euler steps of the voice.
    flow_temperature: variance of the noise it starts from.
    guidance: weight of the condition; 1: none.
  """

  temperature: float = 0.0
  speak_bias: float = 0.0
  flow_steps: int = 4
  flow_temperature: float = 0.7
  guidance: float = 1.0
  gate_temperature: float = 0.0

  def __post_init__(self):
    _positive(self, "flow_steps")
    if self.gate_temperature < 0:
      raise ValueError(
        f"sampling.gate_temperature={self.gate_temperature} must not be "
        "negative; 0 is usual."
      )
    if self.temperature < 0 or self.flow_temperature < 0:
      raise ValueError(
        f"sampling.temperature={self.temperature} and "
        f"sampling.flow_temperature={self.flow_temperature} must not be "
        "negative."
      )


@dataclasses.dataclass(frozen=True)
class VocoderConfig:
  """The voice: fine mel, which the flow decoder makes, into samples.

  The first five fields say what fine mel is, in the terms of
  `ops/spectral.py`; training data, flow decoder and vocoder share them.

  Attributes:
    sample_rate: in Hz.
    hop: samples from one frame to the next.
    window: samples a frame looks at.
    num_mels: mel channels of a frame.
    floor: log10 magnitude of silence; whatever is below it is silence too.
    width, num_layers: of the network.
    taps: frames that a layer sees, the newest included.
    expansion: the feed-forward width of a layer, in widths.
    num_pitches: pitches told apart, evenly spaced in octaves.
    pitch_low, pitch_high: the first and the last one, in Hz.
    norm_eps: of all RMS norms.
  """

  sample_rate: int = 16_000
  hop: int = 160
  window: int = 640
  num_mels: int = 80
  floor: float = -5.0
  width: int = 128
  num_layers: int = 6
  taps: int = 7
  expansion: int = 3
  num_pitches: int = 96
  pitch_low: float = 50.0
  pitch_high: float = 550.0
  norm_eps: float = 1e-6

  def __post_init__(self):
    _positive(self, "sample_rate", "hop", "num_mels", "width", "num_layers")
    _positive(self, "taps", "expansion")
    if self.window < 2 * self.hop or self.window % (2 * self.hop):
      raise ValueError(
        f"vocoder.window={self.window} must be a multiple of two hops, "
        f"{2 * self.hop}; {4 * self.hop} is usual."
      )
    if self.sample_rate % (5 * self.hop):
      raise ValueError(
        f"vocoder.hop={self.hop} does not divide a turn of "
        f"{self.sample_rate // 5} samples; {self.sample_rate // 100} does."
      )
    if self.num_pitches < 2 or not 0 < self.pitch_low < self.pitch_high:
      raise ValueError(
        f"vocoder.num_pitches={self.num_pitches} from pitch_low="
        f"{self.pitch_low} to pitch_high={self.pitch_high} are not pitches; "
        "96 from 50.0 to 550.0 are usual."
      )

  @property
  def frames_per_turn(self) -> int:
    """Frames in the 200 ms of a turn."""
    return self.sample_rate // 5 // self.hop

  @property
  def delay(self) -> int:
    """Samples by which the sound comes later than the frames describe it.

    A frame of sound lies where the window of its mel frame lies. Its first
    hop is out as soon as it is known, and is the oldest of the window.
    """
    return self.window - self.hop


@dataclasses.dataclass(frozen=True)
class InteractionConfig:
  """A whole model.

  Attributes:
    dtype: of activations, and of the weights while computing.
    param_dtype: of the weights at rest.
  """

  backbone: BackboneConfig
  text: TextConfig
  audio: AudioConfig = AudioConfig()
  video: VideoConfig = VideoConfig()
  memory: MemoryConfig = MemoryConfig()
  turn: TurnConfig = TurnConfig()
  flow: FlowConfig = FlowConfig()
  vocoder: VocoderConfig = VocoderConfig()
  dtype: str = "float32"
  param_dtype: str = "float32"

  def __post_init__(self):
    audio = self.audio
    position = audio.hop * audio.frames_per_position
    for name, rate in (
      ("audio", audio.sample_rate),
      ("vocoder", self.vocoder.sample_rate),
    ):
      if rate != clock.SAMPLE_RATE:
        raise ValueError(
          f"{name}.sample_rate={rate} must be {clock.SAMPLE_RATE}; other "
          "rates are resampled at the edge."
        )
    if clock.SAMPLES % position:
      raise ValueError(
        f"audio.hop={audio.hop} x audio.frames_per_position="
        f"{audio.frames_per_position} does not divide a turn of "
        f"{clock.SAMPLES} samples ({clock.SAMPLES % position} left over); "
        "800 x 1 and 400 x 2 do."
      )

  @property
  def audio_positions(self) -> int:
    """A: positions of a turn's sound."""
    audio = self.audio
    return clock.SAMPLES // (audio.hop * audio.frames_per_position)
