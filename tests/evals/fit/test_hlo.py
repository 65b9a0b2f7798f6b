"""The costs of small programs, computed by hand beside each."""

import jax
import jax.numpy as jnp
import pytest

from interaction_jax.evals.fit import hlo
from interaction_jax.evals.fit.hlo import Work

# A loop of four rounds, one that nobody knows the end of, and one of rounds of
# an exchange; each body has one product.
LOOPS = """HloModule loops, num_partitions=8

%body.1 (b: (s32[], f32[4,8])) -> (s32[], f32[4,8]) {
  %b = (s32[], f32[4,8]{1,0}) parameter(0)
  %i = s32[] get-tuple-element(%b), index=0
  %x = f32[4,8]{1,0} get-tuple-element(%b), index=1
  %w = f32[8,8]{1,0} constant({...})
  %y = f32[4,8]{1,0} dot(%x, %w), DIMS, metadata={op_name="jit(f)/BODY/dot"}
  ROOT %t = (s32[], f32[4,8]{1,0}) tuple(%i, %y)
}

%until.1 (c: (s32[], f32[4,8])) -> pred[] {
  %c = (s32[], f32[4,8]{1,0}) parameter(0)
  %j = s32[] get-tuple-element(%c), index=0
  %n = s32[] constant(4)
  ROOT %less = pred[] compare(%j, %n), direction=LT
}

%until.2 (c: (s32[], f32[4,8])) -> pred[] {
  %c = (s32[], f32[4,8]{1,0}) parameter(0)
  %j = s32[] get-tuple-element(%c), index=0
  %n = s32[] constant(4)
  %less = pred[] compare(%j, %n), direction=LT
  %going = pred[] get-tuple-element(%c), index=1
  ROOT %both = pred[] and(%less, %going)
}

ENTRY %main (p: (s32[], f32[4,8])) -> (s32[], f32[4,8]) {
  %p = (s32[], f32[4,8]{1,0}) parameter(0)
  ROOT %loop = (s32[], f32[4,8]{1,0}) while(%p), AROUND
}
"""


def entry(lines, others=""):
  """A module with these lines in its entry."""
  head = f"HloModule m, num_partitions=16\n\n{others}\n"
  return f"{head}ENTRY %main () -> f32[] {{\n{lines}\n}}\n"


def only(text):
  """The one piece of work of a module."""
  (work,) = hlo.parse(text).works()
  return work


@pytest.mark.parametrize(
  ("condition", "scope", "times", "is_open"),
  [
    ("until.1", "f", 4, False),
    ("until.2", "f", 1, True),
    ("until.2", "rounds", 1, False),
  ],
  ids=["counted", "open", "rounds"],
)
def test_a_loop_counts_as_often_as_it_runs(condition, scope, times, is_open):
  dims = "lhs_contracting_dims={1}, rhs_contracting_dims={0}"
  around = (
    f"condition=%{condition}, body=%body.1, "
    f'metadata={{op_name="jit(f)/{scope}/while"}}'
  )
  text = LOOPS.replace("AROUND", around).replace("DIMS", dims)
  # 2 x 4 x 8 x 8 operations; 4 x 8, 8 x 8 and 4 x 8 numbers of four bytes.
  assert only(text) == Work(
    "dot", "jit(f)/BODY/dot", flops=512.0, moved=512, times=times, open=is_open
  )


def test_of_branches_the_costliest_counts():
  branches = "".join(
    f"""
%branch.{size} (p: f32[{size}]) -> f32[{size}] {{
  %p = f32[{size}]{{0}} parameter(0)
  ROOT %n = f32[{size}]{{0}} negate(%p)
}}
"""
    for size in (8, 32)
  )
  work = only(
    entry(
      "  %i = s32[] parameter(0)\n  %a = f32[8]{0} parameter(1)\n"
      "  ROOT %c = f32[8]{0} conditional(%i, %a, %a), "
      "branch_computations={%branch.8, %branch.32}",
      branches,
    )
  )
  assert (work.op, work.moved) == ("negate", 2 * 32 * 4)


