"""A session at rest: plain arrays and plain values, as bytes or in a file.

What is written can be read by any machine; the bits that follow are the same
on the same platform, versions and engine.
"""

import dataclasses
import io
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from interaction_jax.model.config import SamplingConfig
from interaction_jax.serve.models import Model

FORMAT: Final = 3


@dataclasses.dataclass(frozen=True, eq=False)
class Snapshot:
  """Everything of a session but its model.

  Attributes:
    fields: what JSON can hold.
    state: the leaves of its `SessionState`, in the order of the tree.
    audio: samples that wait for their turn to become full.
    frames: pictures that wait for theirs.
  """

  fields: Mapping[str, Any]
  state: tuple[np.ndarray, ...]
  audio: Float[np.ndarray, " I"]
  frames: tuple[np.ndarray, ...]

  def to_bytes(self) -> bytes:
    """The snapshot as the bytes of a file."""
    arrays = {"audio": self.audio}
    arrays |= {f"frame/{i}": frame for i, frame in enumerate(self.frames)}
    # NumPy's files know no bfloat16; its bits are kept, its name beside them.
    arrays |= {f"state/{i}": _bits(leaf) for i, leaf in enumerate(self.state)}
    head = {
      "format": FORMAT,
      "fields": dict(self.fields),
      "types": [str(leaf.dtype) for leaf in self.state],
      "num_frames": len(self.frames),
    }
    arrays["head"] = np.frombuffer(json.dumps(head).encode(), np.uint8)
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=False, **arrays)
    return file.getvalue()

  @classmethod
  def from_bytes(cls, content: bytes) -> "Snapshot":
    """Reads what `to_bytes` wrote.

    Raises:
      ValueError: it is no snapshot, or one of another version.
    """
    try:
      with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        head = json.loads(arrays["head"].tobytes())
        if head["format"] != FORMAT:
          raise ValueError(f"it says format={head['format']!r}, not {FORMAT}")
        state = tuple(
          arrays[f"state/{i}"].view(jnp.dtype(kind))
          for i, kind in enumerate(head["types"])
        )
        return cls(
          fields=head["fields"],
          state=state,
          audio=arrays["audio"],
          frames=tuple(arrays[f"frame/{i}"] for i in range(head["num_frames"])),
        )
    except (
      EOFError,
      KeyError,
      OSError,
      ValueError,
      zipfile.BadZipFile,
    ) as error:
      raise ValueError(f"This is no snapshot of a session: {error}.") from error

  def save(self, path: str | Path) -> None:
    """Writes the snapshot to a file; all of it, or an older one stays."""
    path = Path(path)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_bytes(self.to_bytes())
    draft.replace(path)

  @classmethod
  def load(cls, path: str | Path) -> "Snapshot":
    """Reads a file that `save` wrote.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: as `from_bytes`.
    """
    return cls.from_bytes(Path(path).read_bytes())


def _bits(leaf: np.ndarray) -> np.ndarray:
  if leaf.dtype == jnp.bfloat16:
    return leaf.view(np.uint16)
  return leaf


def head(model: Model, seed: int, sampling: SamplingConfig) -> dict[str, Any]:
  """The fields that say whose session it is."""
  return {
    "model": model.digest,
    "quantise": dict(model.quantise),
    "sampling": dataclasses.asdict(sampling),
    "seed": seed,
  }


def check(snapshot: Snapshot, model: Model) -> None:
  """Refuses a snapshot of a session of another model, or of other numbers.

  Raises:
    ValueError: it is one.
  """
  # Snapshots that do not say are of models as they were stored.
  was, now = snapshot.fields.get("quantise", {}), dict(model.quantise)
  if was != now:
    raise ValueError(
      f"the snapshot is of a model with quantise={was}, but {model.name} has "
      f"quantise={now}; loaded like the former it goes on."
    )
  digest = snapshot.fields["model"]
  if digest != model.digest:
    raise ValueError(
      f"the snapshot is of the model {digest[:12]}..., but {model.name} is "
      f"{model.digest[:12]}..."
    )
