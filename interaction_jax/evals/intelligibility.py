"""Whether the model's voice says its words: a judge that knows only words.

    sound -> mel, cepstra -> templates of every word and of silence, one behind
    the other in any order, each stretched as it suits -> the nearest sequence

The templates are recordings of the assistant itself, so the judge asks "were
these the words", not "does it sound well". No number of its stands alone: it
comes beside what the judge makes of the synthesiser, of a mel round trip, and
of words exchanged by chance; see `report`.
"""

import dataclasses
import functools
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from interaction_jax.core import params
from interaction_jax.core.params import Params
from interaction_jax.data.record import Record
from interaction_jax.evals import account, bootstrap
from interaction_jax.evals.behaviours.exchange import edits
from interaction_jax.model.config import VocoderConfig
from interaction_jax.model.heads import vocoder
from interaction_jax.ops import spectral, waveform
from interaction_jax.serve import backlog
from interaction_jax.serve.models import Model
from interaction_jax.train import vocoder as training
from interaction_jax.turns import clock

_HOP: Final = 160
_WINDOW: Final = 640
_NUM_MELS: Final = 40
_NUM_CEPSTRA: Final = 13
_FLOOR: Final = -3.5
"""Log-magnitude below which a channel is silent to this judge."""

_SILENCE: Final = ""
"""The word that is none."""


@dataclasses.dataclass(frozen=True)
class Heard:
  """A word that was heard. Times are in seconds from the beginning."""

  word: str
  start: float
  end: float


