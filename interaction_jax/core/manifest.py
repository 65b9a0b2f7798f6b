"""The manifest of a folder: the size and the SHA-256 of every file in it.

It also lists the shape and type of every array, so that a reader knows what
is there before reading any, and it carries a digest of itself.
"""

import concurrent.futures
import datetime
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import jax

FORMAT: Final = 1
"""The version of what is written here and in `core/checkpoint.py`."""

NAME: Final = "MANIFEST.json"

_KEYS = {"format", "created", "params", "files", "seal"}


def to_json(value: Any) -> bytes:
  """`value` as the bytes of a JSON file.

  Raises:
    TypeError, ValueError: JSON cannot hold it; NaN is refused too.
  """
  text = json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False)
  return text.encode() + b"\n"


def write(path: Path, arrays: Mapping[str, Any]) -> None:
  """Writes the manifest of a folder that has none yet.

  Args:
    arrays: what its files hold, by name: anything with a shape and a dtype.
  """
  import orbax.checkpoint as orbax

  manifest = {
    "format": FORMAT,
    "created": {
      "time": datetime.datetime.now(datetime.UTC).isoformat("T", "seconds"),
      "jax": jax.__version__,
      "orbax": orbax.__version__,
    },
    "params": {
      name: {"shape": list(leaf.shape), "dtype": str(leaf.dtype)}
      for name, leaf in arrays.items()
    },
    "files": files(path),
  }
  (path / NAME).write_bytes(sealed(manifest))


def files(path: Path) -> dict[str, dict[str, Any]]:
  """The size and the SHA-256 of every file below a folder, by name."""
  found = sorted(file for file in path.rglob("*") if file.is_file())
  with concurrent.futures.ThreadPoolExecutor() as pool:
    digests = list(pool.map(_digest, found))
  return {
    file.relative_to(path).as_posix(): {
      "bytes": file.stat().st_size,
      "sha256": digest,
    }
    for file, digest in zip(found, digests, strict=True)
  }


def read(path: Path) -> dict[str, Any]:
  """The manifest of a folder: `format`, `created`, `params`, `files`.

  Raises:
    ValueError: there is none, it is of another version, or it has changed.
  """
  file = path / NAME
  if not file.is_file():
    raise ValueError(f"{path} is not a checkpoint: it has no {NAME}.")
  content = file.read_bytes()
  try:
    manifest = json.loads(content)
  except ValueError:
    manifest = None
  if not isinstance(manifest, dict) or "format" not in manifest:
    raise ValueError(f"checkpoint {path}: {NAME} is damaged.")
  if manifest["format"] != FORMAT:
    raise ValueError(
      f"checkpoint {path}: {NAME} says format={manifest['format']!r}; "
      f"this version of interaction_jax reads format={FORMAT}."
    )
  if manifest.keys() != _KEYS or not is_sealed(manifest, content):
    raise ValueError(
      f"checkpoint {path}: {NAME} has changed since it was written."
    )
  return manifest


def damage(
  path: Path, manifest: Mapping[str, Any], *, digests: bool = True
) -> Iterator[str]:
  """A line for every file that is not what the manifest says.

  Args:
    digests: whether files are read and compared; otherwise only their
      presence and size are.
  """
  whole = {}
  for name, entry in manifest["files"].items():
    file = path / name
    if not file.is_file():
      yield f"{name} is missing"
    elif file.stat().st_size != entry["bytes"]:
      yield (
        f"{name} has {file.stat().st_size} bytes, the manifest says "
        f"{entry['bytes']}"
      )
    elif digests:
      whole[name] = entry["sha256"]
  with concurrent.futures.ThreadPoolExecutor() as pool:
    found = pool.map(_digest, [path / name for name in whole])
    for (name, wanted), digest in zip(whole.items(), found, strict=True):
      if digest != wanted:
        yield (
          f"{name} has changed: its SHA-256 is {digest[:12]}..., the "
          f"manifest says {wanted[:12]}..."
        )


def sealed(manifest: Mapping[str, Any]) -> bytes:
  """The bytes of a manifest, its own digest in them."""
  seal = hashlib.sha256(to_json(manifest)).hexdigest()
  return to_json({**manifest, "seal": seal})


def is_sealed(manifest: Mapping[str, Any], content: bytes) -> bool:
  """Whether `content` is what `sealed` made of what it holds."""
  body = {key: value for key, value in manifest.items() if key != "seal"}
  # The bytes are compared, not the values: no byte of it may change unseen.
  return sealed(body) == content


def _digest(file: Path) -> str:
  with file.open("rb") as stream:
    return hashlib.file_digest(stream, "sha256").hexdigest()
