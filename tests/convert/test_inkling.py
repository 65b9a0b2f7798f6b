"""Inkling's weights, judged by the implementation they are published with."""

import dataclasses
import functools
import json
import re
import shutil
import types
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy
import torch
import transformers

from interaction_jax import __main__ as cli
from interaction_jax.convert import inkling
from interaction_jax.core import checkpoint, settings, sharding
from interaction_jax.model import config, interaction, language
from interaction_jax.ops import dispatch, norm

LENGTH = 23
IMAGE, AUDIO = 45, 46

# The agreement asked for, in parts of the largest logit; and what a mechanism
# must change when it is switched off, or its agreement would mean nothing.
AGREEMENT = 1e-4
NOTICEABLE = 10 * AGREEMENT

TEXT = {
  "vocab_size": 48,
  "unpadded_vocab_size": 44,
  "hidden_size": 24,
  "num_hidden_layers": 2,
  "layer_types": ["hybrid_sliding", "hybrid"],
  "mlp_layer_types": ["dense", "sparse"],
  "num_attention_heads": 8,
  "num_key_value_heads": 2,
  "head_dim": 7,
  "swa_num_attention_heads": 6,
  "swa_num_key_value_heads": 3,
  "swa_head_dim": 5,
  "sliding_window_size": 5,
  "rel_extent": 9,
  "d_rel": 4,
  "n_routed_experts": 11,
  "num_experts_per_tok": 2,
  "n_shared_experts": 3,
  "moe_intermediate_size": 10,
  "intermediate_size": 20,
  "log_scaling_n_floor": 3,
  "logits_mup_width_multiplier": 4.0,
}

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
}


@dataclasses.dataclass(frozen=True)
class Case:
  """A checkpoint, something to read, and what the reference says to it."""

  directory: Path
  ids: np.ndarray
  audio: np.ndarray | None
  images: np.ndarray | None
  wanted: np.ndarray

  def error(self, got):
    """The largest difference, in parts of the largest logit."""
    assert got.shape == self.wanted.shape
    assert np.isfinite(got).all()
    diff = np.abs(np.asarray(got) - self.wanted).max()
    return diff / np.abs(self.wanted).max()


def shake(model, *, rounded=False):
  """Draws weights so large that every mechanism shows in the logits."""
  draw = torch.Generator().manual_seed(0)

  def normal(like, std):
    return torch.randn(like.shape, generator=draw) * std

  with torch.no_grad():
    for name, weight in [*model.named_parameters(), *model.named_buffers()]:
      if "offsets" in name:
        continue
      if "norm" in name or "scale" in name:
        weight.copy_(1 + normal(weight, 0.3))
      elif weight.dim() == 1 or "sconv" in name:
        weight.copy_(normal(weight, 0.3))
      elif "proj.proj" in name:
        weight.copy_(normal(weight, 1.0))
      else:
        weight.copy_(normal(weight, weight.shape[-1] ** -0.5))
      if rounded:
        weight.copy_(weight.bfloat16().float())


def probe(*, media, patch=6):
  """Ids, and audio and images for the places that the ids keep for them."""
  numbers = np.random.default_rng(0)
  ids = numbers.integers(0, IMAGE, (2, LENGTH)).astype(np.int32)
  if not media:
    return ids, None, None
  ids[0, 3:7], ids[1, 1:3], ids[1, 20] = AUDIO, IMAGE, AUDIO
  audio = numbers.integers(0, 16, (5, 80)).astype(np.int32)
  images = numbers.normal(size=(2, 2, patch, patch, 3)).astype(np.float32)
  return ids, audio, images


def answer(model, ids, audio, images):
  given = {"input_ids": torch.tensor(ids)}
  if audio is not None:
    given["audio_input_ids"] = torch.tensor(audio)[None]
    given["pixel_values"] = torch.tensor(images)
  # The plain loops; the faster forms refuse widths like ours.
  model.set_attn_implementation("eager")
  model.set_experts_implementation("eager")
  with torch.no_grad():
    return model.eval()(**given).logits.numpy()


