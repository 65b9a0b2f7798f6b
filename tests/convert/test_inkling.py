"""Inkling's weights, judged by the implementation they are published with."""

import dataclasses
import functools
import json
import re
import shutil
import types
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy
import transformers

from interaction_jax import __main__ as cli
from interaction_jax.convert import inkling
from interaction_jax.core import checkpoint, settings, sharding
from interaction_jax.data.synthetic import world
from interaction_jax.model import config, interaction, language, step
from interaction_jax.model import state as states
from interaction_jax.ops import dispatch, norm
from interaction_jax.serve import models
from interaction_jax.train import transfer
from interaction_jax.turns import vocabulary as vocabularies
from interaction_jax.turns.schema import TurnInput
from interaction_jax.turns.vocabulary import Control

LENGTH = 23
IMAGE, AUDIO = 45, 46

# The agreement asked for, in parts of the largest logit; and what a mechanism
# must change when it is switched off, or its agreement would mean nothing.
AGREEMENT = 1e-4
NOTICEABLE = 10 * AGREEMENT

CONFIGS: dict[str, dict[str, Any]] = {
  "default-kinds-of-seven-layers": {
    "num_hidden_layers": 7,
    "layer_types": None,
    "mlp_layer_types": ["dense"] * 2 + ["sparse"] * 5,
  },
  "window-of-two-and-one-key-head": {
    "sliding_window_size": 2,
    "conv_kernel_size": 2,
    "num_key_value_heads": 1,
    "swa_num_key_value_heads": 1,
  },
  "window-and-bias-beyond-the-input": {
    "sliding_window_size": 40,
    "rel_extent": 50,
  },
  "one-expert-chosen": {"num_experts_per_tok": 1, "n_shared_experts": 1},
  "all-experts-chosen": {"n_routed_experts": 3, "num_experts_per_tok": 3},
  "no-dense-layer": {"mlp_layer_types": ["sparse"] * 2},
  "dense-layers-alone": {
    "num_hidden_layers": 1,
    "layer_types": ["hybrid"],
    "mlp_layer_types": ["dense"],
  },
  "floor-of-one": {"log_scaling_n_floor": 1, "log_scaling_alpha": 0.5},
  "no-floor-and-all-logits": {
    "log_scaling_n_floor": None,
    "unpadded_vocab_size": None,
  },
  "all-window-layers-and-no-taps-back": {
    "num_hidden_layers": 3,
    "layer_types": ["hybrid_sliding"] * 3,
    "mlp_layer_types": ["sparse", "dense", "sparse"],
    "conv_kernel_size": 1,
    "sliding_window_size": 1,
  },
  "global-layers-alone-and-long-taps": {
    "layer_types": ["hybrid"] * 2,
    "conv_kernel_size": 7,
    "rel_extent": 1,
    "d_rel": 1,
    "rms_norm_eps": 0.03,
    "route_scale": 0.5,
    "log_scaling_n_floor": 2,
    "log_scaling_alpha": 2.0,
  },
}


@pytest.fixture(scope="module")
def loaded(plain):
  return inkling.load(plain.directory)


@pytest.mark.parametrize("text", CONFIGS.values(), ids=CONFIGS)
def test_logits_agree_with_the_reference(oracle, text, tmp_path):
  case = oracle.multimodal(tmp_path, text)
  ours = inkling.load(tmp_path)
  assert case.error(ours.logits(case.ids, case.audio, case.images)) < AGREEMENT
  assert ours.unused == ()


SOME = dict(list(CONFIGS.items())[::2])


@pytest.mark.parametrize("text", SOME.values(), ids=SOME)
def test_logits_agree_on_text_alone(oracle, text, tmp_path):
  case = oracle.multimodal(tmp_path, text, media=False)
  got = inkling.load(tmp_path).logits(case.ids)
  assert case.error(got) < AGREEMENT


