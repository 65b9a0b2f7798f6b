"""Moshi's own client, unmodified, with whatever this machine calls its sound.

python moshi_chat.py HOST:PORT

The package itself imports torch, which its client has no use for; so the
client is run out of the package without what lies beside it.
"""

import importlib.util
import runpy
import sys
import types
from pathlib import Path

if __name__ == "__main__":
  found = importlib.util.find_spec("moshi")
  package = types.ModuleType("moshi")
  package.__path__ = [str(Path(found.origin).parent)]
  sys.modules["moshi"] = package
  host, _, port = sys.argv[1].partition(":")
  sys.argv = ["moshi.client", "--host", host, "--port", port]
  runpy.run_module("moshi.client", run_name="__main__")
