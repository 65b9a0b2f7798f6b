"""What the site shows and no page holds, so that nothing stands twice.

`{{ help }}`       the help of every sub-command
`{{ notebooks }}`  the table of colabs/README.md, with links
`{{ measured }}`   every file of benchmarks/, row by row
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
MEASURED = ROOT / "benchmarks"

COLUMNS = {
  "what": "what",
  "dtype": "type",
  "batch": "batch",
  "context": "context",
  "ours_ms": "ours, ms",
  "p99_ms": "p99, ms",
  "spread": "spread",
  "peer": "peer",
  "peer_ms": "peer, ms",
  "ratio": "ratio",
  "n": "n",
}
"""Of a row that times something."""


def on_page_markdown(markdown: str, *, config: Any, **_: object) -> str:
  """Called by mkdocs with each page."""
  parts: dict[str, Callable[[], str]] = {
    "{{ help }}": _help,
    "{{ notebooks }}": lambda: _notebooks(config["repo_url"]),
    "{{ measured }}": _measured,
  }
  for mark, make in parts.items():
    if mark in markdown:
      markdown = markdown.replace(mark, make())
  return markdown


def _help() -> str:
  from interaction_jax.command import form
  from interaction_jax.command.table import COMMANDS

  parts = []
  for name, command in COMMANDS.items():
    text = re.sub(r"^usage: ", "", form.describe(command))
    parts.append(f"## {name}\n\n```text\n{text}\n```\n")
  return "\n".join(parts)


def _notebooks(home: str) -> str:
  """The page of the notebooks, their names as links."""
  text = (ROOT / "colabs" / "README.md").read_text()
  colab = home.replace(
    "https://github.com", "https://colab.research.google.com/github"
  )

  def linked(found: re.Match[str]) -> str:
    place = f"blob/main/colabs/{found[1]}.ipynb"
    return f"| [{found[1]}]({home}/{place}) ([Colab]({colab}/{place})) |"

  text = re.sub(r"^\| `(\d_\w+)` \|", linked, text, flags=re.M)
  return text.partition("\n")[2]


def commands() -> dict[str, str]:
  """By the files of benchmarks/, the commands that made them."""
  text = (MEASURED / "README.md").read_text()
  return dict(re.findall(r"^\| `([\w/]+\.json)` \| `([^`]+)` \|", text, re.M))


def _measured() -> str:
  made_by = commands()
  names = sorted(
    str(path.relative_to(MEASURED)) for path in MEASURED.rglob("*.json")
  )
  return "\n\n".join(_file(name, made_by.get(name)) for name in names)


def _file(name: str, command: str | None) -> str:
  found = json.loads((MEASURED / name).read_text())
  machine = found.get("machine", found)
  about = [f"{machine['date'][:16].replace('T', ' ')} UTC"]
  if "processor" in machine:
    about.append(f"{machine['cores']} cores of {machine['processor']}")
    about.append(f"jax {machine['jax']}")
  # What a compiler tells does not depend on how busy it was.
  if "load" in machine:
    about.append(f"load {machine['load']} when it began")
  parts = [f"### {name}", f"{', '.join(about)}."]
  if command is not None:
    parts.insert(1, f"`{command}`")
  rows = found.get("rows", [])
  if rows and isinstance(rows[0], dict):
    names = [one for one in COLUMNS if any(row.get(one) for row in rows)]
    if "ours_ms" not in names:
      names = [one for one in rows[0] if _is_short(rows[0][one])]
    heads = [COLUMNS.get(one, one.replace("_", " ")) for one in names]
    parts.append(
      _table(heads, ([_cell(r.get(n)) for n in names] for r in rows))
    )
  rest = {
    key: value
    for key, value in found.items()
    if key not in ("machine", "rows", "date", "load") and _is_short(value)
  }
  if rest:
    parts.append(_table(["", ""], _pairs(rest)))
  return "\n\n".join(parts)


def _pairs(found: Mapping[str, Any]) -> Iterator[list[str]]:
  for name, value in found.items():
    yield [name.replace("_", " "), _cell(value)]


def _is_short(value: Any) -> bool:
  return value is None or isinstance(value, str | int | float)


def _cell(value: Any) -> str:
  if value is None:
    return ""
  if isinstance(value, bool):
    return "yes" if value else "no"
  return f"{value:.4g}" if isinstance(value, float) else f"{value}"


def _table(heads: list[str], rows: Iterable[list[str]]) -> str:
  lines = [heads, ["---"] * len(heads), *rows]
  return "\n".join(f"| {' | '.join(line)} |" for line in lines)
