"""README and docs/, as their tests read them: pages, blocks, commands."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
PAGES: Final = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SHOWN: Final = [
  ROOT / "benchmarks" / "README.md",
  ROOT / "colabs" / "README.md",
  ROOT / "interaction_jax" / "assets" / "nano.md",
]
"""They are shown on the site, and stand elsewhere."""

LANGUAGES: Final = {"", "js", "python", "sh", "text"}


def name(page: Path) -> str:
  """How a page is called in messages."""
  return page.relative_to(ROOT).as_posix()


def blocks(page: Path, language: str) -> Iterator[tuple[int, str, str]]:
  """The line at which a block begins, what stands behind its language, code."""
  text = page.read_text()
  for found in re.finditer(r"^ *```(\w*)(.*)\n([\s\S]*?)^ *```$", text, re.M):
    assert found[1] in LANGUAGES, f"{name(page)}: no test reads {found[1]!r}"
    if found[1] == language:
      yield text[: found.start(3)].count("\n"), found[2].strip(), found[3]


def commands(page: Path) -> Iterator[list[str]]:
  """Every command in a block, word by word, without what a shell does."""
  for _, _, block in blocks(page, "sh"):
    # A line goes on behind a backslash, and until its quotes are closed.
    for line in re.findall(r"(?:'[^']*'|\"[^\"]*\"|\\\n|[^\n])+", block):
      for part in line.replace("\\\n", " ").split("&&"):
        words = shlex.split(part, comments=True)
        while words and re.match(r"[A-Z_]+=", words[0]):
          del words[0]
        if words:
          yield [words[0].removeprefix(".venv/bin/"), *words[1:]]
  # Those in the middle of a sentence, if they say more than a name.
  text = re.sub(r"```[\s\S]*?```", "", page.read_text())
  for found in re.findall(r"`(interaction-jax [^`]+)`", text):
    words = shlex.split(found.replace("\\\n", " "))
    if len(words) > 2 or words[1].startswith("-"):
      yield words
