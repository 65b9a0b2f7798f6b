"""Those that every system is compared with.

    oracle    says what is wanted, when it is wanted
    random    says what is wanted of another item of the part, at a random time
    silent    says nothing
    talking   says the same from beginning to end

They speak with a synthesiser, and their words are the ones they were given:
what they show is the scorer, not a recogniser.
"""

import dataclasses
import math
import zlib
from collections.abc import Iterator, Sequence
from typing import Final, Literal, get_args

import numpy as np

from interaction_jax.evals.harness import narrator
from interaction_jax.evals.harness.item import Act, Item
from interaction_jax.evals.harness.narrator import Line, Spoken
from interaction_jax.evals.harness.output import Output, Word
from interaction_jax.serve.events import Event
from interaction_jax.turns import clock

Who = Literal["oracle", "random", "silent", "talking"]

NAMES: Final[tuple[Who, ...]] = get_args(Who)

_ENDLESS: Final = "well you know what I mean and so on and on and as I said"

_REACTION_TURNS: Final = 1
"""Turns from the one in which a partner stops to that in which it is answered,
for an oracle; so it takes 400 ms."""


def perform(
  who: Who, items: Sequence[Item], *, seed: int = 0
) -> Iterator[tuple[Item, Output]]:
  """What one of them does with items."""
  texts = {_ENDLESS: None} | {
    act.text: None for item in items for act in item.wanted if _spoken(act)
  }
  said = narrator.speak([Line(text) for text in texts])
  sounds = dict(zip(texts, said, strict=True))
  for item in items:
    rng = np.random.default_rng((seed, zlib.crc32(item.key.encode())))
    pool = [one for one in items if one.part == item.part]
    if item.partner is not None:
      yield item, _conversation(who, item, pool, sounds, rng)
    else:
      acts = _acts(who, item, pool, sounds, rng)
      num = round(item.seconds * clock.SAMPLE_RATE)
      yield item, render(acts, sounds, num)


def render(
  acts: Sequence[Act], sounds: dict[str, Spoken], num_samples: int
) -> Output:
  """Acts as an output; one that begins breaks off the one before it."""
  voice = np.zeros(num_samples, np.float32)
  acts = sorted(acts, key=lambda act: act.at)
  spoken = [act for act in acts if _spoken(act)]
  words: list[Word] = []
  events: list[Event] = []
  for place, act in enumerate(spoken):
    sound = sounds[act.text]
    first = round(act.at * clock.SAMPLE_RATE)
    last = min(first + len(sound.sound), num_samples)
    if math.isfinite(act.until):
      last = min(last, round(act.until * clock.SAMPLE_RATE))
    if place + 1 < len(spoken):
      last = min(last, round(spoken[place + 1].at * clock.SAMPLE_RATE))
    if last <= first:
      continue
    voice[first:last] = sound.sound[: last - first]
    start, end = first / clock.SAMPLE_RATE, last / clock.SAMPLE_RATE
    for word in sound.words:
      if word.start + start < end - 1e-9:
        words.append(
          Word(word.text, word.start + start, min(word.end + start, end))
        )
    events.append(_event(start, "speak_start"))
    events.append(_event(end, "speak_stop"))
  events += [_event(word.start, "say", f" {word.text}") for word in words]
  events += [
    _event(act.at, act.channel, act.text)
    for act in acts
    if not _spoken(act) and act.at * clock.SAMPLE_RATE < num_samples
  ]
  events.sort(key=lambda event: event.t)
  return Output(voice, tuple(words), tuple(events))


def _spoken(act: Act) -> bool:
  return act.channel == "say"


def _event(t: float, kind: str, text: str | None = None) -> Event:
  payload = {} if text is None else {"text": text}
  turn = max(clock.turn_at(t) - 1, 0)
  return Event(round(t, 3), turn, kind, payload)  # pyright: ignore[reportArgumentType]


def _acts(
  who: Who,
  item: Item,
  pool: Sequence[Item],
  sounds: dict[str, Spoken],
  rng: np.random.Generator,
) -> list[Act]:
  if who == "oracle":
    return list(item.wanted)
  if who == "silent":
    return []
  if who == "talking":
    step = sounds[_ENDLESS].seconds
    times = np.arange(clock.seconds(1), item.seconds, step)
    return [Act(float(at), _ENDLESS) for at in times]
  other = pool[int(rng.integers(len(pool)))]
  first = min((act.at for act in other.wanted), default=0.0)
  latest = max(item.seconds - 1.0, 0.4)
  shift = float(rng.uniform(clock.seconds(1), latest)) - first
  moved = [
    dataclasses.replace(act, at=act.at + shift, until=act.until + shift)
    for act in other.wanted
  ]
  return [act for act in moved if act.at < item.seconds]


def _conversation(
  who: Who,
  item: Item,
  pool: Sequence[Item],
  sounds: dict[str, Spoken],
  rng: np.random.Generator,
) -> Output:
  """A conversation with a partner who reacts, turn by turn."""
  assert item.partner is not None, f"{item.key} has no partner"
  partner, heard = item.partner(), []
  num = clock.num_turns(round(item.seconds * clock.SAMPLE_RATE))
  texts = [act.text for one in pool for act in one.wanted if _spoken(act)]
  acts = _acts(who, item, pool, sounds, rng) if who == "talking" else []
  voice = render(acts, sounds, num * clock.SAMPLES).voice
  for turn in range(num):
    first = turn * clock.SAMPLES
    sound = partner.speak(voice[first : first + clock.SAMPLES])
    if sound is None:
      break
    heard.append(sound)
    wanted, known = partner.wants(), len(acts)
    at = clock.seconds(turn + 1 + _REACTION_TURNS)
    if wanted is not None and who == "oracle":
      acts.append(Act(at, wanted))
    elif who == "random" and texts and rng.random() < 0.04:
      acts.append(Act(at, texts[int(rng.integers(len(texts)))]))
    if len(acts) > known:
      # It begins later: what has been heard stays as it is.
      voice = render(acts, sounds, num * clock.SAMPLES).voice
  # What begins breaks off what was said; all that was audible is known now.
  made = render(acts, sounds, len(heard) * clock.SAMPLES)
  other = np.concatenate(heard) if heard else np.zeros(0, np.float32)
  return dataclasses.replace(made, heard=other, told=tuple(partner.said()))
