import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.core import checkpoint, settings, sharding
from interaction_jax.data.synthetic import world
from interaction_jax.model import interaction
from interaction_jax.ops import quantised
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


@pytest.mark.parametrize("mesh", [None, "cpu"])
@pytest.mark.parametrize("kind", ["int8", "fp8"])
def test_routed_experts_may_take_a_byte_a_number(
  saved, cfg, params, kind, mesh
):
  plain = models.load(saved)
  model = models.load(saved, mesh=mesh, quantise={"experts": kind})
  assert model.quantise == {"experts": kind} and plain.quantise == {}
  assert model.digest != plain.digest
  stored, found = sharding.by_name(params), model.params
  experts = interaction.routed(cfg)
  assert experts == tuple(
    f"backbone/layers/1/feed/{name}" for name in ("gate", "up", "down")
  )
  for name in experts:
    leaf = functools.reduce(lambda node, key: node[key], name.split("/"), found)
    wanted = quantised.quantise(stored.pop(name), kind)
    np.testing.assert_array_equal(leaf.values, wanted.values)
    np.testing.assert_allclose(leaf.scales, wanted.scales, rtol=1e-6)
  rest = sharding.by_name(found)
  for name, leaf in stored.items():
    np.testing.assert_array_equal(rest[name], leaf)
  saving = plain.nbytes - model.nbytes
  sizes = cfg.backbone.experts
  numbers = 3 * sizes.num_routed * cfg.backbone.width * sizes.width
  scales = sizes.num_routed * (2 * sizes.width + cfg.backbone.width)
  assert saving == 3 * numbers - 4 * scales > 0


def test_a_model_in_memory_may_be_quantised_too(cfg, params, saved):
  words = world.vocabulary()
  chosen = {"experts": "int8"}
  one = models.of(params, cfg=cfg, words=words, quantise=chosen)
  other = models.load(saved, quantise=chosen)
  for a, b in zip(
    jax.tree.leaves(one.params), jax.tree.leaves(other.params), strict=True
  ):
    np.testing.assert_array_equal(a, b)
  plain = models.of(params, cfg=cfg, words=words)
  assert one.digest != plain.digest and one.quantise == chosen


def test_what_cannot_be_quantised_is_refused(cfg, params, saved):
  with pytest.raises(ValueError, match=r"quantise=.*'int4' is not known"):
    models.load(saved, quantise={"experts": "int4"})
  backbone = dataclasses.replace(cfg.backbone, dense_layers=(0, 1))
  dense = dataclasses.replace(cfg, backbone=backbone)
  with pytest.raises(ValueError, match="the model has no routed experts"):
    models.of(
      params,
      cfg=dense,
      words=world.vocabulary(),
      quantise={"experts": "int8"},
    )


def test_programs_are_kept_in_the_cache_of_the_user(monkeypatch, tmp_path):
  monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
  assert models.cache() == tmp_path / "interaction_jax"
