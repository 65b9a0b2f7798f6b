"""Experts on other devices, against a plain loop over pairs.

JAX fixes its devices when it starts, so what is compared runs in a process of
its own: this very file, as a program on eight devices.
"""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.core import sharding
from interaction_jax.ops import dispatch, exchange, quantised

MESHES = ("expert=8", "data=2,expert=4", "expert=2,tensor=4")
WAYS = {"grouped": dispatch.grouped, "gathered": dispatch.gathered}
WIDTH, INNER, EXPERTS, CHOSEN, LENGTH = 6, 12, 16, 3, 80

# Sums of some dozens of float32 products, in parts of the largest number; the
# cosine of a sum of twenty makes twenty of its last places.
CLOSE = 1e-4


def spread(seed):
  """Distinct experts for each position, all as likely."""
  rng = np.random.default_rng(seed)
  return np.stack(
    [rng.choice(EXPERTS, CHOSEN, replace=False) for _ in range(LENGTH)]
  )


CASES = {
  "even": spread(0),
  # Everybody goes to the first device, which takes several rounds.
  "crowded": np.tile([0, 1, 15], (LENGTH, 1)),
  "empty-experts": np.where(spread(1) > 7, spread(1), [13, 14, 15]),
}


def routed(case):
  rng = np.random.default_rng(3)
  return dispatch.Routing(
    jnp.sort(jnp.asarray(CASES[case], jnp.int32)),
    jnp.asarray(rng.uniform(0.1, 2, (LENGTH, CHOSEN)), jnp.float32),
    jnp.zeros((LENGTH, 1)),
  )


def drawn():
  rng = np.random.default_rng(4)

  def normal(*shape):
    return jnp.asarray(rng.normal(size=shape), jnp.float32)

  return normal(LENGTH, WIDTH), dispatch.ExpertWeights(
    normal(EXPERTS, WIDTH, INNER),
    normal(EXPERTS, WIDTH, INNER),
    normal(EXPERTS, INNER, WIDTH),
  )


def run(way, x, shares, experts, weights):
  routing = dispatch.Routing(experts, shares, jnp.zeros((len(x), 1)))
  return exchange.across(way, x, routing, weights)


def graded(way, x, shares, experts, weights):
  """The value, and the gradients of everything that has one."""

  def total(x, shares, weights):
    out = run(way, x, shares, experts, weights)
    return jnp.sum(jnp.sin(out)), out

  grad = jax.grad(total, argnums=(0, 1, 2), has_aux=True)
  slopes, out = grad(x, shares, weights)
  return {"out": out, "slopes": slopes}


def dense(x, shares, experts, weights):
  """The definition, every expert asked about every position, in float64."""
  share = jnp.zeros((len(x), EXPERTS), x.dtype)
  share = share.at[jnp.arange(len(x))[:, None], experts].add(shares)
  hidden = jax.nn.silu(jnp.einsum("td,edf->tef", x, weights.gate))
  hidden = hidden * jnp.einsum("td,edf->tef", x, weights.up)
  return jnp.einsum("tef,efd,te->td", hidden, weights.down, share)


def wanted(case):
  with jax.enable_x64(True):
    x, weights = jax.tree.map(lambda a: a.astype(jnp.float64), drawn())
    routing = routed(case)
    shares = routing.weights.astype(jnp.float64)

    def total(x, shares, weights):
      out = dense(x, shares, routing.experts, weights)
      return jnp.sum(jnp.sin(out)), out

    grad = jax.grad(total, argnums=(0, 1, 2), has_aux=True)
    slopes, out = grad(x, shares, weights)
    return jax.tree.map(np.asarray, {"out": out, "slopes": slopes})


def apart(got, true):
  """The largest difference, in parts of the largest number."""
  pairs = zip(jax.tree.leaves(got), jax.tree.leaves(true), strict=True)
  return max(
    float(np.abs(np.asarray(a, np.float64) - b).max() / np.abs(b).max())
    for a, b in pairs
  )


def quantised_ones(x, weights):
  """How far each mesh is from the truth of what quantised weights mean."""
  kept = dispatch.ExpertWeights(
    *(
      quantised.quantise(w, "int8")
      for w in (weights.gate, weights.up, weights.down)
    )
  )
  meant = dispatch.ExpertWeights(
    *(quantised.dequantise(w) for w in (kept.gate, kept.up, kept.down))
  )
  report = {}
  for case in ("even", "crowded"):
    routing = routed(case)
    shares, experts = routing.weights, routing.experts
    with jax.enable_x64(True):
      wide, share, exact = jax.tree.map(
        lambda a: a.astype(jnp.float64), (x, shares, meant)
      )
      true = np.asarray(dense(wide, share, experts, exact))
    for name, way in WAYS.items():
      for line in MESHES:
        with jax.set_mesh(sharding.mesh(line)):
          got = jax.jit(run, static_argnums=0)(way, x, shares, experts, kept)
        report[f"int8 {case} {name} {line}"] = apart(got, true)
  return report


def main():
  """Prints how far each mesh is from the truth."""
  x, weights = drawn()
  report = {}
  for case in CASES:
    true, routing = wanted(case), routed(case)
    given = (x, routing.weights, routing.experts, weights)
    for name, way in WAYS.items():
      for line in MESHES:
        with jax.set_mesh(sharding.mesh(line)):
          got = jax.jit(graded, static_argnums=0)(way, *given)
        report[f"{case} {name} {line}"] = apart(got, true)
  report |= quantised_ones(x, weights)
  mesh = sharding.mesh("expert=8")
  with jax.set_mesh(mesh):
    text = jax.jit(run, static_argnums=0).lower(dispatch.grouped, *given)
    report["collectives"] = {
      op: text.as_text().count(f"stablehlo.{op}")
      for op in ("all_to_all", "all_gather", "reduce_scatter")
    }
    noisy = x.at[1:].set(jnp.nan)
    rows = jax.jit(run, static_argnums=0)(dispatch.grouped, noisy, *given[1:])
    report["row"] = np.asarray(rows[0]).tolist()
    rows = jax.jit(run, static_argnums=0)(dispatch.grouped, *given)
    report["row wanted"] = np.asarray(rows[0]).tolist()
  print(json.dumps(report))


@pytest.fixture(scope="module")
def report(on_eight_devices):
  return on_eight_devices(__file__)


@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients_equal_the_definition(report, case):
  found = {k: v for k, v in report.items() if k.startswith(f"{case} ")}
  assert len(found) == len(WAYS) * len(MESHES)
  assert {k: v for k, v in found.items() if v > CLOSE} == {}


def test_quantised_experts_equal_the_definition(report):
  found = {k: v for k, v in report.items() if k.startswith("int8 ")}
  assert len(found) == 2 * len(WAYS) * len(MESHES)
  assert {k: v for k, v in found.items() if v > CLOSE} == {}


def test_positions_go_and_nobody_is_shown_all_of_them(report):
  found = report["collectives"]
  assert found["all_to_all"] == 3
  assert found["all_gather"] == found["reduce_scatter"] == 0


def test_a_row_does_not_depend_on_the_others(report):
  assert np.isfinite(report["row"]).all()
  assert report["row"] == report["row wanted"]


def test_without_a_mesh_it_is_the_dispatch_itself():
  x, weights = drawn()
  routing = routed("even")
  np.testing.assert_array_equal(
    jax.jit(exchange.across, static_argnums=0)(
      dispatch.grouped, x, routing, weights
    ),
    jax.jit(dispatch.grouped)(x, routing, weights),
  )


if __name__ == "__main__":
  main()