def multimodal(directory, text, *, patch=6, low=False, media=True, **saving):
  """A model of text, sound and pictures, saved as such models are."""
  model = transformers.InklingForConditionalGeneration(
    transformers.InklingConfig(
      text_config={**TEXT, **text},
      audio_config={"mel_vocab_size": 16},
      vision_config={
        "patch_size": patch,
        "num_hidden_layers": 5 if patch == 40 else 3,
      },
      image_token_id=IMAGE,
      audio_token_id=AUDIO,
    )
  )
  shake(model, rounded=low)
  given = probe(media=media, patch=patch)
  wanted = answer(model, *given)
  if low:
    model.bfloat16()
  model.save_pretrained(directory, **saving)
  return Case(directory, *given, wanted)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
  """Whole, in one file."""
  return multimodal(tmp_path_factory.mktemp("plain"), {})


@pytest.fixture(scope="module")
def loaded(plain):
  return inkling.load(plain.directory)


@pytest.fixture(scope="module")
def text_only(tmp_path_factory):
  """The text model alone, whose tensors are named by module."""
  directory = tmp_path_factory.mktemp("text_only")
  model = transformers.InklingForCausalLM(
    transformers.InklingConfig(text_config=TEXT).text_config
  )
  shake(model)
  given = probe(media=False)
  model.save_pretrained(directory)
  return Case(directory, *given, answer(model, *given))


@pytest.mark.parametrize("text", CONFIGS.values(), ids=CONFIGS)
def test_logits_agree_with_the_reference(text, tmp_path):
  case = multimodal(tmp_path, text)
  ours = inkling.load(tmp_path)
  assert case.error(ours.logits(case.ids, case.audio, case.images)) < AGREEMENT
  assert ours.unused == ()


def test_logits_agree_where_the_mechanisms_are_switched_off(plain, loaded):
  got = loaded.logits(plain.ids, plain.audio, plain.images)
  assert plain.error(got) < AGREEMENT


def test_logits_agree_on_text_alone(plain, loaded):
  ids, _, _ = probe(media=False)
  model = transformers.InklingForConditionalGeneration.from_pretrained(
    plain.directory
  )
  case = Case(plain.directory, ids, None, None, answer(model, ids, None, None))
  assert case.error(loaded.logits(ids)) < AGREEMENT


def test_logits_agree_in_shards_and_on_patches_of_full_size(tmp_path):
  case = multimodal(tmp_path, {}, patch=40, max_shard_size="3MB")
  assert len(list(tmp_path.glob("model-*.safetensors"))) > 1
  ours = inkling.load(tmp_path)
  assert case.error(ours.logits(case.ids, case.audio, case.images)) < AGREEMENT


def test_logits_agree_on_weights_stored_in_bfloat16(tmp_path):
  case = multimodal(tmp_path, {}, low=True)
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
    flat = {tuple(name.split("/")): leaf for name, leaf in named.items()}
    return inkling._nested(flat), cfg

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
  flat = {tuple(name.split("/")): leaf for name, leaf in swapped.items()}
  return inkling._nested(flat), cfg


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


def without_norm_of(width):
  """Vectors of one width keep their length."""

  def rms(x, scale, *, eps):
    return x * scale if len(scale) == width else norm.rms(x, scale, eps=eps)

  return types.SimpleNamespace(rms=rms)


