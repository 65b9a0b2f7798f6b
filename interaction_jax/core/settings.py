"""Settings: frozen dataclasses, plain JSON, and the files that build them.

A config file is ordinary Python with one function, `experiment()`. What it
returns can be written as JSON, read back, and changed by `path=value`; every
step is strict, so a misspelt name or a wrong type stops the run before it
starts.
"""

import ast
import dataclasses
import difflib
import json
import runpy
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

Settings = TypeVar("Settings")

_PACKAGE = Path(__file__).parent.parent

# What running a file of settings may raise by a mistake in that file.
_MISTAKES = (
  ArithmeticError,
  AssertionError,
  AttributeError,
  ImportError,
  LookupError,
  NameError,
  RuntimeError,
  SyntaxError,
  TypeError,
  ValueError,
)


def to_dict(config: Any) -> dict[str, Any]:
  """Settings as what JSON can hold; tuples become lists.

  Raises:
    TypeError: `config` is no dataclass, or holds something JSON cannot.
  """
  if not _is_settings(config):
    raise TypeError(f"{config!r} is not a dataclass of settings.")
  return _to_plain(config, "")


def from_dict(kind: type[Settings], plain: Mapping[str, Any]) -> Settings:
  """Settings of class `kind` from what `to_dict` made of them.

  Fields left out keep their defaults.

  Raises:
    ValueError: a field is unknown, is missing and has no default, or has a
      value of the wrong type.
  """
  return _build(kind, plain, "")


def override(config: Settings, assignments: Iterable[str]) -> Settings:
  """Settings with some values replaced, as `--set path=value` asks.

  All assignments are made before the settings are checked again, so their
  order does not matter.

  Args:
    assignments: such as `"train.num_steps=20"` or
      `"model.backbone.global_layers=[3, 7]"`; values are read as JSON or as
      Python, whichever fits the field.

  Raises:
    ValueError: an assignment has no `=`, names an unknown path, or gives a
      value of the wrong type.
  """
  plain = to_dict(config)
  for assignment in assignments:
    path, equals, text = assignment.partition("=")
    if not equals:
      raise ValueError(
        f"--set {assignment!r} has no '='; 'train.num_steps=20' would do."
      )
    _assign(config, plain, path.strip(), text.strip())
  return from_dict(type(config), plain)


def paths(config: Any) -> list[str]:
  """The path of every value, such as `"model.backbone.width"`."""
  found = []
  for field in dataclasses.fields(config):
    value = getattr(config, field.name)
    if _is_settings(value):
      found += [f"{field.name}.{path}" for path in paths(value)]
    else:
      found.append(field.name)
  return found


def shipped() -> dict[str, Path]:
  """The config files that come with the package, by name.

  Those are the files with an `experiment`; others beside them, such as the
  table of meshes, are read elsewhere.
  """
  folders = [_PACKAGE / "configs"]
  # Only a checkout has its settings beside the package; in a wheel that place
  # belongs to others.
  if (_PACKAGE.parent / "pyproject.toml").is_file():
    folders.append(_PACKAGE.parent / "configs")
  return {
    path.stem: path
    for folder in folders
    for path in sorted(folder.glob("*.py"))
    if "\ndef experiment(" in path.read_text()
  }


def find(name_or_path: str | Path) -> Path:
  """The file of a config: an existing file, or one shipped by that name.

  Raises:
    FileNotFoundError: it is neither.
  """
  path = Path(name_or_path)
  if path.is_file():
    return path
  known = shipped()
  if str(name_or_path) in known:
    return known[str(name_or_path)]
  raise FileNotFoundError(
    f"config {str(name_or_path)!r} is neither a file nor a shipped name"
    f"{near(path.stem, known)}; shipped are {', '.join(sorted(known))}."
  )


def load(name_or_path: str | Path) -> Any:
  """What `experiment()` of a config file returns.

  Raises:
    FileNotFoundError: there is no such config.
    ValueError: the file cannot be run, has no `experiment`, or that returns
      something that is not settings.
  """
  path = find(name_or_path)
  try:
    names = runpy.run_path(str(path))
    build = names.get("experiment")
    experiment = build() if callable(build) else None
  except _MISTAKES as error:
    raise ValueError(
      f"config {path} cannot be built: {type(error).__name__}: {error}"
    ) from error
  if build is None:
    raise ValueError(
      f"config {path} has no function `experiment`; "
      "`def experiment() -> Experiment:` is what it needs."
    )
  if not _is_settings(experiment):
    raise ValueError(
      f"config {path}: experiment() returned {experiment!r}, which is not a "
      "dataclass of settings."
    )
  return experiment


