import itertools
import json
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from interaction_jax.data import records
from interaction_jax.data.form import Form
from interaction_jax.data.loader import Loader
from interaction_jax.data.record import Record
from interaction_jax.data.source import Source
from interaction_jax.data.synthetic import world
from interaction_jax.turns.schema import Episode

FORM = Form(num_turns=6, positions=35, max_start=9)


@pytest.fixture
def folder(tmp_path):
  """Nine records; what is heard in each says which it is."""
  made = [
    Record(
      heard=np.full(19 * 3200, level / 64, np.float32),
      voice=np.zeros(19 * 3200, np.float32),
      labels=({"level": level},),
    )
    for level in range(1, 10)
  ]
  return records.write(tmp_path / "talks", made, made={}).path


def _loader(folder, **change):
  return Loader(
    (Source(str(folder)),),
    **{
      "vocabulary": world.vocabulary(),
      "form": FORM,
      "seed": 5,
      "batch_size": 4,
      **change,
    },
  )


def _taken(loader, num):
  """What identifies each row of the next batches."""
  return [
    (batch.arrays["heard"][:, 0, 0] * 64).astype(int).tolist()
    + batch.arrays["start"].tolist()
    for batch in itertools.islice(loader, num)
  ]


def _heard(loader, num):
  return [
    (batch.arrays["heard"][:, 0, 0] * 64).astype(int).tolist()
    for batch in itertools.islice(loader, num)
  ]


def test_batches_are_episodes(folder):
  with _loader(folder) as loader:
    batch = next(loader)
  assert isinstance(batch.episode(), Episode)
  assert batch.arrays["heard"].shape == (4, 6, 3200)
  assert len(batch.labels) == 4


def test_a_loader_goes_on_where_it_stood(folder):
  with _loader(folder) as loader:
    _taken(loader, 3)
    state = json.loads(json.dumps(loader.state()))
    wanted = _taken(loader, 4)
  assert state["rows"] == 12
  with _loader(folder, state=state) as loader:
    assert _taken(loader, 4) == wanted
    assert loader.state()["rows"] == 28


def test_it_goes_on_with_batches_of_another_size(folder):
  with _loader(folder) as loader:
    _taken(loader, 3)
    state = loader.state()
    wanted = [row for batch in _heard(loader, 3) for row in batch]
  with _loader(folder, state=state, batch_size=6) as loader:
    found = [row for batch in _heard(loader, 2) for row in batch]
  assert found == wanted


def test_processes_of_a_run_make_their_own_rows(folder):
  with _loader(folder) as loader:
    whole = _heard(loader, 3)
  parts = []
  for only in ((0, 1), (2, 3)):
    with _loader(folder, only=only) as loader:
      parts.append(_heard(loader, 3))
      assert loader.state()["rows"] == 12
  assert [a + b for a, b in zip(*parts, strict=True)] == whole


@pytest.mark.parametrize(
  ("change", "named"),
  [({"seed": 6}, "seed"), ({"split": "held_out"}, "split")],
  ids=["seed", "split"],
)
def test_a_state_of_other_data_is_refused(folder, change, named):
  with _loader(folder) as loader:
    state = loader.state()
  with pytest.raises(ValueError, match=rf"other data \(different: {named}\)"):
    _loader(folder, state=state, **change)
  wrong = {**state, "sources": [["f00", 1.0]]}
  with pytest.raises(ValueError, match="different: sources"):
    _loader(folder, state=wrong)


def test_a_damaged_record_is_named(folder):
  file = folder / "00000.arrayrecord"
  content = bytearray(file.read_bytes())
  places = [i for i in range(len(content)) if content[i : i + 4] == b"fLaC"]
  for place in places:
    content[place + 60] ^= 1
  file.write_bytes(content)
  with _loader(folder) as loader, pytest.raises(ValueError, match="talks"):
    _taken(loader, 9)


def test_workers_make_the_same_batches_and_end_with_their_parent(
  folder, tmp_path
):
  with _loader(folder) as loader:
    wanted = _taken(loader, 7)
    later = _taken(loader, 1)
  script = tmp_path / "script.py"
  script.write_text(
    textwrap.dedent(f"""\
    import json, multiprocessing, os, signal, sys
    sys.path.insert(0, {str(Path(__file__).parent)!r})
    import test_loader as here

    if __name__ == "__main__":
      loader = here._loader({str(folder)!r}, num_workers=2)
      taken = here._taken(loader, 7)
      state = loader.state()
      loader.close()
      loader = here._loader({str(folder)!r}, num_workers=1, state=state)
      later = here._taken(loader, 1)
      workers = [one.pid for one in multiprocessing.active_children()]
      print(json.dumps([taken, later, workers]), flush=True)
      os.kill(os.getpid(), signal.SIGKILL)
    """)
  )
  done = subprocess.run(
    [sys.executable, str(script)], capture_output=True, text=True, timeout=1800
  )
  assert done.stdout, done.stderr
  taken, more, workers = json.loads(done.stdout)
  assert taken == wanted and more == later
  assert workers and all(_ends(pid) for pid in workers)


def _ends(pid):
  """Whether a process ends within some minutes."""
  for _ in range(3000):
    status = Path(f"/proc/{pid}/stat")
    if not status.exists() or status.read_text().split()[2] == "Z":
      return True
    time.sleep(0.1)
  return False
