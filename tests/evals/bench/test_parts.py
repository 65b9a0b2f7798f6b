import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.evals.bench import parts
from interaction_jax.model import state as states
from interaction_jax.model import step

BATCH = 1


@pytest.fixture(scope="module")
def made(model):
  """What each part makes."""
  begin = jax.jit(lambda seed: states.start(seed, cfg=model.cfg))
  state = begin(np.zeros((BATCH,), np.uint32))
  given = parts.arguments(state, cfg=model.cfg, sampling=step.GREEDY)
  return {
    name: part(model.params, *jax.tree.map(jnp.copy, given[name]))
    for name, part in parts.programs(model.cfg, step.GREEDY).items()
  }


def test_all_that_is_made_is_finite(made):
  for name, tree in made.items():
    for leaf in jax.tree.leaves(tree):
      assert np.isfinite(np.asarray(leaf)).all(), name


def test_the_front_end_hears_both_voices(made, model):
  (_, heard), (_, voice) = made["front end"]
  shape = (BATCH, 3200 // model.cfg.audio.hop, model.cfg.audio.num_mels)
  assert heard.shape == voice.shape == shape
  assert (np.asarray(heard) != np.asarray(voice)).any()


def test_a_pass_takes_in_a_speaking_turn(made, model):
  hidden, memory = made["backbone pass"]
  num_real = 1 + 2 * model.cfg.audio_positions
  assert np.asarray(memory.length).tolist() == [num_real] * BATCH
  assert hidden.shape[1] == num_real + model.cfg.turn.text_in


def test_a_text_step_chooses_one_token(made, model):
  token, memory = made["text step"]
  assert token.shape == (BATCH,)
  assert 0 <= int(token[0]) < model.cfg.text.vocab_size
  assert np.asarray(memory.length).tolist() == [1] * BATCH


def test_frames_and_samples_are_those_of_a_turn(made, model):
  voice = model.cfg.vocoder
  shape = (BATCH, voice.frames_per_turn, voice.num_mels)
  assert made["flow"].shape == shape
  sound, after = made["vocoder"]
  assert sound.shape == (BATCH, 3200) and np.asarray(sound).any()
  assert np.asarray(after.index).tolist() == [voice.frames_per_turn] * BATCH
