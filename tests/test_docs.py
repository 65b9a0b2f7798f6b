"""The site builds, and what README and docs/ tell one to do can be done."""

import ast
import functools
import json
import os
import re
import subprocess
import sys
import traceback
from pathlib import Path

import pytest

import interaction_jax
from interaction_jax import __main__ as cli
from interaction_jax.command import form
from interaction_jax.command.table import COMMANDS
from interaction_jax.core import settings, sharding
from interaction_jax.evals import suites
from interaction_jax.model import interaction
from tests.pages import PAGES, ROOT, SHOWN, blocks, commands, name

# What such a block wants stands above it, for the reader too.
NEEDS = re.compile(r'title="needs [^"]+"')


@functools.cache
def fits(config, mesh):
  """Raises where a model cannot lie on a mesh."""
  if config not in settings.shipped():
    config = "nano"
  cfg = settings.load(config).model
  grid = sharding.planned(settings.mesh_line(mesh))
  sharding.shardings(interaction.axes(cfg), interaction.shapes(cfg), grid)


def check(words):
  """Raises where the command would refuse its arguments or its settings."""
  line = words[1:]
  if line[0].startswith("--"):
    assert line in (["--help"], ["--version"])
    return
  _, values = form.parse(COMMANDS[line[0]], line[1:])
  if line[0] in ("train", "fit"):
    config = settings.load(values["config"])
    settings.override(config, values["set"])
  if line[0] == "evaluate" and values["suite"] != "NAME":
    assert values["suite"] in suites.names(), values["suite"]
  if values.get("mesh") is not None:
    # What is served or listened to is nano, unless it is somebody's own.
    fits(values.get("config") or "".join(line[1:2]), values["mesh"])


def test_the_site_builds_without_a_warning(root, tmp_path):
  # With --quiet, nothing is a warning and so nothing is strict.
  build = [sys.executable, "-m", "mkdocs", "build", "--strict"]
  quiet = {"NO_MKDOCS_2_WARNING": "1"}
  run = subprocess.run(
    [*build, f"--site-dir={tmp_path}"],
    cwd=root,
    env=os.environ | quiet,
    capture_output=True,
    text=True,
  )
  assert run.returncode == 0, run.stderr
  assert "Documentation built" in run.stderr
  made = {
    name: (tmp_path / name / "index.html").read_text()
    for name in ("reference", "command_line", "nano", "notebooks", "results")
  }
  # What stands elsewhere in the repository has found its way in.
  for public in set(interaction_jax.__all__) - {"__version__"}:
    assert f"interaction_jax.{public}\n" in made["reference"], public
  assert "--topology=VALUE" in made["command_line"]
  assert "rep_counting" in made["nano"]
  assert made["notebooks"].count("colab.research.google.com") == 6
  assert "turn, speaking" in made["results"]
  # No mark was left for somebody else to fill in.
  assert not any("{{" in html for html in made.values())


def test_every_command_is_understood():
  found = [(page, words) for page in PAGES + SHOWN for words in commands(page)]
  ours = [one for one in found if one[1][0] == "interaction-jax"]
  assert len(ours) > 60
  for page, words in ours:
    try:
      check(words)
    except Exception as error:
      raise AssertionError(f"{name(page)}: {words}: {error}") from error


def test_commands_that_only_look_are_run(capsys):
  """Those that do something are walked by `test_walk.py`."""
  lines = {
    tuple(words[1:])
    for page in PAGES + SHOWN
    for words in commands(page)
    if words[:2] == ["interaction-jax", "inspect"]
    and words[2] in settings.shipped()
  }
  assert len(lines) >= 3
  for line in sorted(lines):
    assert cli.main(line) == 0, line
    assert "total" in capsys.readouterr().out


def test_every_script_takes_its_flags():
  lines = {
    tuple(words[1:])
    for page in PAGES + SHOWN
    for words in commands(page)
    if words[0] == "python" and words[1].endswith(".py")
  }
  assert len(lines) >= 5
  for script, *rest in sorted(lines):
    dry = script.startswith("launch/") and "--dry-run" in rest
    if dry:
      given = dict(zip(rest[:-1:2], rest[1::2], strict=True))
      fits(given["--config"], given["--mesh"])
    line = [sys.executable, script, *(rest if dry else ["--help"])]
    # Without a path no cloud is asked anything.
    run = subprocess.run(
      line, cwd=ROOT, env={"PATH": ""}, capture_output=True, text=True
    )
    assert run.returncode == 0, f"{script} {rest}: {run.stderr}"
    for flag in rest:
      if flag.startswith("--") and not dry:
        assert flag.partition("=")[0] in run.stdout, f"{script}: {flag}"