ODD = {
  "one-token": [[7]],
  "one-frame-alone": [[AUDIO]],
  "one-patch-alone": [[IMAGE]],
  "at-both-ends": [[IMAGE, 3, 4, AUDIO], [AUDIO, 5, 6, IMAGE]],
  "nothing-but-media": [[AUDIO, IMAGE, IMAGE, AUDIO], [IMAGE] * 4],
  "all-in-the-last-row": [[1, 2, 3], [1, 2, 3], [IMAGE, AUDIO, IMAGE]],
}


@pytest.mark.parametrize("ids", ODD.values(), ids=ODD)
def test_logits_agree_wherever_audio_and_images_lie(oracle, ids, plain, loaded):
  ids = np.asarray(ids, np.int32)
  numbers = np.random.default_rng(2)
  frames, patches = (ids == AUDIO).sum(), (ids == IMAGE).sum()
  audio = numbers.integers(0, 16, (frames, 80)).astype(np.int32)
  images = numbers.normal(size=(patches, 2, 6, 6, 3)).astype(np.float32)
  given = ids, audio if frames else None, images if patches else None
  case = dataclasses.replace(
    plain, wanted=oracle.answer(oracle.reference(plain.directory), *given)
  )
  assert case.error(loaded.logits(*given)) < AGREEMENT
  # No rows at all are as good as None.
  assert case.error(loaded.logits(ids, audio, images)) < AGREEMENT


def test_placeholders_without_media_are_tokens_for_both(oracle, plain, loaded):
  model = oracle.reference(plain.directory)
  wanted = oracle.answer(model, plain.ids, None, None)
  case = dataclasses.replace(plain, wanted=wanted)
  assert case.error(loaded.logits(plain.ids)) < AGREEMENT


def test_logits_agree_where_weights_are_as_first_drawn(oracle, tmp_path):
  case = oracle.text_model(tmp_path, shaken=False)
  assert case.error(inkling.load(tmp_path).logits(case.ids)) < AGREEMENT


def test_logits_agree_as_the_package_computes_by_itself(oracle, plain, loaded):
  """With the attention that it chooses when nobody says which."""
  given = plain.ids, plain.audio, plain.images
  model = oracle.reference(plain.directory)
  wanted = oracle.answer(model, *given, attention="sdpa")
  case = dataclasses.replace(plain, wanted=wanted)
  assert case.error(loaded.logits(*given)) < AGREEMENT


def test_the_config_may_be_as_published(oracle, plain, loaded, tmp_path):
  directory = oracle.published(plain.directory, tmp_path / "published")
  given = plain.ids, plain.audio, plain.images
  # The reference reads the same model out of it, and so do we.
  assert plain.error(oracle.answer(oracle.reference(directory), *given)) < 1e-6
  assert inkling.load(directory).source == loaded.source


def test_logits_agree_before_a_mechanism_is_switched_off(plain, loaded):
  got = loaded.logits(plain.ids, plain.audio, plain.images)
  assert plain.error(got) < AGREEMENT


def test_logits_agree_in_shards_and_on_patches_of_full_size(oracle, tmp_path):
  case = oracle.multimodal(tmp_path, {}, patch=40, max_shard_size="3MB")
  assert len(list(tmp_path.glob("model-*.safetensors"))) > 1
  ours = inkling.load(tmp_path)
  assert case.error(ours.logits(case.ids, case.audio, case.images)) < AGREEMENT


def test_logits_agree_on_weights_stored_in_bfloat16(oracle, tmp_path):
  case = oracle.multimodal(tmp_path, {}, low=True)
  stored = safetensors.numpy.load_file(tmp_path / "model.safetensors")
  assert stored["model.llm.embed.weight"].dtype == jnp.bfloat16
  ours = inkling.load(tmp_path, dtype="bfloat16")
  assert ours.params["embed"]["text"]["table"].dtype == jnp.bfloat16
  assert case.error(ours.logits(case.ids, case.audio, case.images)) < AGREEMENT


def test_logits_agree_on_the_text_model(text_only):
  ours = inkling.load(text_only.directory)
  assert text_only.error(ours.logits(text_only.ids)) < AGREEMENT
  assert not ours.source.multimodal
  assert {"embed/audio/table", "embed/video/norm"} <= set(ours.new_parts)


