import os
import subprocess
import sys

import pytest

from interaction_jax.core import pages

# Says with which tunables it runs, after it has asked for large pages.
SCRIPT = """
import os, sys
from interaction_jax.core import pages
pages.enlarge()
print(sys.argv[1:], os.environ.get("GLIBC_TUNABLES"), os.getpid())
"""


@pytest.fixture
def machine(monkeypatch, tmp_path):
  """A function that makes this machine one of another kind."""

  def make(setting="always [madvise] never", libc="glibc 2.36"):
    file = tmp_path / "enabled"
    file.write_text(setting + "\n")
    monkeypatch.setattr(pages, "_SETTING", file)
    monkeypatch.setattr(os, "confstr", lambda name: libc)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)

  return make


def test_they_are_wanted_where_one_has_to_ask(machine):
  machine()
  assert pages.wanted()


@pytest.mark.parametrize(
  "kind",
  [
    {"setting": "[always] madvise never"},
    {"setting": "always madvise [never]"},
    {"libc": "glibc 2.31"},
    {"libc": "musl 1.2"},
    {"libc": None},
    {"libc": "strange"},
  ],
)
def test_elsewhere_they_are_not(machine, kind):
  machine(**kind)
  assert not pages.wanted()


def test_who_has_chosen_is_left_alone(machine, monkeypatch):
  machine()
  monkeypatch.setenv("GLIBC_TUNABLES", "")
  assert not pages.wanted()


def test_no_such_setting_is_no_error(machine, monkeypatch, tmp_path):
  machine()
  monkeypatch.setattr(pages, "_SETTING", tmp_path / "missing")
  assert not pages.wanted()


def test_a_process_begins_anew_once_with_the_same_arguments(
  monkeypatch, tmp_path
):
  monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
  script = tmp_path / "script.py"
  script.write_text(SCRIPT)
  with subprocess.Popen(
    [sys.executable, str(script), "a b", "--c=1"],
    env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    stdout=subprocess.PIPE,
    text=True,
  ) as process:
    said, _ = process.communicate()
  assert process.returncode == 0
  told = "glibc.malloc.hugetlb=1" if pages.wanted() else None
  # The same process: whoever waits for it still does.
  assert said.strip() == f"['a b', '--c=1'] {told} {process.pid}"
