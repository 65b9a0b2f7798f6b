import numpy as np
import pytest

from interaction_jax.evals.harness import baseline, narrator
from interaction_jax.evals.harness import item as items
from interaction_jax.evals.harness.item import Act, Item


def made_items(num=3):
  def opened(canvas):
    return items.listening(np.zeros(64_000))

  return [
    Item(f"p/{n}", "p", 4.0, opened, (Act(1.0 + n, f"number {word}"),))
    for n, word in zip(range(num), ("one", "two", "six"), strict=False)
  ]


@pytest.fixture(scope="module")
def done():
  given = made_items()
  return {
    who: dict((i.key, out) for i, out in baseline.perform(who, given, seed=1))
    for who in baseline.NAMES
  }


def test_an_oracle_says_what_is_wanted_when_it_is(done):
  first = done["oracle"]["p/0"]
  assert [word.text for word in first.own] == ["number", "one"]
  assert first.own[0].start == pytest.approx(1.0, abs=0.15)
  assert not first.voice[:16_000].any() and first.voice[16_000:].any()
  assert [e.kind for e in first.events][:1] == ["speak_start"]


def test_the_others_do_what_they_are_called(done):
  assert not any(out.voice.any() for out in done["silent"].values())
  loud = done["talking"]["p/1"].voice.reshape(-1, 16_000)
  assert (np.abs(loud).max(axis=1) > 0).all()
  said = {key: [w.text for w in x.own] for key, x in done["random"].items()}
  assert all(words[:1] == ["number"] for words in said.values())
  times = [x.own[0].start for x in done["random"].values()]
  assert len(set(times)) == 3


def test_what_begins_breaks_off_what_was_said():
  (long, short) = narrator.speak(
    [narrator.Line("one two three four five"), narrator.Line("stop")]
  )
  acts = [Act(0.0, "long"), Act(0.4, "short"), Act(0.1, "{}", "call")]
  made = baseline.render(acts, {"long": long, "short": short}, 32_000)
  np.testing.assert_array_equal(made.voice[:6400], long.sound[:6400])
  size = len(short.sound)
  np.testing.assert_array_equal(made.voice[6400 : 6400 + size], short.sound)
  assert made.own[-1].text == "stop" and made.own[-2].end <= 0.4
  assert [e.payload for e in made.events if e.kind == "call"] == [
    {"text": "{}"}
  ]


def test_an_act_ends_when_it_is_to():
  (spoken,) = narrator.speak([narrator.Line("one two three four five")])
  acts = [Act(0.2, "long", until=0.7)]
  made = baseline.render(acts, {"long": spoken}, 32_000)
  assert not made.voice[11_200:].any() and made.voice[3200:11_200].any()
  assert made.own[-1].end <= 0.7
  assert [e.t for e in made.events if e.kind == "speak_stop"] == [0.7]


def test_a_partner_is_answered(echo):
  echo = [
    Item(
      "echo/0",
      "echo",
      4.4,
      lambda canvas: items.listening(np.zeros(70_400)),
      (Act(0.0, "yes it is"),),
      partner=echo,
    )
  ]
  ((_, made),) = baseline.perform("oracle", echo)
  assert made.heard is not None and len(made.heard) == len(made.voice)
  # Two beeps, in turns 2 and 12, each answered in the second turn after it.
  onsets = [e.t for e in made.events if e.kind == "speak_start"]
  assert [word.start for word in made.told] == [0.4, 2.4]
  assert onsets == [pytest.approx(0.8), pytest.approx(2.8)]
