"""Large pages of memory.

On a CPU, XLA takes new memory for every step of a run and gives it back at its
end. A step of 118 M weights takes 3.5 GB, which is 900,000 pages of 4 kB that
the system has to find and clear; in pages of 2 MB it is a third of the time or
less. glibc asks for those where its tunables say so, and reads them before a
process begins.
"""

import os
import sys
from pathlib import Path
from typing import Final

_NAME: Final = "GLIBC_TUNABLES"
_TUNABLE: Final = "glibc.malloc.hugetlb=1"
_SINCE: Final = (2, 35)
_SETTING: Final = Path("/sys/kernel/mm/transparent_hugepage/enabled")


def enlarge() -> None:
  """Begins this process anew with large pages, where that is of use.

  Nothing happens where they are always or never there, on systems without
  glibc, or with `GLIBC_TUNABLES` in the environment, whatever it says.
  """
  if wanted():
    os.environ[_NAME] = _TUNABLE
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def wanted() -> bool:
  """Whether there are large pages, but only for who asks."""
  if _NAME in os.environ or sys.platform != "linux":
    return False
  try:
    name, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").split()
    since = tuple(map(int, version.split(".")[:2]))
    setting = _SETTING.read_text()
  except (OSError, ValueError):
    return False
  return name == "glibc" and since >= _SINCE and "[madvise]" in setting