def everywhere(pattern, change):
  """A change of all weights whose names match."""

  def ablate(params, cfg):
    named = sharding.by_name(params)
    hits = [name for name in named if re.search(pattern, name)]
    assert hits
    for name in hits:
      named[name] = change(named[name])
    return sharding.nested(named), cfg

  return ablate


def swap_gates(params, cfg):
  """silu(up x) * gate x instead of silu(gate x) * up x."""
  named = sharding.by_name(params)
  swapped = {
    name: named[re.sub(r"gate$|up$", lambda m: SWAP[m[0]], name)]
    if re.search(r"feed/(shared_)?(gate|up)$", name)
    else leaf
    for name, leaf in named.items()
  }
  return sharding.nested(swapped), cfg


SWAP = {"gate": "up", "up": "gate"}


def whole_window(params, cfg):
  """A window as long as the input; the bias ends where it did."""

  def longer(bank):
    if bank.shape[1] != cfg.backbone.window_attention.reach:
      return bank
    return jnp.pad(bank, ((0, 0), (0, LENGTH - bank.shape[1])))

  params, _ = everywhere("attention/bank$", longer)(params, cfg)
  window = dataclasses.replace(cfg.backbone.window_attention, reach=LENGTH)
  return params, backbone(cfg, window_attention=window)


def backbone(cfg, **fields):
  return dataclasses.replace(
    cfg, backbone=dataclasses.replace(cfg.backbone, **fields)
  )


def undivided(params, cfg):
  text = dataclasses.replace(cfg.text, logit_divisor=1.0)
  return params, dataclasses.replace(cfg, text=text)


def louder_experts(params, cfg):
  experts = dataclasses.replace(cfg.backbone.experts, route_scale=1.0)
  return params, backbone(cfg, experts=experts)


ABLATIONS = {
  "window": whole_window,
  "relative-bias": everywhere("bank$", jnp.zeros_like),
  "log-length": lambda params, cfg: (params, backbone(cfg, log_floor=None)),
  "key-convolution": everywhere("key_taps$", jnp.zeros_like),
  "value-convolution": everywhere("value_taps$", jnp.zeros_like),
  "attention-convolution": everywhere("attention_taps$", jnp.zeros_like),
  "feed-convolution": everywhere("feed_taps$", jnp.zeros_like),
  "query-norm": everywhere("query_norm$", jnp.ones_like),
  "key-norm": everywhere("key_norm$", jnp.ones_like),
  "dense-layer": everywhere("layers/0/feed/down$", jnp.zeros_like),
  "dense-scale": everywhere("layers/0/feed/scale$", jnp.ones_like),
  "router-scale": everywhere("router/scale$", jnp.ones_like),
  "route-scale": louder_experts,
  "selection-bias": everywhere("selection_bias$", jnp.zeros_like),
  "routed-experts": everywhere("layers/./feed/down$", jnp.zeros_like),
  "shared-experts": everywhere("shared_down$", jnp.zeros_like),
  "gate": swap_gates,
  "embedding-norm": everywhere("embed/text/norm$", jnp.ones_like),
  "audio": everywhere("embed/audio/table$", jnp.zeros_like),
  "audio-norm": everywhere("embed/audio/norm$", jnp.ones_like),
  "images": everywhere("embed/video/layers/1/kernel$", lambda x: x[::-1]),
  "image-norm": everywhere("embed/video/norm$", jnp.ones_like),
  "final-norm": everywhere("backbone/norm$", jnp.ones_like),
  "logit-divisor": undivided,
}


@pytest.mark.parametrize("ablate", ABLATIONS.values(), ids=ABLATIONS)
def test_agreement_rests_on_each_mechanism(ablate, plain, loaded):
  params, cfg = ablate(loaded.params, loaded.cfg)
  without = dataclasses.replace(loaded, params=params, cfg=cfg)
  got = without.logits(plain.ids, plain.audio, plain.images)
  assert plain.error(got) > NOTICEABLE


def no_sink(logits, shared_logits, bias, *, num_chosen, scale):
  """The weights of the chosen experts add up by themselves."""
  alone = jnp.full_like(shared_logits, -1e9)
  route = dispatch.route
  chosen = route(logits, alone, bias, num_chosen=num_chosen, scale=scale)
  both = route(logits, shared_logits, bias, num_chosen=num_chosen, scale=scale)
  return dataclasses.replace(chosen, shared=both.shared)


