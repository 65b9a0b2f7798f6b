"""Reading a published model of full size, without its half a terabyte.

A folder is written with the `config.json` and the headers that such a model
has, and files as long as its own that are holes and take no disk. Every shard
of some hosts of a mesh is then read out of it and brought to a device, as
`convert.inkling.load` does, and let go of.

What is measured is the way from the file to the device and the memory that it
takes; a disk is not, since nobody has to seek zeros.
"""

import json
import math
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from jax.sharding import AbstractMesh, PartitionSpec

from interaction_jax.convert import inkling_weights, pieces
from interaction_jax.core import settings, sharding
from interaction_jax.model import interaction
from interaction_jax.model.config import BackboneConfig, InteractionConfig
from interaction_jax.train.config import Experiment

Shapes = dict[str, tuple[int, ...]]

_PER_HOST: Final = 4
"""Devices of a host: so many has one of any TPU slice of several hosts."""


def run(
  config: str | Experiment = "interaction_276b",
  *,
  mesh: str = "v6e_64",
  num_hosts: int = 1,
  per_host: int = _PER_HOST,
  progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
  """Reads what some hosts would; returns what `bench import` reports.

  Args:
    config: whose layout it is, or its name.
    mesh: a name of `configs/meshes.py`, or a line; no such devices are needed.
    num_hosts: of the first ones, read one after the other; 0: all.
    per_host: devices of each, in the order of the mesh.
    progress: is told how many bytes are read, in MB, and how many there are.

  Raises:
    FileNotFoundError: there is no such config or mesh.
    OSError: files cannot have holes here.
    ValueError: the model does not fit the mesh, or there are no such hosts.
  """
  experiment = settings.load(config) if isinstance(config, str) else config
  grid = sharding.planned(settings.mesh_line(mesh))
  most = max(1, grid.size // per_host)
  if not 0 <= num_hosts <= most:
    raise ValueError(
      f"hosts={num_hosts}: mesh {mesh!r} has {most} of {per_host} devices each."
    )
  before = _peak_bytes()
  with tempfile.TemporaryDirectory() as folder:
    layout = write(folder, experiment.model)
    found = inkling_weights.survey(folder, dtype=experiment.model.param_dtype)
    hosts = [
      places(found, grid, range(per_host * host, per_host * (host + 1)))
      for host in range(num_hosts or most)
    ]
    rows = _walked(found, hosts, progress)
  return {
    "config": experiment.name,
    "mesh": dict(grid.shape),
    "layout": layout,
    "hosts": most,
    "before_mib": round(before / 2**20),
    "peak_mib": round(_peak_bytes() / 2**20),
    "rows": rows,
  }


def summary(report: Mapping[str, Any]) -> str:
  """The report as a person reads it."""
  layout = report["layout"]
  lines = [
    f"{report['config']}: {layout['gb']} GB in {layout['files']} files "
    f"({layout['disk_mb']} MB of disk)"
  ]
  lines += [
    f"host {row['host']} of {report['hosts']}: {row['gb']} GB in "
    f"{row['seconds']} s ({row['cpu_seconds']} s of a core), "
    f"{row['gb_per_s']} GB/s; {row['read_gb']} GB were read, the largest "
    f"parameter has {row['largest_gb']} GB"
    for row in report["rows"]
  ]
  lines.append(
    f"memory of the process: {report['peak_mib']} MiB at most, "
    f"{report['before_mib']} MiB before"
  )
  return "\n".join(lines)


def write(folder: str | Path, cfg: InteractionConfig) -> dict[str, Any]:
  """Writes a checkpoint of `cfg` whose numbers are holes.

  Returns:
    `files`, `tensors`, `gb` (as long as they are), `disk_mb` (what they take).

  Raises:
    OSError: files cannot have holes here.
  """
  folder = Path(folder)
  (folder / "config.json").write_text(json.dumps(_config(cfg), indent=2))
  files = [dict(_ends(cfg)), *(dict(_layer(cfg.backbone, layer)) for layer in
           range(cfg.backbone.num_layers))]  # fmt: skip
  listed = {}
  for number, shapes in enumerate(files, 1):
    name = f"model-{number:05}-of-{len(files):05}.safetensors"
    _hollow(folder / name, shapes)
    listed |= dict.fromkeys(shapes, name)
  index = folder / "model.safetensors.index.json"
  index.write_text(json.dumps({"weight_map": listed}))
  told = [file.stat() for file in folder.iterdir()]
  return {
    "files": len(files),
    "tensors": len(listed),
    "gb": round(sum(one.st_size for one in told) / 1e9, 3),
    "disk_mb": round(512 * sum(one.st_blocks for one in told) / 1e6, 3),
  }


def places(
  found: inkling_weights.Survey, mesh: AbstractMesh, devices: range
) -> dict[str, dict[int, pieces.Index]]:
  """What some devices of a mesh hold of each parameter, as JAX divides it.

  Args:
    devices: numbers, in the order of the mesh.

  Raises:
    ValueError: the model does not fit the mesh.
  """
  lying = sharding.by_name(
    sharding.shardings(
      interaction.axes(found.cfg), interaction.shapes(found.cfg), mesh
    )
  )
  return {
    name: {
      device: _index(lying[name].spec, stored.shape, mesh, device)
      for device in devices
    }
    for name, stored in found.stored.items()
  }


def _walked(
  found: inkling_weights.Survey,
  hosts: list[dict[str, dict[int, pieces.Index]]],
  progress: Callable[[int, int], None],
) -> list[dict[str, Any]]:
  rows = []
  cut = [list(pieces.pieces(found.stored, host)) for host in hosts]
  total = sum(one.stored.bytes_needed for host in cut for one in host)
  done = 0
  dtype = found.cfg.param_dtype
  for number, host in enumerate(cut):
    began, before = time.perf_counter(), done
    computing = time.process_time()
    for piece, numbers in pieces.read(host):
      pieces.put(numbers, dtype)
      done += piece.stored.bytes_needed
      progress(done // 10**6, total // 10**6)
    seconds = time.perf_counter() - began
    needed = done - before
    rows.append(
      {
        "host": number,
        "pieces": len(host),
        "gb": round(needed / 1e9, 6),
        "read_gb": round(sum(one.stored.bytes_read for one in host) / 1e9, 6),
        "largest_gb": round(
          max(one.bytes_needed for one in found.stored.values()) / 1e9, 3
        ),
        "seconds": round(seconds, 2),
        "cpu_seconds": round(time.process_time() - computing, 2),
        "gb_per_s": round(needed / 1e9 / seconds, 3),
      }
    )
  return rows


def _index(
  spec: PartitionSpec, shape: tuple[int, ...], mesh: AbstractMesh, device: int
) -> pieces.Index:
  """The part of an array that the device of that number holds."""
  sizes = dict(mesh.shape)
  where, left = {}, device
  for axis in reversed(sizes):
    left, where[axis] = divmod(left, sizes[axis])
  index = []
  for size, names in zip(shape, spec, strict=True):
    axes = (names,) if isinstance(names, str) else names or ()
    turn = 0
    for axis in axes:
      turn = turn * sizes[axis] + where[axis]
    each = size // math.prod(sizes[axis] for axis in axes)
    index.append(slice(turn * each, (turn + 1) * each))
  return tuple(index)


def _peak_bytes() -> int:
  """The most memory that this process has held."""
  peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
  # macOS counts bytes, all others kilobytes.
  return peak * (1 if sys.platform == "darwin" else 1024)


def _hollow(file: Path, shapes: Shapes) -> None:
  """A safetensors file of zeros in bfloat16 that are not there."""
  header, end = {}, 0
  for name, shape in shapes.items():
    size = 2 * math.prod(shape)
    header[name] = {
      "dtype": "BF16", "shape": shape, "data_offsets": [end, end + size],
    }  # fmt: skip
    end += size
  told = json.dumps(header).encode()
  told += b" " * (-len(told) % 8)
  with file.open("wb") as stream:
    stream.write(len(told).to_bytes(8, "little") + told)
    stream.truncate(8 + len(told) + end)
  held = 512 * file.stat().st_blocks
  if held > len(told) + 2**20:
    raise OSError(
      f"{file.parent} takes {held} bytes of disk for a file of holes; TMPDIR "
      "names another place."
    )


_LLM: Final = "model.llm."


def _ends(cfg: InteractionConfig) -> Iterator[tuple[str, tuple[int, ...]]]:
  """The tensors of no layer and their shapes, as the files name them."""
  width, rows = cfg.backbone.width, cfg.text.table_size
  yield f"{_LLM}embed.weight", (rows, width)
  yield f"{_LLM}embed_norm.weight", (width,)
  yield f"{_LLM}norm.weight", (width,)
  yield f"{_LLM}unembed.weight", (rows, width)
  levels = cfg.audio.num_mels * cfg.audio.num_levels
  yield "model.audio.encoder.weight", (levels, width)
  yield "model.audio.final_norm.weight", (width,)
  yield "model.visual.final_norm.weight", (width,)
  shapes = sharding.by_name(interaction.shapes(cfg))
  for layer in range(cfg.video.num_layers):
    path = f"embed/video/layers/{layer}"
    yield (
      f"model.visual.layers.linear_{layer}.weight",
      shapes[f"{path}/kernel"].shape[::-1],
    )
    if f"{path}/norm" in shapes:
      yield (
        f"model.visual.layers.norm_{layer}.weight",
        shapes[f"{path}/norm"].shape,
      )


def _layer(
  cfg: BackboneConfig, layer: int
) -> Iterator[tuple[str, tuple[int, ...]]]:
  """The tensors of a layer."""
  prefix, width = f"{_LLM}layers.{layer}.", cfg.width
  taps = (1, cfg.conv_taps)
  for part in ("attn", "mlp"):
    yield f"{prefix}{part}_norm.weight", (width,)
    yield f"{prefix}{part}_sconv.weight", (width, *taps)
  heads = cfg.attention(layer)
  queries = heads.query_heads * heads.head_width
  keys = heads.key_heads * heads.head_width
  for name, shape in {
    "wq_du.weight": (queries, width),
    "wk_dv.weight": (keys, width),
    "wv_dv.weight": (keys, width),
    "wr_du.weight": (heads.query_heads * cfg.bias_features, width),
    "wo_ud.weight": (width, queries),
    "k_sconv.weight": (keys, *taps),
    "v_sconv.weight": (keys, *taps),
    "rel_logits_proj.proj": (cfg.bias_features, heads.reach),
    "q_norm.weight": (heads.head_width,),
    "k_norm.weight": (heads.head_width,),
  }.items():
    yield f"{prefix}attn.{name}", shape
  feed = _dense(cfg) if layer in cfg.dense_layers else _experts(cfg)
  for name, shape in feed.items():
    yield f"{prefix}mlp.{name}", shape


def _dense(cfg: BackboneConfig) -> Shapes:
  return {
    "w13_dn.weight": (2 * cfg.dense_width, cfg.width),
    "w2_md.weight": (cfg.width, cfg.dense_width),
    "global_scale": (1,),
  }


def _experts(cfg: BackboneConfig) -> Shapes:
  of, width = cfg.experts, cfg.width
  return {
    "gate.weight": (of.num_routed + of.num_shared, width),
    "gate.bias": (of.num_routed,),
    "gate.global_scale": (1,),
    "experts.w13_weight": (of.num_routed, 2 * of.width, width),
    "experts.w2_weight": (of.num_routed, width, of.width),
    "shared_experts.shared_w13_weight": (of.num_shared, 2 * of.width, width),
    "shared_experts.shared_w2_weight": (of.num_shared, width, of.width),
  }


def _config(cfg: InteractionConfig) -> dict[str, Any]:
  """What `config.json` says of it."""
  backbone, of = cfg.backbone, cfg.backbone.experts
  window, whole = backbone.window_attention, backbone.global_attention
  layers = range(backbone.num_layers)
  text = {
    "vocab_size": cfg.text.table_size,
    "unpadded_vocab_size": cfg.text.vocab_size,
    "hidden_size": backbone.width,
    "num_hidden_layers": backbone.num_layers,
    "num_attention_heads": whole.query_heads,
    "num_key_value_heads": whole.key_heads,
    "head_dim": whole.head_width,
    "swa_num_attention_heads": window.query_heads,
    "swa_num_key_value_heads": window.key_heads,
    "swa_head_dim": window.head_width,
    "sliding_window_size": window.reach,
    "rel_extent": whole.reach,
    "d_rel": backbone.bias_features,
    "log_scaling_n_floor": backbone.log_floor,
    "local_layer_ids": [i for i in layers if i not in backbone.global_layers],
    "mlp_layer_types": [
      "dense" if i in backbone.dense_layers else "sparse" for i in layers
    ],
    "conv_kernel_size": backbone.conv_taps,
    "intermediate_size": backbone.dense_width,
    "moe_intermediate_size": of.width,
    "n_routed_experts": of.num_routed,
    "num_experts_per_tok": of.num_chosen,
    "n_shared_experts": of.num_shared,
    "route_scale": of.route_scale,
    "logits_mup_width_multiplier": cfg.text.logit_divisor,
  }
  return {
    "model_type": "inkling_mm_model",
    "text_config": text,
    "audio_config": {
      "n_mel_bins": cfg.audio.num_mels,
      "mel_vocab_size": cfg.audio.num_levels,
    },
    "vision_config": {
      "patch_size": cfg.video.patch,
      "temporal_patch_size": cfg.video.frames,
      "num_channels": cfg.video.channels,
      "num_hidden_layers": cfg.video.num_layers,
    },
  }
