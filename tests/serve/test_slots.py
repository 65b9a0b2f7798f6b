import dataclasses

import numpy as np
import pytest

from interaction_jax.serve import machine
from interaction_jax.serve.conversation import Ready
from interaction_jax.serve.slots import Slots

NUM = 3


@pytest.fixture(scope="module", params=[True, False], ids=["one", "each"])
def slots(request, model, lively):
  return Slots(model, NUM, sampling=lively, together=request.param)


def ready(seed, turn, model, *, sees=False):
  """A turn of a conversation that is told by its seed."""
  rng = np.random.default_rng([seed, turn])
  video = model.cfg.video
  shape = (2, video.rows * video.patch, video.columns * video.patch, 3)
  return Ready(
    index=turn,
    heard=rng.normal(0, 0.1, 3200).astype(np.float32),
    tokens=tuple(rng.integers(0, 90, turn % 3).tolist()),
    pair=rng.integers(0, 255, shape).astype(np.uint8) if sees else None,
    lost=(0.0, 0.0),
    events=(),
  )


def bits(made):
  return [
    np.asarray(getattr(made, field.name)).tobytes()
    for field in dataclasses.fields(made)
  ]


def play(slots, row, seed, turns, model, others=()):
  """Runs a session; the others have turns of their own meanwhile."""
  made = []
  for turn in turns:
    full = {row: ready(seed, turn, model, sees=turn % 2 == 0)}
    for other in others:
      if turn % (other + 1) == 0:
        full[other] = ready(90 + other, turn, model, sees=turn % 3 == 0)
    made.append(bits(slots.tick(full)[row]))
  return made


@pytest.mark.parametrize("row", range(NUM))
def test_a_session_has_the_same_bits_alone_and_among_others(slots, model, row):
  slots.join(row, 5, [7, 8, 9])
  alone = play(slots, row, 1, range(4), model)
  others = [other for other in range(NUM) if other != row]
  for other in others:
    slots.join(other, 50 + other)
  slots.join(row, 5, [7, 8, 9])
  assert play(slots, row, 1, range(4), model, others) == alone
  assert len({one[0] for one in alone}) > 1


def test_who_joins_begins_anew(slots, model):
  slots.join(0, 5)
  first = play(slots, 0, 1, range(3), model)
  assert play(slots, 0, 1, range(3), model) != first
  slots.join(0, 5)
  assert play(slots, 0, 1, range(3), model) == first
  slots.join(0, 5, [7, 8, 9])
  assert play(slots, 0, 1, range(3), model) != first


def test_a_state_goes_on_in_another_row(slots, model):
  slots.join(1, 5)
  play(slots, 1, 1, range(2), model)
  kept = slots.save(1)
  copies = [leaf.tobytes() for leaf in kept]
  after = play(slots, 1, 1, range(2, 5), model)
  assert [leaf.tobytes() for leaf in kept] == copies
  slots.load(2, kept)
  assert play(slots, 2, 1, range(2, 5), model) == after
  assert [leaf.shape[0] for leaf in kept] == [1] * len(kept)


def test_a_state_of_another_model_is_refused(slots):
  kept = slots.save(0)
  with pytest.raises(ValueError, match="not that of a session of this model"):
    slots.load(0, kept[1:])


def test_as_many_are_called_at_a_time_as_there_are_cores(slots, model):
  cores = min(NUM, machine.cores())
  assert slots.at_once == (NUM if slots.together else cores)
  # On this platform a row costs in company what it costs alone.
  assert not Slots(model, 1).together
  made = slots.tick({0: ready(1, 0, model), 2: ready(1, 0, model)})
  assert sorted(made) == [0, 2]
  assert slots.tick({}) == {}


def test_there_is_a_slot(model):
  with pytest.raises(ValueError, match=r"sessions=0 must be 1 or more"):
    Slots(model, 0)