def softmax(logits, shared_logits, bias, *, num_chosen, scale):
  """Weights in proportion to exp, as most routers have them."""
  chosen = dispatch.route(
    logits, shared_logits, bias, num_chosen=num_chosen, scale=scale
  )
  taken = jnp.take_along_axis(logits, chosen.experts, axis=-1)
  both = jnp.concatenate([taken, shared_logits], axis=-1)
  weights = scale * jax.nn.softmax(both, axis=-1)
  return dataclasses.replace(
    chosen, weights=weights[:, :num_chosen], shared=weights[:, num_chosen:]
  )


def routing_by(route):
  return types.SimpleNamespace(**{**vars(dispatch), "route": route})


def without_norm_of(width):
  """Vectors of one width keep their length."""

  def rms(x, scale, *, eps):
    return x * scale if len(scale) == width else norm.rms(x, scale, eps=eps)

  return types.SimpleNamespace(rms=rms)


@pytest.mark.parametrize(
  ("module", "name", "stand_in"),
  [
    ("backbone.feed", "dispatch", routing_by(no_sink)),
    ("backbone.feed", "dispatch", routing_by(softmax)),
    ("backbone.attention", "norm", without_norm_of(7)),
    ("backbone.attention", "norm", without_norm_of(5)),
    ("embed.text", "norm", without_norm_of(24)),
  ],
  ids=[
    "sink",
    "sigmoid",
    "global-heads-norm",
    "window-heads-norm",
    "embedding-norm",
  ],
)
def test_agreement_rests_on_each_operation(
  module, name, stand_in, plain, loaded, monkeypatch
):
  monkeypatch.setattr(f"interaction_jax.model.{module}.{name}", stand_in)
  # A function of its own is traced anew, with the stand-in.
  traced = jax.jit(
    functools.partial(
      language.logits, cfg=loaded.cfg, audio_token=AUDIO, image_token=IMAGE
    )
  )
  with jax.default_matmul_precision("highest"):
    got = traced(loaded.params, plain.ids, plain.audio, plain.images)
  assert plain.error(got) > NOTICEABLE


def test_the_padding_of_the_vocabulary_has_no_logits(oracle, plain, loaded):
  got = loaded.logits(plain.ids, plain.audio, plain.images)
  assert got.shape == (*plain.ids.shape, oracle.text["unpadded_vocab_size"])


@pytest.mark.parametrize(
  ("changes", "message"),
  [
    ({"ids": [0, 1]}, r"ids has the shape \(2,\)"),
    ({"ids": [[]]}, r"ids has the shape \(1, 0\)"),
    ({"ids": [[0.5]]}, "ids has .* the type float"),
    ({"audio": np.full((2, 80), np.nan)}, "audio has the type float64; levels"),
    ({"ids": [[0, 48]]}, "ids holds 0 to 48; 0 to 47 are possible"),
    ({"ids": [[-1, 3]]}, "ids holds -1 to 3"),
    ({"ids": [[AUDIO, 3]]}, "hold 1 audio placeholders .* but 2 audio rows"),
    ({"ids": [[AUDIO, AUDIO]]}, "hold 0 image placeholders .* but 1 image"),
    ({"audio": np.full((2, 80), 16)}, "audio holds 16 to 16; 0 to 15"),
    ({"audio": np.zeros((2, 79), int)}, r"audio has the shape \(2, 79\)"),
    ({"images": np.zeros((1, 2, 6, 5, 3))}, r"image has .*\(2, 6, 6, 3\)"),
  ],
  ids=[
    "axis",
    "none",
    "fraction",
    "nan",
    "id",
    "negative",
    "audio-count",
    "image-count",
    "level",
    "mels",
    "patch",
  ],
)
def test_wrong_inputs_are_refused(changes, message, loaded):
  given = {
    "ids": [[AUDIO, AUDIO, IMAGE]],
    "audio": np.zeros((2, 80), np.int32),
    "images": np.zeros((1, 2, 6, 6, 3), np.float32),
    **changes,
  }
  with pytest.raises(ValueError, match=message):
    loaded.logits(**given)