QUANTISED: Final[Mapping[str, tuple[str, ...]]] = {"experts": ("int8", "fp8")}
"""What of a served model may lie in a byte a number, and how."""


def quantised(given: str | Mapping[str, str] | None) -> dict[str, str]:
  """Which parts of a served model are quantised, and how.

  Args:
    given: the line of `--quantise`, such as `"experts=int8"`, or what it says;
      None: nothing is.

  Raises:
    ValueError: it cannot be read, or a part or a kind is not known.
  """
  if given is None:
    return {}
  usual = "experts=int8 or experts=fp8 would do"
  if isinstance(given, str):
    what = f"--quantise={given!r}"
    words = [word.partition("=") for word in given.split(",")]
    pairs = [(part.strip(), kind.strip()) for part, _, kind in words]
    if not all(equals for _, equals, _ in words):
      raise ValueError(f"{what} is not PART=KIND; {usual}.")
  else:
    what, pairs = f"quantise={dict(given)!r}", list(given.items())
  for part, kind in pairs:
    kinds = QUANTISED.get(part)
    if kinds is None:
      raise ValueError(
        f"{what}: {part!r} is not a part that can be{near(part, QUANTISED)}; "
        f"{usual}."
      )
    if kind not in kinds:
      raise ValueError(
        f"{what}: {kind!r} is not known{near(kind, kinds)}; {usual}."
      )
  if len(dict(pairs)) < len(pairs):
    raise ValueError(f"{what} names a part twice; {usual}.")
  return dict(pairs)


def mesh_line(name: str) -> str:
  """The mesh that a name of `configs/meshes.py` stands for, or a line itself.

  Raises:
    ValueError: it is neither a name nor a line such as `"expert=4"`.
  """
  folder = next(iter(shipped().values())).parent
  known = runpy.run_path(str(folder / "meshes.py"))["MESHES"]
  if name not in known and "=" not in name:
    raise ValueError(
      f"mesh {name!r} is not known{near(name, known)}; there is "
      f"{', '.join(known)}, or a line such as 'expert=4'."
    )
  return known.get(name, name)


def near(name: str, known: Iterable[str]) -> str:
  """`", did you mean ...?"` when something known is spelt much alike."""
  alike = difflib.get_close_matches(name, list(known), n=3, cutoff=0.6)
  return f" (did you mean {' or '.join(alike)}?)" if alike else ""


def _is_settings(value: Any) -> bool:
  return dataclasses.is_dataclass(value) and not isinstance(value, type)


def _to_plain(value: Any, path: str) -> Any:
  if value is None or isinstance(value, bool | int | float | str):
    return value
  if _is_settings(value):
    return {
      field.name: _to_plain(getattr(value, field.name), f"{path}.{field.name}")
      for field in dataclasses.fields(value)
      if field.init
    }
  if isinstance(value, tuple | list):
    return [_to_plain(item, f"{path}[{i}]") for i, item in enumerate(value)]
  if isinstance(value, Mapping):
    return {str(k): _to_plain(v, f"{path}.{k}") for k, v in value.items()}
  raise TypeError(
    f"{path.lstrip('.')}={value!r} has type {type(value).__name__}, which "
    "JSON cannot hold."
  )


def _build(kind: type[Settings], plain: Any, path: str) -> Settings:
  """Settings of a dataclass; `path` is where they stand."""
  if not isinstance(plain, Mapping):
    raise _wrong(path, plain, kind)
  fields = {f.name: f for f in dataclasses.fields(kind) if f.init}  # pyright: ignore[reportArgumentType]
  for name in plain:
    if name not in fields:
      raise ValueError(
        f"{_join(path, name)} is not a setting{near(name, fields)}; "
        f"{kind.__name__} has {', '.join(fields)}."
      )
  for name, field in fields.items():
    required = (
      field.default is dataclasses.MISSING
      and field.default_factory is dataclasses.MISSING
    )
    if required and name not in plain:
      raise ValueError(f"{_join(path, name)} is missing and has no default.")
  hints = typing.get_type_hints(kind)
  return kind(
    **{
      name: _coerce(hints[name], value, _join(path, name))
      for name, value in plain.items()
    }
  )