@pytest.mark.parametrize(
  ("module", "name", "stand_in"),
  [
    (
      "backbone.feed",
      "dispatch",
      types.SimpleNamespace(**{**vars(dispatch), "route": no_sink}),
    ),
    ("backbone.attention", "norm", without_norm_of(7)),
    ("backbone.attention", "norm", without_norm_of(5)),
    ("embed.text", "norm", without_norm_of(24)),
  ],
  ids=["sink", "global-heads-norm", "window-heads-norm", "embedding-norm"],
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


def test_the_padding_of_the_vocabulary_has_no_logits(plain, loaded):
  got = loaded.logits(plain.ids, plain.audio, plain.images)
  assert got.shape == (*plain.ids.shape, TEXT["unpadded_vocab_size"])


def copied(case, target, change):
  """The checkpoint of a case with its tensors changed."""
  shutil.copytree(case.directory, target)
  file = target / "model.safetensors"
  tensors = safetensors.numpy.load_file(file)
  change(tensors)
  safetensors.numpy.save_file(tensors, file)
  return target


@pytest.mark.parametrize(
  ("change", "message"),
  [
    (
      lambda t: t.pop("model.layers.1.self_attn.k_sconv.conv1d.weight"),
      r"lacks 1 tensors.*layers\.1\.\S*k_sconv",
    ),
    (
      lambda t: t.update({"model.layers.9.q.weight": np.zeros(3, "f4")}),
      r"holds 1 tensors.*account.*model\.layers\.9\.q\.weight",
    ),
    (
      lambda t: t.update({"lm_head.weight": np.zeros((48, 23), "f4")}),
      r"lm_head\.weight gives heads/text/table the shape \(48, 23\).*48, 24",
    ),
  ],
  ids=["missing", "unknown", "misshapen"],
)
def test_a_wrong_tensor_is_named(change, message, text_only, tmp_path):
  directory = copied(text_only, tmp_path / "copy", change)
  with pytest.raises(ValueError, match=message):
    inkling.load(directory)


@pytest.mark.parametrize(
  ("changes", "message"),
  [
    ({"ids": [[0, 48]]}, "ids holds 0 to 48; 0 to 47 are possible"),
    ({"ids": [[-1, 3]]}, "ids holds -1 to 3"),
    ({"ids": [[AUDIO, 3]]}, "hold 1 audio placeholders .* but 2 audio rows"),
    ({"ids": [[AUDIO, AUDIO]]}, "hold 0 image placeholders .* but 1 image"),
    ({"audio": np.full((2, 80), 16)}, "audio holds 16 to 16; 0 to 15"),
    ({"audio": np.zeros((2, 79), int)}, r"audio has the shape \(2, 79\)"),
    ({"images": np.zeros((1, 2, 6, 5, 3))}, r"image has .*\(2, 6, 6, 3\)"),
  ],
  ids=[
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
  given["ids"] = np.asarray(given["ids"], np.int32)
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
def converted(plain, tmp_path_factory):
  """A converted checkpoint with a tokenizer, and its report."""
  source = copied(plain, tmp_path_factory.mktemp("in") / "source", with_mtp)
  (source / "tokenizer.json").write_text("{}")
  target = tmp_path_factory.mktemp("out") / "target"
  return target, inkling.convert(source, target)


def test_the_report_says_how_the_two_agree(converted):
  target, report = converted
  assert report == json.loads((target / "report.json").read_text())
  assert report["reference"] == f"transformers {transformers.__version__}"
  assert report["reason"] is None
  bound = AGREEMENT * report["largest_logit"]
  assert 0 < report["max_abs_logit_diff"] < bound
  assert report["missing"] == []
  assert report["unused"] == ["model.mtp.layers.0.norm.weight"]
  assert "embed/tick/vector" in report["new_parts"]


def test_a_converted_checkpoint_is_an_interaction_model(converted, loaded):
  target, _ = converted
  assert checkpoint.inspect(target)["intact"]
  plain_config = checkpoint.load(target).config["model"]
  cfg = settings.from_dict(config.InteractionConfig, plain_config)
  wanted = jax.eval_shape(
    functools.partial(interaction.init, cfg=cfg), jax.random.key(0)
  )
  saved = checkpoint.load(target, expect=wanted)
  assert saved.tokenizer == b"{}"
  ours, kept = (sharding.by_name(p) for p in (loaded.params, saved.params))
  assert all(np.array_equal(ours[name], kept[name]) for name in ours)


def test_controls_take_the_padding_where_there_is_room(loaded):
  cfg = loaded.cfg
  text = config.TextConfig(table_size=60, vocab_size=45, logit_divisor=2.0)
  roomy = inkling.with_controls(dataclasses.replace(cfg, text=text)).text
  assert (roomy.first_control, roomy.vocab_size) == (45, 53)
  assert (roomy.table_size, roomy.logit_divisor) == (60, 2.0)
  # Three rows of padding are too few for eight controls.
  assert inkling.with_controls(cfg) == cfg


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


def test_a_failed_conversion_leaves_nothing(text_only, tmp_path):
  broken = copied(
    text_only, tmp_path / "broken", lambda t: t.pop("lm_head.weight")
  )
  out = tmp_path / "out"
  with pytest.raises(ValueError, match="unembed"):
    inkling.convert(broken, out / "target")
  assert not out.exists()


def test_convert_keeps_the_stored_dtype(tmp_path, monkeypatch):
  monkeypatch.setattr(inkling, "_memory", lambda: 1)
  multimodal(tmp_path / "source", {}, low=True)
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
