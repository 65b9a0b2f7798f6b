"""What a compiled program does, read from its own text.

The compiler's sums count the body of a loop once, and tell nothing of parts.
So the text is walked: every instruction that runs gives a `Work`, loops times
their trips, and of branches the costliest one. A loop whose trips are not
written in its condition counts once, and what it does is marked as `open`: the
text of a turn is such a loop. Rounds of an exchange (`ops/exchange.py`) count
once without a mark: even loads need one.

    ENTRY -- fusion, convolution, custom-call, all-gather, ...   one Work each
      while -- condition: i < 4                                 body, 4 times
      while -- condition: i < n and going                       body, open
      conditional                                     the branch with most bytes

Bytes are those that pass through the device's memory. What lies in the chip's
own (memory space S(1)) costs nothing there; of what is looked up or written in
place only the part that is touched counts.
"""

import dataclasses
import functools
import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

COLLECTIVES: Final = (
  "all-gather",
  "all-reduce",
  "reduce-scatter",
  "all-to-all",
  "ragged-all-to-all",
  "collective-permute",
  "send",
)

_BITS: Final = {
  "pred": 8, "s4": 4, "u4": 4, "s8": 8, "u8": 8, "s16": 16, "u16": 16,
  "s32": 32, "u32": 32, "s64": 64, "u64": 64, "f16": 16, "bf16": 16,
  "f32": 32, "f64": 64, "c64": 64, "f8e4m3fn": 8, "f8e5m2": 8,
}  # fmt: skip

# They move nothing: what they stand for is counted elsewhere or not at all.
_FREE: Final = frozenset(
  {
    "parameter", "constant", "tuple", "get-tuple-element", "bitcast",
    "after-all", "add-dependency", "partition-id", "replica-id", "domain",
    "opt-barrier", "recv", "async-update", "iota", "rng-get-and-update-state",
  }
)  # fmt: skip

_ONCE: Final = "/rounds/"
"""In the name of a loop that is gone through once, as a rule."""

_NO_CYCLES: Final = 10**12
"""From here on cycles are the compiler's way to say that it has none."""

_ARRAY = re.compile(r"([a-z]\w*)\[([\d,]*)\](\{[^}]*\})?")
_NAMES = re.compile(r"%([\w.\-]+)")


@dataclasses.dataclass(frozen=True)
class Shape:
  """One array.

  Attributes:
    inside: it lies in the chip's own memory.
  """

  dtype: str
  dims: tuple[int, ...]
  inside: bool = False

  @property
  def size(self) -> int:
    """Bytes."""
    return math.prod(self.dims) * _BITS.get(self.dtype, 32) // 8

  @property
  def moved(self) -> int:
    """Bytes that pass through the device's memory."""
    return 0 if self.inside else self.size


@dataclasses.dataclass(frozen=True)
class Instruction:
  """One line of a computation.

  Attributes:
    shapes: of its result, a tuple laid flat.
    inner: what stands between its brackets.
    rest: all that stands behind them.
  """

  name: str
  shapes: tuple[Shape, ...]
  op: str
  inner: str
  rest: str
  root: bool = False

  @functools.cached_property
  def operands(self) -> tuple[str, ...]:
    """Names of instructions of the same computation."""
    return tuple(_NAMES.findall(self.inner))

  def called(self, key: str) -> str | None:
    """The computation that it names under `key`."""
    found = re.search(rf"\b{key}=%?([\w.\-]+)", self.rest)
    return found and found.group(1)

  @functools.cached_property
  def scope(self) -> str:
    """Where in the source it comes from, as JAX names it."""
    found = re.search(r'op_name="([^"]*)"', self.rest)
    return found.group(1) if found else ""

  @functools.cached_property
  def cycles(self) -> int | None:
    """What the compiler expects; None: it has no model of it."""
    found = re.search(r'"estimated_cycles":"?(\d+)', self.rest)
    cycles = int(found.group(1)) if found else 0
    return cycles if 0 < cycles < _NO_CYCLES else None

  @property
  def size(self) -> int:
    """Bytes of the result."""
    return sum(shape.size for shape in self.shapes)


Computation = dict[str, Instruction]
"""The instructions of a computation by name, in order."""


@dataclasses.dataclass(frozen=True)
class Work:
  """What one instruction costs a device each time that it runs.

  Attributes:
    scope: where in the source it comes from.
    flops: of products; what is added up by the way is not counted.
    moved: bytes through the device's memory.
    cycles: the compiler's own; None where it has none.
    sent: bytes over links that each device sends at least; 0: none.
    group: devices that a collective is among.
    times: how often it runs.
    open: it stands in a loop whose trips are not known.
  """

  op: str
  scope: str
  flops: float = 0.0
  moved: int = 0
  cycles: int | None = None
  sent: float = 0.0
  group: int = 1
  times: int = 1
  open: bool = False