def test_what_lies_inside_the_chip_costs_no_memory():
  work = only(
    entry(
      "  %a = bf16[8,128]{1,0:T(8,128)(2,1)S(1)} parameter(0)\n"
      "  ROOT %n = bf16[8,128]{1,0:T(8,128)(2,1)} negate(%a), "
      'backend_config={"window_config":{"estimated_cycles":"77"}}'
    )
  )
  assert (work.moved, work.cycles) == (8 * 128 * 2, 77)


def test_cycles_that_are_a_sign_for_none_are_none():
  work = only(
    entry(
      "  %a = f32[8]{0} parameter(0)\n  ROOT %n = f32[8]{0} negate(%a), "
      'backend_config={"estimated_cycles":"9223372036854775807"}'
    )
  )
  assert work.cycles is None


FUSED = """
%inner (p0: f32[1000,64], p1: s32[4], p2: f32[4,64]) -> f32[1000,64] {
  %p0 = f32[1000,64]{1,0} parameter(0)
  %p1 = s32[4]{0} parameter(1)
  %p2 = f32[4,64]{1,0} parameter(2)
  ROOT %s = f32[1000,64]{1,0} scatter(%p0, %p1, %p2), to_apply=%add
}

%looked (p0: f32[1000,64], p1: s32[4]) -> f32[4,64] {
  %p0 = f32[1000,64]{1,0} parameter(0)
  %b = f32[1000,64]{1,0} bitcast(%p0)
  %p1 = s32[4]{0} parameter(1)
  ROOT %g = f32[4,64]{1,0} gather(%b, %p1), offset_dims={1}
}

%whole (p0: f32[1000,64]) -> f32[1000,64] {
  %p0 = f32[1000,64]{1,0} parameter(0)
  ROOT %b = f32[1000,64]{1,0} bitcast(%p0)
}
"""
TABLE = "  %a = f32[1000,64]{1,0} parameter(0)\n"
PLACES = "  %i = s32[4]{0} parameter(1)\n  %u = f32[4,64]{1,0} parameter(2)\n"


@pytest.mark.parametrize(
  ("line", "moved"),
  [
    # Four rows of 64 numbers are looked up and written; and four places.
    ("f32[4,64]{1,0} fusion(%a, %i), calls=%looked", 2 * 1024 + 16),
    # They are read and written into the table, which stays where it is.
    ("f32[1000,64]{1,0} fusion(%a, %i, %u), calls=%inner", 2 * 1024 + 16),
    ("f32[1000,64]{1,0} fusion(%a), calls=%whole", 2 * 256_000),
    ("f32[4,64]{1,0} gather(%a, %i), offset_dims={1}", 2 * 1024),
    ("f32[1000,64]{1,0} copy(%a)", 2 * 256_000),
  ],
  ids=["looked-up", "written", "all-of-it", "gather", "copy"],
)
def test_only_what_is_touched_counts(line, moved):
  text = entry(f"{TABLE}{PLACES}  ROOT %r = {line}", FUSED)
  assert only(text).moved == moved


def test_a_copy_that_is_started_counts_once():
  text = entry(
    "  %a = f32[64]{0} parameter(0)\n"
    "  %s = (f32[64]{0:S(1)}, f32[64]{0}, u32[]{:S(2)}) copy-start(%a)\n"
    "  ROOT %d = f32[64]{0:S(1)} copy-done(%s)"
  )
  # 64 numbers are read; the mark of four bytes is not worth an exception.
  assert only(text).moved == 64 * 4 + 4


def test_of_a_slice_that_is_started_what_is_cut_off_is_read():
  text = entry(
    "  %a = s8[4096]{0} parameter(0)\n"
    "  %s = ((s8[4096]{0}), s8[512]{0:S(1)}, s32[]{:S(2)}) slice-start(%a), "
    "slice={[0:512]}\n"
    "  ROOT %d = s8[512]{0:S(1)} slice-done(%s)"
  )
  assert only(text) == Work("slice", "", moved=512)


