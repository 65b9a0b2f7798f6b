import asyncio

import pytest

from interaction_jax.serve.protocol.shelf import Shelf
from interaction_jax.serve.session import Session


@pytest.mark.parametrize("on_disk", [False, True], ids=["memory", "disk"])
def test_the_newest_are_kept(model, tmp_path, on_disk):
  snapshot = Session(model).snapshot()

  async def keep():
    shelf = Shelf(tmp_path / "kept" if on_disk else None, 2)
    for name in ("one", "two", "three"):
      await shelf.put(name, snapshot)
      # Files are told apart by their times.
      await asyncio.sleep(0.02)
    return [await shelf.get(name) for name in ("one", "two", "three")]

  one, *others = asyncio.run(keep())
  assert one is None
  for other in others:
    assert other.fields["seed"] == 0 and len(other.state) == len(snapshot.state)