@dataclasses.dataclass(frozen=True)
class Program:
  """A compiled module.

  Attributes:
    entry: name of the computation that begins.
    num_devices: on which it runs.
  """

  computations: Mapping[str, Computation]
  entry: str
  num_devices: int

  def works(self) -> list[Work]:
    """Everything that runs."""
    return list(_walk(self, self.entry, 1, False))


def parse(text: str) -> Program:
  """Reads the text of a compiled module.

  Raises:
    ValueError: it has no entry.
  """
  computations: dict[str, Computation] = {}
  current: Computation = {}
  entry = ""
  devices = re.search(r"num_partitions=(\d+)", text[:100_000])
  for line in text.splitlines():
    if line.startswith(("ENTRY ", "%")) and line.endswith("{"):
      name = line.removeprefix("ENTRY ").split(" ", 1)[0].lstrip("%")
      current = computations[name] = {}
      entry = name if line.startswith("ENTRY ") else entry
    elif line.startswith("  "):
      one = _instruction(line.strip())
      if one is not None:
        current[one.name] = one
  if not entry:
    raise ValueError("the text of the compiled module has no ENTRY.")
  return Program(computations, entry, int(devices.group(1)) if devices else 1)


def _instruction(line: str) -> Instruction | None:
  """`%name = shape op(operands), rest`, where the shape may be a tuple."""
  root = line.startswith("ROOT ")
  name, equals, text = line.removeprefix("ROOT ").partition(" = ")
  if not equals:
    return None
  end = _closing(text) if text.startswith("(") else text.index(" ")
  shape, text = text[:end], text[end:].lstrip()
  op, bracket, text = text.partition("(")
  if not bracket:
    return None
  end = _closing("(" + text) - 1
  return Instruction(
    name.lstrip("%"),
    _shapes(shape),
    op,
    text[: end - 1],
    text[end:],
    root,
  )


def _closing(text: str) -> int:
  """The place behind the bracket that closes the first one."""
  depth = 0
  for place, letter in enumerate(text):
    depth += (letter == "(") - (letter == ")")
    if not depth:
      return place + 1
  raise ValueError(f"brackets do not close: {text[:80]}")


@functools.lru_cache(maxsize=4096)
def _shapes(text: str) -> tuple[Shape, ...]:
  return tuple(
    Shape(
      dtype,
      tuple(int(side) for side in dims.split(",") if side),
      "S(1)" in layout,
    )
    for dtype, dims, layout in _ARRAY.findall(text)
    if dtype in _BITS
  )


def _walk(
  program: Program, name: str, times: int, is_open: bool
) -> Iterator[Work]:
  """Everything that runs when a computation is called."""
  computation = program.computations[name]
  for one in computation.values():
    if one.op == "while":
      trips = _trips(program, one)
      body = one.called("body")
      assert body is not None, one.name
      unknown = trips is None and _ONCE not in one.scope
      yield from _walk(program, body, times * (trips or 1), is_open or unknown)
    elif one.op == "conditional":
      branches = [
        list(_walk(program, name, times, is_open)) for name in _branches(one)
      ]
      yield from max(
        branches, key=lambda works: sum(w.moved for w in works), default=[]
      )
    elif one.op in ("call", "call-start", "async-start"):
      called = one.called("to_apply") or one.called("calls")
      if called is not None:
        yield from _walk(program, called, times, is_open)
    elif one.op not in _FREE and not one.op.endswith("-done"):
      yield dataclasses.replace(
        _work(program, computation, one), times=times, open=is_open
      )


def _branches(one: Instruction) -> list[str]:
  many = re.search(r"branch_computations=\{([^}]*)\}", one.rest)
  if many:
    return _NAMES.findall(many.group(1))
  two = [one.called("true_computation"), one.called("false_computation")]
  return [name for name in two if name is not None]


def _trips(program: Program, loop: Instruction) -> int | None:
  """How often a loop runs that counts from 0; None where it is not written."""
  named = loop.called("condition")
  assert named is not None, loop.name
  condition = list(program.computations[named].values())
  limits = [one for one in condition if one.op == "constant"]
  inner = [
    program.computations[called]
    for one in condition
    if one.op == "fusion" and (called := one.called("calls"))
  ]
  for part in inner:
    limits += [one for one in part.values() if one.op == "constant"]
    condition += part.values()
  compares = [one for one in condition if one.op == "compare"]
  others = {"and", "or", "reduce", "all-reduce", "not"}
  if len(compares) != 1 or any(one.op in others for one in condition):
    return None
  if "direction=LT" not in compares[0].rest or len(limits) != 1:
    return None
  value = limits[0].inner
  return int(value) if value.isdecimal() else None