def test_a_kernel_costs_what_its_author_says():
  text = entry(
    "  %a = bf16[8,128]{1,0} parameter(0)\n"
    "  ROOT %recall.7 = bf16[8,128]{1,0} custom-call(%a), "
    'custom_call_target="tpu_custom_call", backend_config={"custom_call_config"'
    ':{"body":"x","cost_estimate":{"flops":"600","transcendentals":"3",'
    '"bytes_accessed":"900","remote_bytes_transferred":"0"}}}'
  )
  assert only(text) == Work("recall", "", flops=600.0, moved=900)


@pytest.mark.parametrize(
  ("line", "sent", "group"),
  [
    # 64 x 4 bytes go in; of what comes out each has its own part already.
    (
      "f32[256]{0} all-gather(%a), replica_groups={{0,1,2,3},{4,5,6,7}}",
      768,
      4,
    ),
    ("f32[64]{0} all-reduce(%a), replica_groups=[2,8]<=[16]", 448, 8),
    ("f32[8]{0} reduce-scatter(%a), replica_groups=[2,8]<=[16]", 224, 8),
    (
      "f32[64]{0} all-to-all(%a), replica_groups="
      "mesh['axis_0'=2,'axis_1'=8] {'axis_1'}",
      224,
      8,
    ),
    ("f32[64]{0} collective-permute(%a), source_target_pairs={{0,1}}", 256, 16),
    ("f32[64]{0} all-reduce(%a), replica_groups={}", 480, 16),
  ],
)
def test_a_collective_sends_what_it_has_to(line, sent, group):
  text = entry(f"  %a = f32[64]{{0}} parameter(0)\n  ROOT %r = {line}")
  work = only(text)
  assert (work.sent, work.group) == (sent, group)


@pytest.mark.parametrize(
  ("shapes", "rest", "flops"),
  [
    # Rows times columns: 2 x 4 x 16 x 8.
    (("[4,8]", "[8,16]", "[4,16]"), "dim_labels=bf_io->bf", 1024),
    # Two by themselves, as windows of one: 2 x (2 x 4 x 16) x 8.
    (
      ("[2,4,8]", "[2,8,16]", "[2,4,16]"),
      "window={size=1}, dim_labels=0bf_0io->0bf",
      2048,
    ),
    # A window of three over five places with one of edge on both sides lies on
    # 2 + 3 + 3 + 3 + 2 of them.
    (
      ("[1,5,2]", "[3,2,7]", "[1,5,7]"),
      "window={size=3 pad=1_1}, dim_labels=b0f_0io->b0f",
      2 * 7 * 2 * 13,
    ),
    # Moved by two, over inputs that lie two apart: 1 of 3 taps at most.
    (
      ("[1,3,2]", "[3,2,7]", "[1,2,7]"),
      "window={size=3 stride=2 lhs_dilate=2}, dim_labels=b0f_0io->b0f",
      2 * 7 * 2 * 4,
    ),
  ],
  ids=["plain", "batch", "edges", "dilated"],
)
def test_operations_of_a_product(shapes, rest, flops):
  left, right, out = shapes
  text = entry(
    f"  %a = f32{left} parameter(0)\n  %b = f32{right} parameter(1)\n"
    f"  ROOT %c = f32{out} convolution(%a, %b), {rest}"
  )
  assert only(text).flops == flops


def test_a_text_without_an_entry_is_refused():
  with pytest.raises(ValueError, match="has no ENTRY"):
    hlo.parse("HloModule m\n")


def test_the_operations_of_a_real_program_are_those_of_its_compiler():
  def f(x, w):
    def body(x, _):
      return jnp.tanh(x @ w), None

    return jax.lax.scan(body, x, None, 5)[0]

  args = jnp.ones((16, 32)), jnp.ones((32, 32))
  text = jax.jit(f).lower(*args).compile().as_text()
  works = hlo.parse(text).works()
  # A CPU may hand a product to a library, which has no shape to read; here it
  # does not. 2 x 16 x 32 x 32, five times.
  total = sum(work.flops * work.times for work in works)
  assert total == 5 * 2 * 16 * 32 * 32