def test_a_text_model_takes_no_audio(text_only):
  ours = inkling.load(text_only.directory)
  with pytest.raises(ValueError, match=r"audio was given, but .* text alone"):
    ours.logits(text_only.ids, np.zeros((1, 80), np.int32))


def test_what_inkling_lacks_is_drawn_from_the_seed(plain, loaded):
  other = inkling.load(plain.directory, seed=1)
  ours, theirs = (sharding.by_name(m.params) for m in (loaded, other))
  assert ours.keys() == theirs.keys()
  assert loaded.new_parts == other.new_parts
  assert any(name.startswith("heads/flow/") for name in loaded.new_parts)
  differ = {
    name for name in ours if not np.array_equal(ours[name], theirs[name])
  }
  assert differ and differ <= set(loaded.new_parts)


def with_mtp(tensors):
  tensors["model.mtp.layers.0.norm.weight"] = np.zeros(3, np.float32)


@pytest.fixture(scope="module")
def words():
  """A tokenizer of 270 tokens."""
  return vocabularies.train(["red cat and blue dog"] * 9, size=270)


@pytest.fixture(scope="module")
def converted(oracle, words, tmp_path_factory):
  """A converted checkpoint with a tokenizer, its source and its report."""
  folder = tmp_path_factory.mktemp("converted")
  size = {"vocab_size": 290, "unpadded_vocab_size": 275}
  case = oracle.multimodal(folder / "case", size)
  source = oracle.copied(case, folder / "source", with_mtp)
  words.save(source / "tokenizer.json")
  return folder / "target", source, inkling.convert(source, folder / "target")


def test_the_report_says_how_the_two_agree(converted):
  target, _, report = converted
  assert report == json.loads((target / "report.json").read_text())
  assert report["reference"] == f"transformers {transformers.__version__}"
  assert report["reason"] is None
  bound = AGREEMENT * report["largest_logit"]
  assert 0 < report["max_abs_logit_diff"] < bound
  assert report["missing"] == []
  assert report["unused"] == ["model.mtp.layers.0.norm.weight"]


def saved_model(target):
  """The settings and the parameters of a checkpoint."""
  plain = checkpoint.load(target).config["model"]
  cfg = settings.from_dict(config.InteractionConfig, plain)
  wanted = jax.eval_shape(
    functools.partial(interaction.init, cfg=cfg), jax.random.key(0)
  )
  return cfg, checkpoint.load(target, expect=wanted)


def test_all_but_the_new_parts_is_what_was_read(converted, words):
  target, source, report = converted
  assert checkpoint.inspect(target)["intact"]
  cfg, saved = saved_model(target)
  assert saved.tokenizer == (source / "tokenizer.json").read_bytes()
  ours = sharding.by_name(inkling.load(source).params)
  kept = sharding.by_name(saved.params)
  new = {name for name in report["new_parts"] if "[" not in name}
  assert {"embed/tick/vector", "heads/gate/bias"} <= new
  rows = {name for name in report["new_parts"] if "[" in name}
  assert rows == {"embed/text/table[275:290]", "heads/text/table[275:290]"}
  for name in ours.keys() - new:
    rows = slice(275) if name.endswith("text/table") else ...
    np.testing.assert_array_equal(ours[name][rows], kept[name][rows])
  assert (cfg.text.first_control, cfg.text.vocab_size) == (275, 283)