def _work(program: Program, computation: Computation, one: Instruction) -> Work:
  """The cost of one instruction."""
  operands = [computation[name] for name in one.operands if name in computation]
  base = one.op.removesuffix("-start")
  if base in COLLECTIVES:
    return _collective(program, one, operands)
  if one.op == "copy-start":
    # Its result names both sides.
    moved = sum(shape.moved for shape in one.shapes)
    return Work("copy", one.scope, moved=moved, cycles=one.cycles)
  if one.op in ("slice-start", "dynamic-slice-start"):
    # Here too, but of the first side only as much is read as there is of the
    # second.
    source, target = one.shapes[:2]
    moved = target.moved + (0 if source.inside else target.size)
    return Work("slice", one.scope, moved=moved, cycles=one.cycles)
  estimate = _estimate(one)
  if estimate is not None:
    flops, moved = estimate
    return Work(_kernel(one), one.scope, flops=flops, moved=moved)
  if one.op == "fusion":
    inner = program.computations.get(one.called("calls") or "", {})
    moved = _fusion_moved(program, inner, one, operands)
    flops = _flops(program, inner)
  else:
    moved = _moved(computation, one)
    flops = _product(computation, one)
  name = _kernel(one) if one.op == "custom-call" else one.op
  return Work(name, one.scope, flops=flops, moved=moved, cycles=one.cycles)


def _kernel(one: Instruction) -> str:
  """The name of a kernel without its number."""
  return re.sub(r"[.\d]+$", "", one.name)


def _estimate(one: Instruction) -> tuple[float, int] | None:
  """Operations and bytes as the author of a kernel gave them."""
  if one.op != "custom-call":
    return None
  found = re.search(
    r'"cost_estimate":\{"flops":"(\d+)".*?"bytes_accessed":"(\d+)"', one.rest
  )
  return (float(found.group(1)), int(found.group(2))) if found else None


def _collective(
  program: Program, one: Instruction, operands: list[Instruction]
) -> Work:
  """What every device of a group has to send, at least."""
  group = _group(one.rest, program.num_devices)
  given = sum(operand.size for operand in operands)
  base = one.op.removesuffix("-start")
  others = (group - 1) / group
  if base == "all-gather":
    # Of a started one the result names what goes in as well.
    whole = max(one.size - given, 0) if one.op.endswith("start") else one.size
    sent = whole * others
  elif base == "all-reduce":
    sent = 2 * given * others
  elif base in ("collective-permute", "send"):
    sent = given
  else:
    sent = given * others
  moved = sum(shape.moved for part in (*operands, one) for shape in part.shapes)
  return Work(base, one.scope, moved=moved, sent=float(sent), group=group)


def _group(rest: str, num_devices: int) -> int:
  """Devices of a group, in any of the three ways to write groups."""
  found = re.search(r"replica_groups=\{\{([\d,]+)\}", rest)
  if found:
    return found.group(1).count(",") + 1
  found = re.search(r"replica_groups=\[(\d+),(\d+)\]", rest)
  if found:
    return int(found.group(2))
  found = re.search(r"replica_groups=mesh\[([^\]]*)\]\s*\{([^}]*)\}", rest)
  if found:
    sizes = dict(re.findall(r"'(\w+)'=(\d+)", found.group(1)))
    return math.prod(
      int(sizes[axis]) for axis in re.findall(r"'(\w+)'", found.group(2))
    )
  return num_devices


def _moved(computation: Computation, one: Instruction) -> int:
  """Bytes of an instruction that stands by itself."""
  out = sum(shape.moved for shape in one.shapes)
  if one.op in ("dynamic-slice", "gather", "slice"):
    return 2 * out
  touched = _touched(computation, one)
  if touched is not None:
    return 2 * touched
  return out + sum(
    shape.moved
    for name in one.operands
    if name in computation
    for shape in computation[name].shapes
  )


def _touched(computation: Computation, one: Instruction) -> int | None:
  """What is written in place; None where all of the result is."""
  place = {"dynamic-update-slice": 1, "scatter": 2}.get(one.op)
  if place is None or len(one.operands) <= place:
    return None
  return computation[one.operands[place]].size


def _fusion_moved(
  program: Program,
  inner: Computation,
  one: Instruction,
  operands: list[Instruction],
) -> int:
  """Bytes of a fusion: of every input what is read, and of the result."""
  total = 0
  for index, operand in enumerate(operands):
    whole = sum(shape.moved for shape in operand.shapes)
    parameter = _parameter(inner, index)
    if parameter is None or not whole:
      total += whole
    else:
      total += min(whole, _read(program, inner, parameter))
  written = sum(shape.moved for shape in one.shapes)
  touched = _written(program, inner)
  return total + (written if touched is None else min(written, touched))