@dataclasses.dataclass(frozen=True, eq=False)
class Spoken:
  """A sound at 16 kHz, and the words that are said to be in it."""

  sound: Float[np.ndarray, " _"]
  words: tuple[str, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Judge:
  """Recognises connected words of a closed vocabulary by their templates.

  Attributes:
    words: one of each template; the first is silence.
    frames: all templates, one behind the other.
    first, last: of each template.
    penalty: what a word costs, in distances of a frame: below 0 there come
      more words, above it fewer.
  """

  words: tuple[str, ...]
  frames: Float[np.ndarray, "S I"]
  first: Int[np.ndarray, " V"]
  last: Int[np.ndarray, " V"]
  penalty: float

  @classmethod
  def of(
    cls,
    templates: Iterable[tuple[str, Float[np.ndarray, " _"]]],
    *,
    penalty: float = 5.0,
  ) -> "Judge":
    """Makes a judge from words and sounds at 16 kHz; words may come often.

    Raises:
      ValueError: there are none, or a sound is shorter than a frame.
    """
    words, parts = [_SILENCE], [cepstra(np.zeros(_HOP, np.float32))]
    for word, sound in templates:
      if len(sound) < _HOP:
        raise ValueError(
          f"the template of {word!r} has {len(sound)} samples; one frame, "
          f"{_HOP}, is the least."
        )
      words.append(word)
      parts.append(cepstra(sound))
    if len(words) == 1:
      raise ValueError("there are no templates; a word or more is wanted.")
    ends = np.cumsum([len(part) for part in parts])
    first = np.r_[0, ends[:-1]]
    frames = np.concatenate(parts)
    return cls(tuple(words), frames, first, ends - 1, penalty)

  def hear(self, sound: Float[np.ndarray, " _"]) -> list[Heard]:
    """The words of a sound at 16 kHz.

    One pass over its frames. With d the distance of a frame to one of a
    template, and templates that may be heard up to twice as fast, or slower:

        D[t, s] = d[t, s] + min(D[t-1, s], D[t-1, s-1], D[t-1, s-2])
        D[t, first] = d[t, first] + min(D[t-1, first], penalty
                                        + min over words of D[t-1, last])

    Reference: Ney 1984, doi:10.1109/TASSP.1984.1164320.
    """
    if len(sound) < _HOP:
      return []
    spoken = cepstra(sound)
    ended, began = self._search(self._distances(spoken))
    heard, at = [], len(spoken)
    while at > 0:
      which, start = ended[at - 1], began[at - 1]
      if self.words[which] != _SILENCE:
        seconds = np.array([start, at]) * _HOP / clock.SAMPLE_RATE
        heard.append(Heard(self.words[which], *seconds.tolist()))
      at = start
    return heard[::-1]

  def _distances(
    self, spoken: Float[np.ndarray, "T I"]
  ) -> Float[np.ndarray, "T S"]:
    squares = np.square(spoken).sum(1)[:, None] + np.square(self.frames).sum(1)
    return np.sqrt(np.maximum(squares - 2 * spoken @ self.frames.T, 0))

  def _search(
    self, distances: Float[np.ndarray, "T S"]
  ) -> tuple[Int[np.ndarray, " T"], Int[np.ndarray, " T"]]:
    """Which word is best if one ends with a frame, and where it begins."""
    num, size = distances.shape
    total = np.full(size, np.inf)
    entry = np.zeros(size, np.int64)
    ended, began = np.zeros((2, num), np.int64)
    # Frames of a template are reached from those before, never from another.
    place = np.arange(size) - np.repeat(self.first, self.last - self.first + 1)
    through = 0.0
    for t in range(num):
      reached = np.stack(
        [
          total,
          np.where(place >= 1, np.r_[np.inf, total[:-1]], np.inf),
          np.where(place >= 2, np.r_[np.inf, np.inf, total[:-2]], np.inf),
        ]
      )
      step = reached.argmin(0)
      total = reached.min(0)
      entry = entry[np.arange(size) - step]
      # A word may begin wherever the best of all others has just ended.
      anew = through + self._cost
      better = anew < total[self.first]
      total[self.first[better]] = anew[better]
      entry[self.first[better]] = t
      total = total + distances[t]
      best = int(total[self.last].argmin())
      through = total[self.last[best]]
      ended[t], began[t] = best, entry[self.last[best]]
    return ended, began

  @functools.cached_property
  def _cost(self) -> Float[np.ndarray, " V"]:
    cost = np.full(len(self.words), self.penalty)
    cost[0] = 0.0
    return cost


def cepstra(sound: Float[np.ndarray, " _"]) -> Float[np.ndarray, "T I"]:
  """What the judge hears of a sound: a row every 10 ms.

  Cepstra of the log-mel spectrum, loudness as one of them, and how they
  change within 50 ms.

  Reference: Davis and Mermelstein 1980, doi:10.1109/TASSP.1980.1163420.
  """
  import scipy.fft

  grid = {
    "hop": _HOP,
    "window": _WINDOW,
    "num_mels": _NUM_MELS,
    "sample_rate": clock.SAMPLE_RATE,
  }
  state = spectral.silence(hop=_HOP, window=_WINDOW)
  _, mel = spectral.push(state, np.asarray(sound, np.float32), **grid)
  loud = np.maximum(mel, _FLOOR) - _FLOOR
  static = np.asarray(scipy.fft.dct(loud, norm="ortho"))[:, :_NUM_CEPSTRA]
  # Loudness would outweigh all that tells one sound from another.
  static[:, 0] *= 0.3
  padded = np.pad(static, ((2, 2), (0, 0)), mode="edge")
  change = padded[4:] - padded[:-4] if len(static) else static
  return np.concatenate([static, 0.5 * change], axis=1).astype(np.float32)


def report(
  judge: Judge, rows: Mapping[str, Sequence[Spoken]], *, seed: int = 0
) -> dict[str, dict[str, Any]]:
  """The word errors of each row, beside those against other words.

  Returns:
    By row `wer` (words put in, left out or exchanged, over words), its `ci`
    of 95 % over sounds, `errors`, `n` (words), and `chance`: the same sounds
    held against the words of all of them, exchanged at random. Rates are None
    where there are no words.
  """
  return {name: _row(judge, row, seed) for name, row in rows.items()}


def measure(
  model: Model,
  records: Sequence[Record],
  judge: Judge,
  *,
  seed: int = 0,
  batch: int = 32,
) -> dict[str, dict[str, Any]]:
  """Runs a model over conversations, and judges its voice.

  Rows of the report: `recorded` is the voice of the recordings, which speaks
  the wanted words; `griffin_lim` and `vocoder` make a sound of its mel again;
  `as_written` holds the model's voice against what the model wrote, and
  `as_wanted` against the wanted words.
  """
  seeds = range(seed, seed + len(records))
  done = backlog.run(model, records, seeds=seeds, batch=batch)
  wanted = [_words(account.of_record(record)) for record in records]
  rows = {
    name: [Spoken(s, w) for s, w in zip(sounds, wanted, strict=True)]
    for name, sounds in round_trips(
      [record.voice for record in records],
      model.params["heads"]["vocoder"],
      cfg=model.cfg.vocoder,
    ).items()
  }
  rows |= {"as_written": [], "as_wanted": []}
  for conduct, words in zip(done, wanted, strict=True):
    written = _words(account.of_conduct(conduct, model.words))
    rows["as_written"].append(Spoken(conduct.voice, written))
    rows["as_wanted"].append(Spoken(conduct.voice, words))
  return report(judge, rows, seed=seed)


def round_trips(
  sounds: Sequence[Float[np.ndarray, " _"]],
  weights: Params,
  *,
  cfg: VocoderConfig,
) -> dict[str, list[Float[np.ndarray, " _"]]]:
  """Sounds as they are, and made again from their mel in two ways.

  Args:
    weights: of the vocoder alone.
  """
  grid = {"hop": cfg.hop, "window": cfg.window}
  length = max(clock.num_turns(len(one)) for one in sounds) * clock.SAMPLES
  padded = np.stack([np.pad(one, (0, length - len(one))) for one in sounds])

  @jax.jit
  def again(weights: Params, sound: Array) -> tuple[Array, Array]:
    mel = spectral.log_mel(
      sound, num_mels=cfg.num_mels, sample_rate=cfg.sample_rate, **grid
    )
    loud = jnp.maximum(mel, cfg.floor)
    guessed = waveform.griffin_lim(loud, sample_rate=cfg.sample_rate, **grid)
    speak = params.bind(training.build(cfg), weights)
    return guessed, speak(mel, vocoder.start(cfg, sound.shape[0]))[0]

  made = [again(weights, jnp.asarray(one[None])) for one in padded]
  return {
    "recorded": list(sounds),
    "griffin_lim": [np.asarray(one[0][0]) for one in made],
    "vocoder": [np.asarray(one[1][0]) for one in made],
  }


def _words(done: account.Account) -> tuple[str, ...]:
  return tuple(word.text.lower() for word in done.words("say"))


def _row(judge: Judge, row: Sequence[Spoken], seed: int) -> dict[str, Any]:
  heard = [[one.word for one in judge.hear(spoken.sound)] for spoken in row]
  wrong = [
    edits(spoken.words, words) for spoken, words in zip(row, heard, strict=True)
  ]
  sizes = [len(spoken.words) for spoken in row]
  words = [word for spoken in row for word in spoken.words]
  left = iter(np.random.default_rng(seed).permutation(words).tolist())
  chance = sum(
    edits(list(itertools.islice(left, size)), words)
    for size, words in zip(sizes, heard, strict=True)
  )
  # An item a word, each with the errors of its sound shared out: their mean
  # is the rate of all, and sounds are what is drawn again.
  items = [
    bootstrap.Item(errors / size, cluster)
    for cluster, (errors, size) in enumerate(zip(wrong, sizes, strict=True))
    for _ in range(size)
  ]
  found = bootstrap.estimate(items, seed=seed)
  num = len(words)
  return {
    "wer": sum(wrong) / num if num else None,
    "ci": [found.low, found.high],
    "errors": sum(wrong),
    "n": num,
    "chance": chance / num if num else None,
  }