def _coerce(wanted: Any, value: Any, path: str) -> Any:
  """`value` as the type `wanted`, or an error that names `path`."""
  if wanted is Any:
    return value
  if dataclasses.is_dataclass(wanted) and isinstance(wanted, type):
    return _build(wanted, value, path)
  origin, args = typing.get_origin(wanted), typing.get_args(wanted)
  if origin in (typing.Union, types.UnionType):
    return _coerce_union(wanted, args, value, path)
  if origin is Literal:
    # 1 equals True, so equality alone would let the wrong one pass.
    if any(value == arg and type(value) is type(arg) for arg in args):
      return value
    raise _wrong(path, value, wanted)
  if origin is tuple:
    return _coerce_tuple(wanted, args, value, path)
  if origin is not None and isinstance(value, Mapping):
    if issubclass(origin, Mapping):
      return {k: _coerce(args[1], v, f"{path}.{k}") for k, v in value.items()}
    raise _wrong(path, value, wanted)
  if wanted in (None, type(None)) and value is None:
    return None
  if wanted is float and type(value) is int:
    return float(value)
  if isinstance(wanted, type) and type(value) is wanted:
    return value
  raise _wrong(path, value, wanted)


def _coerce_union(wanted: Any, args: tuple, value: Any, path: str) -> Any:
  if value is None and type(None) in args:
    return None
  members = [arg for arg in args if arg is not type(None)]
  if len(members) == 1:
    return _coerce(members[0], value, path)
  for member in members:
    try:
      return _coerce(member, value, path)
    except ValueError:
      continue
  raise _wrong(path, value, wanted)


def _coerce_tuple(wanted: Any, args: tuple, value: Any, path: str) -> tuple:
  if not isinstance(value, list | tuple):
    raise _wrong(path, value, wanted)
  if len(args) == 2 and args[1] is Ellipsis:
    args = (args[0],) * len(value)
  if len(args) != len(value):
    raise _wrong(path, value, wanted)
  return tuple(
    _coerce(arg, item, f"{path}[{i}]")
    for i, (arg, item) in enumerate(zip(args, value, strict=True))
  )


def _assign(config: Any, plain: dict, path: str, text: str) -> None:
  """Writes the value that `text` spells into `plain` at `path`."""
  names = path.split(".")
  node, kind = plain, type(config)
  for depth, name in enumerate(names):
    hints = typing.get_type_hints(kind) if kind else {}
    if not isinstance(node, dict) or name not in hints or name not in node:
      known = paths(config)
      raise ValueError(
        f"--set {path}={text}: there is no setting {path!r}"
        f"{near(path, known) or _by_last_name(names[-1], known)}."
      )
    if depth == len(names) - 1:
      node[name] = _read(hints[name], text, path)
      return
    node, kind = node[name], _settings_class(hints[name])


def _read(wanted: Any, text: str, path: str) -> Any:
  """The first reading of `text` that has the type `wanted`, as plain JSON."""
  readings: list[Any] = []
  for parse in (json.loads, ast.literal_eval):
    try:
      readings.append(parse(text))
    except (ValueError, SyntaxError):
      continue
  readings.append(text)
  for reading in readings:
    try:
      value = _coerce(wanted, reading, path)
    except ValueError:
      continue
    return _to_plain(value, path)
  # The reading closest to what was meant gives the better message.
  _coerce(wanted, readings[0], path)
  raise AssertionError(f"{path}={text!r} was refused and then taken.")


def _settings_class(wanted: Any) -> type | None:
  """The dataclass in a type such as `Part` or `Part | None`."""
  for candidate in (wanted, *typing.get_args(wanted)):
    if isinstance(candidate, type) and dataclasses.is_dataclass(candidate):
      return candidate
  return None


def _by_last_name(name: str, known: list[str]) -> str:
  """Like `near`, for a path of which only the last name was remembered."""
  found = [path for path in known if path.split(".")[-1] == name]
  if found:
    return f" (did you mean {' or '.join(found[:3])}?)"
  last = {path.split(".")[-1]: path for path in known}
  alike = difflib.get_close_matches(name, list(last), n=3, cutoff=0.6)
  near_paths = " or ".join(last[match] for match in alike)
  return f" (did you mean {near_paths}?)" if alike else ""


def _join(path: str, name: str) -> str:
  return f"{path}.{name}" if path else name


def _wrong(path: str, value: Any, wanted: Any) -> ValueError:
  name = wanted.__name__ if isinstance(wanted, type) else str(wanted)
  if typing.get_origin(wanted) is not None:
    name = str(wanted).replace("typing.", "")
  return ValueError(
    f"{path or 'settings'}={value!r} has type {type(value).__name__}; "
    f"{name} is wanted."
  )
