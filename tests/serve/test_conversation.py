import numpy as np
import pytest

from interaction_jax.serve import conversation
from interaction_jax.serve.conversation import Conversation
from interaction_jax.turns import clock
from interaction_jax.turns.vocabulary import Control


@pytest.fixture
def talk(model):
  return Conversation(model.words, model.cfg)


def sound(num_samples, level=0.5):
  return np.full(num_samples, level, np.float32)


def parcel(cfg, *args, **kwargs):
  return conversation.check(*args, cfg=cfg, **kwargs)


def test_a_turn_is_next_once_it_is_full(talk, cfg):
  talk.take(parcel(cfg, sound(3199)))
  assert talk.num_ready == 0 and talk.next() is None
  talk.take(parcel(cfg, sound(3202)))
  assert talk.num_ready == 2
  first, second = talk.next(), talk.next()
  assert (first.index, second.index) == (0, 1) and talk.next() is None
  assert (first.heard == 0.5).all() and first.lost == (0, 0)
  assert talk.turn == 2 and talk.time == 6401 / clock.SAMPLE_RATE


def test_now_is_behind_the_last_that_came(talk, cfg):
  waiting = parcel(cfg, None, [np.zeros((4, 4, 3), np.uint8)], "hello")
  talk.take(parcel(cfg, sound(4000)))
  # What was looked at before is of the moment at which it is taken in.
  talk.take(waiting)
  assert talk.next().tokens == ()
  talk.take(parcel(cfg, sound(3200)))
  ready = talk.next()
  assert ready.tokens[0] == talk._words.id_of(Control.USER)
  (event,) = ready.events
  assert (event.t, event.turn, event.kind) == (0.25, 1, "user_text")


def test_the_background_model_is_another_speaker(talk, cfg):
  text = parcel(cfg, text="22 degrees", speaker=Control.BACKGROUND)
  talk.take(text)
  talk.take(parcel(cfg, sound(3200)))
  ready = talk.next()
  assert ready.tokens[0] == talk._words.id_of(Control.BACKGROUND)
  assert [event.kind for event in ready.events] == ["background"]


def test_what_waits_can_be_kept(talk, model, cfg):
  frames = [(0.1, np.full((4, 4, 3), 9, np.uint8)), (0.3, None)]
  talk.take(parcel(cfg, sound(5000), frames, [(0.3, "later"), (9.0, "last")]))
  talk.take(parcel(cfg, sound(700), at=0.4))
  talk.next()
  other = Conversation(model.words, model.cfg)
  other.restore(talk.fields(), talk.audio, talk.frames)
  assert other.fields() == talk.fields()
  for one in (talk, other):
    one.take(parcel(cfg, sound(9000)))
  for _ in range(3):
    one, same = talk.next(), other.next()
    assert one.heard.tobytes() == same.heard.tobytes()
    assert (one.tokens, one.lost, one.events) == (
      same.tokens,
      same.lost,
      same.events,
    )


def test_instructions_must_fit(talk, cfg):
  tokens = talk.pinned("be brief")
  assert tokens[0] == talk._words.id_of(Control.INSTRUCTION)
  assert talk.pinned(None) == talk.pinned("") == []
  most = cfg.memory.pinned
  with pytest.raises(ValueError, match=rf"memory\.pinned={most}; shorter"):
    talk.pinned("say " * most)