@pytest.mark.parametrize(
  "line, told",
  [
    ("talk a.wav --speed=2", "speed"),
    ("tell a.wav", "tell"),
    ("talk --out here", "INPUT"),
    ("train --set train.num_stepz=1", "num_steps"),
    ("evaluate --suite repcuont", "repcuont"),
    ("inspect nano --mesh expret=4", "expert"),
    ("train --config tiny --mesh expert=4", "E=10"),
  ],
  ids=["flag", "command", "argument", "setting", "suite", "mesh", "fit"],
)
def test_a_wrong_command_would_be_found(line, told):
  with pytest.raises(Exception, match=told):
    check(["interaction-jax", *line.split()])


def test_python_of_the_pages_runs(tmp_path, quick_flags):
  """Page by page, in one process of its own, as a reader would."""
  pages = [page for page in PAGES if list(blocks(page, "python"))]
  line = [sys.executable, "-W", "error", __file__]
  run = subprocess.run(
    [*line, *map(name, pages)],
    cwd=tmp_path,
    env=os.environ
    | {"PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    | {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": quick_flags},
    capture_output=True,
    text=True,
  )
  assert run.returncode == 0, run.stderr
  ran = json.loads((tmp_path / "ran.json").read_text())
  assert list(ran) == list(map(name, pages))
  # What waits for somebody else is compiled, and is not much.
  assert [page for page in ran if not ran[page]] == ["docs/clients.md"]
  assert sum(ran.values()) >= 20


def test_every_file_that_is_named_is_there():
  package = ROOT / "interaction_jax"
  homes = (ROOT, package, package / "serve", package / "evals")
  for page in PAGES + SHOWN:
    text = re.sub(r"```[\s\S]*?```", "", page.read_text())
    for path in re.findall(r"`([\w./-]+/[\w.-]+\.(?:py|md|json|flac))`", text):
      if page.parent.name == "benchmarks" and page.parent.parent.name == "docs":
        continue  # These name the files of the data that they are about.
      homes_here = (*homes, page.parent)
      assert any((home / path).exists() for home in homes_here), (
        f"{name(page)} names {path}, which is not there"
      )


def test_dates_of_results_are_those_of_the_files():
  text = (ROOT / "benchmarks" / "README.md").read_text()
  rows = re.findall(r"^\| `([\w/]+\.json)` \| `.*` \| ([\d-]+) \|", text, re.M)
  kept = ROOT / "benchmarks"
  files = {path.relative_to(kept).as_posix() for path in kept.rglob("*.json")}
  assert {file for file, _ in rows} == files
  for file, date in rows:
    found = json.loads((kept / file).read_text())
    assert found.get("machine", found)["date"].startswith(date), file


def test_parameters_are_counted_right():
  text = (ROOT / "docs" / "index.md").read_text()
  golden = ROOT / "tests" / "golden" / "parameters"
  for config, scale, digits in (("nano", 1e6, 1), ("interaction_276b", 1e9, 0)):
    total = json.loads((golden / f"{config}.json").read_text())["total"]
    assert f"{total / scale:.{digits}f} " in text, config


def test_what_nano_passes_is_told_alike():
  card = (ROOT / "interaction_jax" / "assets" / "nano.md").read_text()
  rows = re.findall(r"^\| \w+ \| \d\.\d\d \|.*\| (yes)? ?\|$", card, re.M)
  told = f"passes {rows.count('yes')} of the {len(rows)} rows"
  for page in ("README.md", "docs/limits.md"):
    text = " ".join((ROOT / page).read_text().split())
    assert told in text, page


def _run(page):
  """Runs the Python of a page from top to bottom; says how many blocks."""
  names, ran = {"__name__": page.stem}, 0
  for first, more, code in blocks(page, "python"):
    # Lines keep their numbers, so that a traceback shows those of the page.
    tree = "\n" * first + code
    if NEEDS.search(more):
      compile(tree, str(page), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    else:
      exec(compile(tree, str(page), "exec"), names)
      ran += 1
  return ran


def _main(pages):
  ran, failed = {}, False
  for page in pages:
    try:
      ran[page] = _run(ROOT / page)
    except Exception:
      traceback.print_exc()
      failed = True
  Path("ran.json").write_text(json.dumps(ran))
  return int(failed)


if __name__ == "__main__":
  sys.exit(_main(sys.argv[1:]))