def test_a_converted_model_takes_turns(converted):
  """It hears, reads, writes and speaks."""
  target, _, _ = converted
  model = models.load(target)
  told = model.words.encode("red cat")
  text = np.zeros((2, model.cfg.turn.text_in), np.int32)
  text[:, : len(told)] = told
  heard = 0.1 * np.random.default_rng(0).normal(size=(2, 3200))
  turn = TurnInput(
    active=jnp.ones(2, bool),
    heard=jnp.asarray(heard, jnp.float32),
    text=jnp.asarray(text),
    num_text=jnp.full((2,), len(told), jnp.int32),
  )
  run = functools.partial(
    step.step,
    cfg=model.cfg,
    # A gate wide open, so that the voice is made too.
    sampling=config.SamplingConfig(speak_bias=99.0, flow_steps=1),
  )
  state = states.start(jnp.arange(2, dtype=jnp.uint32), cfg=model.cfg)
  state, output = jax.jit(run)(model.params, state, turn)
  assert state.turn.tolist() == [1, 1] and output.speaks.all()
  assert np.isfinite(output.voice).all() and np.isfinite(output.mel).all()
  assert output.text.shape == (2, model.cfg.turn.text_out)
  # They heard different sounds.
  assert abs(output.gate[0] - output.gate[1]) > 1e-3


def test_a_converted_backbone_is_where_training_starts(converted):
  """With the vocabulary of another world, known tokens keep their rows."""
  target, source, _ = converted
  loaded, other = checkpoint.load(target), world.vocabulary()
  cfg, _ = saved_model(target)
  text = config.TextConfig(
    other.table_size,
    other.table_size,
    other.first_control,
    cfg.text.logit_divisor,
  )
  cfg = dataclasses.replace(cfg, text=text)
  fitted = transfer.fitted(loaded, other, jax.random.key(0), cfg=cfg)
  theirs = inkling.load(source).params
  ours, then = (sharding.by_name(p["backbone"]) for p in (fitted, theirs))
  assert ours.keys() == then.keys()
  for name in ours:
    np.testing.assert_array_equal(ours[name], then[name])
  was, now = 275 + Control.SAY, other.id_of(Control.SAY)
  for room in ("embed", "heads"):
    np.testing.assert_array_equal(
      fitted[room]["text"]["table"][now],
      loaded.params[room]["text"]["table"][was],
    )


TINY_TABLE = {"vocab_size": 48, "unpadded_vocab_size": 44}


@pytest.mark.parametrize(
  ("text", "num_tokens", "first", "size"),
  [
    ({"vocab_size": 60, "unpadded_vocab_size": 45}, 0, 45, 60),
    ({"vocab_size": 60, "unpadded_vocab_size": 45}, 51, 51, 60),
    # Three rows of padding are too few for eight controls.
    (TINY_TABLE, 0, 44, 64),
    (TINY_TABLE, 60, 60, 128),
    ({"vocab_size": 56, "unpadded_vocab_size": None}, 0, 56, 64),
  ],
  ids=["padding", "more-tokens", "no-room", "far-too-few", "no-padding"],
)
def test_controls_lie_above_all_that_is_real(
  text, num_tokens, first, size, loaded
):
  numbers = np.random.default_rng(1)
  rows = text["vocab_size"]
  table = jnp.asarray(3 + numbers.normal(size=(rows, 24)), jnp.float32)
  real = text["unpadded_vocab_size"] or rows
  params = loaded.params | {
    "embed": loaded.params["embed"]
    | {"text": loaded.params["embed"]["text"] | {"table": table}},
    "heads": loaded.params["heads"] | {"text": {"table": table}},
  }
  cfg = dataclasses.replace(
    loaded.cfg, text=config.TextConfig(rows, real, logit_divisor=2.0)
  )
  plain = dataclasses.replace(loaded, params=params, cfg=cfg)
  got = inkling.with_controls(plain, num_tokens=num_tokens)
  wanted = config.TextConfig(size, first + len(Control), first, 2.0)
  assert got.cfg.text == wanted
  assert set(got.new_parts) - set(plain.new_parts) == {
    f"embed/text/table[{real}:{size}]", f"heads/text/table[{real}:{size}]"
  }  # fmt: skip
  for room in ("embed", "heads"):
    new = np.asarray(got.params[room]["text"]["table"])
    assert new.shape == (size, 24)
    np.testing.assert_array_equal(new[:real], table[:real])
    assert len(np.unique(new, axis=0)) == size
  shapes = jax.eval_shape(
    functools.partial(interaction.init, cfg=got.cfg), jax.random.key(0)
  )
  assert jax.tree.map(jnp.shape, got.params) == jax.tree.map(
    lambda leaf: leaf.shape, shapes
  )


