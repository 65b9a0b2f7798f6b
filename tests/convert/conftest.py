"""Checkpoints as the reference writes them, and what it says to them."""

import dataclasses
import json
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest
import safetensors.numpy
import torch
import transformers

LENGTH = 23
IMAGE, AUDIO = 45, 46

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


class Oracle:
  """The implementation that the weights are published with, at small sizes."""

  text = TEXT

  def probe(self, *, media, patch=6):
    """Ids, and audio and images for the places that the ids keep for them."""
    numbers = np.random.default_rng(0)
    ids = numbers.integers(0, IMAGE, (2, LENGTH)).astype(np.int32)
    if not media:
      return ids, None, None
    ids[0, 3:7], ids[1, 1:3], ids[1, 20] = AUDIO, IMAGE, AUDIO
    audio = numbers.integers(0, 16, (5, 80)).astype(np.int32)
    images = numbers.normal(size=(2, 2, patch, patch, 3)).astype(np.float32)
    return ids, audio, images

  def answer(self, model, ids, audio, images, *, attention="eager"):
    """Its logits, in float32."""
    given = {"input_ids": torch.tensor(ids)}
    if audio is not None:
      given["audio_input_ids"] = torch.tensor(audio)[None]
    if images is not None:
      given["pixel_values"] = torch.tensor(images)
    # The plain loops; the faster forms refuse widths like ours.
    model.set_attn_implementation(attention)
    model.set_experts_implementation("eager")
    with torch.no_grad():
      return model.eval()(**given).logits.numpy()

  def multimodal(
    self, directory, text, *, patch=6, low=False, media=True, **saving
  ):
    """A model of text, sound and pictures, saved as such models are."""
    model = transformers.InklingForConditionalGeneration(
      transformers.InklingConfig(
        text_config={**self.text, **text},
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
    given = self.probe(media=media, patch=patch)
    wanted = self.answer(model, *given)
    if low:
      model.bfloat16()
    model.save_pretrained(directory, **saving)
    return Case(directory, *given, wanted)

  def text_model(self, directory, *, shaken=True):
    """A model of text alone, whose tensors are named by module."""
    torch.manual_seed(3)
    model = transformers.InklingForCausalLM(
      transformers.InklingConfig(text_config=TEXT).text_config
    )
    if shaken:
      shake(model)
    given = self.probe(media=False)
    model.save_pretrained(directory)
    return Case(directory, *given, self.answer(model, *given))

  def reference(self, directory):
    """The model that the reference reads there, in float32."""
    return transformers.InklingForConditionalGeneration.from_pretrained(
      directory, dtype=torch.float32
    )

  def published(self, directory, target):
    """The same checkpoint, its config.json as the published files are."""
    shutil.copytree(directory, target)
    raw = json.loads((target / "config.json").read_text())
    text, audio = raw["text_config"], raw["audio_config"]
    vision = raw["vision_config"]
    kinds, feeds = text.pop("layer_types"), text.pop("mlp_layer_types")
    text |= {
      "local_layer_ids": [
        i for i, kind in enumerate(kinds) if kind == "hybrid_sliding"
      ],
      "dense_mlp_idx": feeds.index("sparse"),
      # Here the experts' width is called intermediate_size.
      "dense_intermediate_size": text["intermediate_size"],
      "intermediate_size": text.pop("moe_intermediate_size"),
      "sconv_kernel_size": text.pop("conv_kernel_size"),
      "model_max_length": 1_048_576,
    }
    audio |= {"audio_mode": "dmel", "decoder_dmodel": 24}
    vision["n_layers"] = vision.pop("num_hidden_layers", vision.get("n_layers"))
    raw |= {
      "mtp_config": {"num_nextn_predict_layers": 2, "local_layer_ids": []},
      # They are not tied, whatever is said.
      "tie_word_embeddings": True,
    }
    (target / "config.json").write_text(json.dumps(raw))
    return target

  def copied(self, case, target, change):
    """The checkpoint of a case with its tensors changed."""
    shutil.copytree(case.directory, target)
    file = target / "model.safetensors"
    tensors = safetensors.numpy.load_file(file)
    change(tensors)
    safetensors.numpy.save_file(tensors, file)
    return target


@pytest.fixture(autouse=True, scope="module")
def quick():
  """Each program runs once or twice; optimising it would take longer."""
  name = "jax_disable_most_optimizations"
  before = jax.config.read(name)
  jax.config.update(name, True)
  yield
  jax.config.update(name, before)


@pytest.fixture(scope="session")
def oracle():
  """What makes checkpoints, changes them, and knows the right answers."""
  return Oracle()


@pytest.fixture(scope="session")
def plain(oracle, tmp_path_factory):
  """Whole, in one file."""
  return oracle.multimodal(tmp_path_factory.mktemp("plain"), {})


@pytest.fixture(scope="session")
def text_only(oracle, tmp_path_factory):
  """The text model alone."""
  return oracle.text_model(tmp_path_factory.mktemp("text_only"))