def _parameter(inner: Computation, index: int) -> Instruction | None:
  for one in inner.values():
    if one.op == "parameter" and one.inner == str(index):
      return one
  return None


def _read(program: Program, inner: Computation, source: Instruction) -> int:
  """How much of a value of a fusion is looked at."""
  total = source.size if source.root else 0
  for user in inner.values():
    if source.name not in user.operands:
      continue
    first = user.operands[0] == source.name
    if first and user.op in ("dynamic-slice", "gather", "slice"):
      total += user.size
    elif first and user.op in ("dynamic-update-slice", "scatter"):
      total += 0
    elif user.op in ("bitcast", "get-tuple-element"):
      total += _read(program, inner, user)
    elif user.op == "fusion":
      called = program.computations.get(user.called("calls") or "", {})
      parameter = _parameter(called, user.operands.index(source.name))
      total += (
        source.size if parameter is None else _read(program, called, parameter)
      )
    else:
      return source.size
  return total


def _written(program: Program, inner: Computation) -> int | None:
  """What a fusion that writes in place writes; None: all of its result."""
  root = next((one for one in inner.values() if one.root), None)
  while root is not None and root.op in ("bitcast", "convert", "copy"):
    root = inner.get(root.operands[0]) if root.operands else None
  if root is None:
    return None
  if root.op == "fusion":
    called = program.computations.get(root.called("calls") or "", {})
    return _written(program, called)
  return _touched(inner, root)


def _flops(program: Program, inner: Computation) -> float:
  """Operations of all products in a fusion."""
  total = 0.0
  for one in inner.values():
    if one.op == "fusion":
      called = program.computations.get(one.called("calls") or "", {})
      total += _flops(program, called)
    else:
      total += _product(inner, one)
  return total


def _product(computation: Computation, one: Instruction) -> float:
  """2 x the multiplications of a product; 0 for anything else.

  On a TPU a product is a convolution whose windows are small or empty.
  """
  if one.op not in ("dot", "convolution") or len(one.operands) < 2:
    return 0.0
  left, right = (computation.get(name) for name in one.operands[:2])
  if left is None or right is None:
    return 0.0
  out = math.prod(one.shapes[0].dims)
  if one.op == "dot":
    found = re.search(r"lhs_contracting_dims=\{([\d,]*)\}", one.rest)
    axes = [int(a) for a in (found.group(1) if found else "").split(",") if a]
    return 2.0 * out * math.prod(left.shapes[0].dims[axis] for axis in axes)
  labels = re.search(r"dim_labels=(\w+)_(\w+)->(\w+)", one.rest)
  if labels is None:
    return 0.0
  source, kernel, result = labels.groups()
  inputs = right.shapes[0].dims[kernel.index("i")]
  taps = 1.0
  for axis, window in enumerate(_windows(one.rest)):
    letter = str(axis)
    taps *= _taps(
      window,
      left.shapes[0].dims[source.index(letter)],
      one.shapes[0].dims[result.index(letter)],
    )
  return 2.0 * out * inputs * taps


@dataclasses.dataclass(frozen=True)
class _Window:
  """One spatial axis of a convolution."""

  size: int
  stride: int = 1
  low: int = 0
  spread: int = 1
  reach: int = 1


def _windows(rest: str) -> list[_Window]:
  found = re.search(r"window=\{([^}]*)\}", rest)
  fields = dict(
    word.split("=") for word in (found.group(1).split() if found else [])
  )
  if "size" not in fields:
    return []

  def each(
    name: str, default: int, read: Callable[[str], int] = int
  ) -> list[int]:
    if name not in fields:
      return [default] * len(fields["size"].split("x"))
    return [read(part) for part in fields[name].split("x")]

  return [
    _Window(*numbers)
    for numbers in zip(
      each("size", 1),
      each("stride", 1),
      each("pad", 0, lambda part: int(part.split("_")[0])),
      each("lhs_dilate", 1),
      each("rhs_dilate", 1),
      strict=True,
    )
  ]


def _taps(window: _Window, inputs: int, outputs: int) -> float:
  """Places of a window that lie on an input, in the mean of all outputs."""
  if window.size == 1:
    return 1.0
  last = (inputs - 1) * window.spread
  hits = 0
  for out in range(outputs):
    at = out * window.stride - window.low
    for tap in range(window.size):
      place = at + tap * window.reach
      hits += 0 <= place <= last and place % window.spread == 0
  return hits / max(outputs, 1)
