import dataclasses

import jax
import numpy as np
import pytest

from interaction_jax.model.config import SamplingConfig
from interaction_jax.serve import programs
from interaction_jax.serve.session import Session


def test_a_block_must_hold_a_pair_of_frames(cfg, params):
  memory = dataclasses.replace(cfg.memory, block=cfg.video.num_patches)
  narrow = dataclasses.replace(cfg, memory=memory)
  with pytest.raises(ValueError, match=r"memory\.block=2 .* 7 would do"):
    programs.compile(params, cfg=narrow, sampling=SamplingConfig())


def test_another_shape_is_refused(model, lively):
  compiled = model.programs(lively)
  state = compiled.begin(np.zeros((1,), np.uint32))
  wide = dataclasses.replace(
    compiled.turn, text=programs.place(np.zeros((1, 99), np.int32))
  )
  with pytest.raises(TypeError, match=r"int32\[1,99\]"):
    compiled.step(model.params, state, wide)


def test_the_state_is_used_up(model, lively):
  compiled = model.programs(lively)
  state = compiled.begin(np.zeros((1,), np.uint32))
  compiled.step(model.params, state, compiled.turn)
  assert all(leaf.is_deleted() for leaf in jax.tree.leaves(state.memory))


def test_place_copies():
  mine = np.arange(64, dtype=np.float32)
  placed = programs.place(mine)
  mine[:] = 0
  assert np.asarray(placed).sum() == 64 * 63 / 2


def test_kept_programs_make_the_same_bits(model, lively, tmp_path):
  # It compiles them itself; those of the other tests may have been read.
  model = dataclasses.replace(model, cache=tmp_path, _compiled={})
  audio = np.random.default_rng(0).normal(0, 0.1, 6400)
  expected = Session(model, sampling=lively).push(audio)
  (file,) = tmp_path.iterdir()
  second = dataclasses.replace(model, _compiled={})
  # The second start traces nothing.
  jax.config.update("jax_no_tracing", True)
  try:
    again = Session(second, sampling=lively).push(audio)
  finally:
    jax.config.update("jax_no_tracing", False)
  assert again.audio.tobytes() == expected.audio.tobytes()
  assert [turn.text for turn in again.turns] == [
    turn.text for turn in expected.turns
  ]
  assert file.suffix == ".programs"


@pytest.mark.parametrize("content", [b"", b"not a pickle"])
def test_a_damaged_file_is_not_read(content, tmp_path):
  file = tmp_path / "one.programs"
  file.write_bytes(content)
  assert programs._read(file) is None


def test_the_file_depends_on_how_a_model_is_run(cfg, params, lively):
  names = {
    programs._file_name(params, cfg, lively, 1),
    programs._file_name(params, cfg, lively, 2),
    programs._file_name(params, cfg, SamplingConfig(), 1),
    programs._file_name(params, dataclasses.replace(cfg, dtype="x"), lively, 1),
  }
  assert len(names) == 4
