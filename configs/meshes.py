"""Meshes by name: what `--mesh NAME` reads.

Each is a line that `core/sharding.mesh` understands; a line of one's own, such
as `--mesh data=2,expert=4`, does as well. Sizes multiply to the number of
devices JAX sees. A TPU name counts what its maker counts: chips for v5e and
v6e, cores for v5p, of which JAX sees two as one device.
"""

MESHES = {
  # One device, of any kind.
  "cpu": "data=1",
  "gpu": "data=1",
  # XLA_FLAGS=--xla_force_host_platform_device_count=8: for tests.
  "fake_8": "data=2,expert=4",
  "gpu_8": "expert=8",
  # Many short steps: the experts of one model, repeated. A group for experts
  # stays small because every device receives every position of its group.
  "v5e_16": "data=2,expert=8",
  "v5p_32": "data=2,expert=8",
  # The full size with its gradients fits on no single device, so weights are
  # split over fsdp as well.
  "v6e_64": "fsdp=8,expert=8",
}
"""The line of every named mesh."""
