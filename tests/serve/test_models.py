import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.core import checkpoint, settings
from interaction_jax.data.synthetic import world
from interaction_jax.serve import models


@pytest.fixture(scope="module")
def tokenizer():
  return world.vocabulary().tokenizer.to_str().encode()


@pytest.fixture(scope="module")
def saved(cfg, params, tokenizer, tmp_path_factory):
  """The model as it is shipped."""
  path = tmp_path_factory.mktemp("models") / "small"
  plain = {"name": "small", "model": settings.to_dict(cfg)}
  checkpoint.save(path, params, config=plain, tokenizer=tokenizer)
  return path


def test_a_folder_holds_a_model(saved, cfg):
  model = models.load(saved)
  assert model.cfg == cfg and model.path == saved
  assert model.words.first_control == cfg.text.first_control
  assert model.words.decode(model.words.encode("say cat")) == "say cat"
  assert len(model.digest) == 64


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_weights_have_the_type_of_computing(
  cfg, params, tokenizer, tmp_path, dtype
):
  plain = settings.to_dict(dataclasses.replace(cfg, dtype=dtype))
  stored = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.bfloat16), params)
  checkpoint.save(tmp_path / "m", stored, config=plain, tokenizer=tokenizer)
  model = models.load(tmp_path / "m")
  kinds = {str(leaf.dtype) for leaf in jax.tree.leaves(model.params)}
  assert kinds == {dtype}


@pytest.mark.parametrize("mesh", [None, "cpu"])
@pytest.mark.parametrize(
  ("change", "message"),
  [
    (lambda embed: embed.pop("audio"), "missing embed/audio/norm, embed/audio"),
    (lambda embed: embed.update(extra=jnp.ones(3)), "unknown embed/extra"),
    (
      lambda embed: embed["text"].update(norm=jnp.ones(25)),
      r"embed/text/norm has the shape \(25,\), wanted is \(24,\)",
    ),
  ],
  ids=["missing", "unknown", "shape"],
)
def test_weights_of_another_model_are_named(
  cfg, params, tokenizer, tmp_path, change, message, mesh
):
  embed = {**params["embed"], "text": dict(params["embed"]["text"])}
  change(embed)
  other = {**params, "embed": embed}
  plain = settings.to_dict(cfg)
  checkpoint.save(tmp_path / "m", other, config=plain, tokenizer=tokenizer)
  with pytest.raises(ValueError, match=f"is of another model.*{message}"):
    models.load(tmp_path / "m", mesh=mesh)


def test_a_model_in_memory_is_known_by_its_weights(cfg, params):
  words = world.vocabulary()
  one, same = (models.of(params, cfg=cfg, words=words) for _ in range(2))
  assert one.digest == same.digest
  changed = {**params, "extra": {"scale": jnp.ones(3)}}
  assert models.of(changed, cfg=cfg, words=words).digest != one.digest


def test_a_name_is_a_shipped_model_or_a_folder(saved):
  assert models.find(saved) == saved
  with pytest.raises(FileNotFoundError, match="neither a folder nor a shipped"):
    models.find("no-such-model")


def test_a_language_model_cannot_talk(cfg, tmp_path):
  path = tmp_path / "text"
  plain = settings.to_dict(cfg)
  checkpoint.save(path, {"part": {"scale": jnp.ones(3)}}, config=plain)
  with pytest.raises(ValueError, match="no tokenizer"):
    models.load(path)


@pytest.mark.parametrize(
  ("mesh", "message"),
  [
    ("cqu", r"mesh 'cqu' is not known \(did you mean cpu.*'expert=4'"),
    ("expert=64", "needs 64 devices"),
  ],
  ids=["name", "size"],
)
def test_a_mesh_that_does_not_fit_is_refused(saved, mesh, message):
  with pytest.raises(ValueError, match=message):
    models.load(saved, mesh=mesh)


def test_a_named_mesh_holds_the_weights(saved):
  model = models.load(saved, mesh="cpu")
  assert model.mesh is not None and model.mesh_name == "cpu"
  assert dict(model.mesh.shape) == {
    "data": 1, "fsdp": 1, "expert": 1, "tensor": 1,
  }  # fmt: skip


@pytest.mark.parametrize("mesh", [None, "cpu"])
def test_a_model_from_before_losses_were_told_is_completed(
  cfg, params, tokenizer, tmp_path, mesh
):
  tick = {name: params["embed"]["tick"][name] for name in ("vector", "phases")}
  older = {**params, "embed": {**params["embed"], "tick": tick}}
  plain = {"model": settings.to_dict(cfg)}
  checkpoint.save(tmp_path / "old", older, config=plain, tokenizer=tokenizer)
  model = models.load(tmp_path / "old", mesh=mesh)
  assert jax.tree.structure(model.params) == jax.tree.structure(params)
  found = model.params["embed"]["tick"]
  assert found["lost"].shape == (2, cfg.backbone.width)
  assert not np.asarray(found["lost"]).any()
  assert found["lost"].sharding == found["phases"].sharding


def test_programs_are_kept_in_the_cache_of_the_user(monkeypatch, tmp_path):
  monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
  assert models.cache() == tmp_path / "interaction_jax"