@pytest.mark.parametrize(
  ("tokenizer", "count"),
  [
    (None, 0),
    (b'{"model": {"vocab": {"a": 0, "b": 7}}}', 8),
    (b'{"model": {"vocab": [["a", -1.0], ["b", -2.0]]}}', 2),
    (
      b'{"model": {"vocab": {"a": 0}}, "added_tokens": [{"id": 30}]}',
      31,
    ),
  ],
  ids=["none", "by-number", "by-order", "added"],
)
def test_tokens_are_counted_up_to_the_last(tokenizer, count):
  assert inkling._num_tokens(tokenizer) == count


@pytest.mark.parametrize("content", ["{}", "{", '{"model": {"vocab": 3}}'])
def test_a_broken_tokenizer_is_refused_before_all_else(
  content, text_only, tmp_path
):
  source = shutil.copytree(text_only.directory, tmp_path / "source")
  (source / "tokenizer.json").write_text(content)
  with pytest.raises(ValueError, match=r"tokenizer\.json is not that of"):
    inkling.convert(source, tmp_path / "out" / "target")
  assert not (tmp_path / "out").exists()


def test_a_target_is_replaced_only_when_asked(text_only, tmp_path, monkeypatch):
  monkeypatch.setattr(inkling, "_memory", lambda: 1)
  target = tmp_path / "target"
  report = inkling.convert(text_only.directory, target)
  assert report["reference"] is None and report["largest_logit"] is None
  assert "memory" in report["reason"]
  before = (target / "MANIFEST.json").read_bytes()
  with pytest.raises(FileExistsError, match="overwrite=True"):
    inkling.convert(text_only.directory, target)
  assert (target / "MANIFEST.json").read_bytes() == before
  inkling.convert(text_only.directory, target, overwrite=True)
  assert checkpoint.inspect(target)["intact"]


def below_a_file(folder):
  (folder / "file").touch()
  return folder / "file" / "target"


@pytest.mark.parametrize(
  ("place", "overwrite", "message"),
  [
    (below_a_file, False, r"target lies below \S*/file, which is a file"),
    (lambda folder: folder, True, "is not a checkpoint and is left alone"),
    (lambda folder: folder, False, "is not a checkpoint and is left alone"),
  ],
  ids=["below-a-file", "another-folder", "taken"],
)
def test_a_target_that_cannot_be_is_refused_before_all_else(
  place, overwrite, message, tmp_path
):
  # There is nothing to read, which is not noticed any more.
  with pytest.raises(OSError, match=message):
    inkling.convert(tmp_path / "nowhere", place(tmp_path), overwrite=overwrite)


def test_a_failed_conversion_leaves_nothing(oracle, text_only, tmp_path):
  broken = oracle.copied(
    text_only, tmp_path / "broken", lambda t: t.pop("lm_head.weight")
  )
  out = tmp_path / "out"
  with pytest.raises(ValueError, match=r"lacks 1 .*: lm_head\.weight"):
    inkling.convert(broken, out / "target")
  assert not out.exists()


def test_convert_keeps_the_stored_dtype(oracle, tmp_path, monkeypatch):
  monkeypatch.setattr(inkling, "_memory", lambda: 1)
  oracle.multimodal(tmp_path / "source", {}, low=True)
  inkling.convert(tmp_path / "source", tmp_path / "target")
  saved = checkpoint.load(tmp_path / "target")
  assert saved.config["model"]["param_dtype"] == "bfloat16"
  assert saved.params["heads"]["text"]["table"].dtype == jnp.bfloat16


def test_the_command_converts(text_only, tmp_path, capsys, monkeypatch):
  monkeypatch.setattr(inkling, "_memory", lambda: 1)
  target = tmp_path / "target"
  line = ["convert", "inkling", str(text_only.directory), str(target)]
  assert cli.main(line) == 0
  out, err = capsys.readouterr()
  assert json.loads(out)["missing"] == []
  assert "drawn afresh: embed/audio/norm" in err
  assert cli.main(line) == 2
  assert "--force" in capsys.readouterr().err
