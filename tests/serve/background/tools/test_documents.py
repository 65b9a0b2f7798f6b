import asyncio
import os

import pytest

from interaction_jax.serve.background.job import Context
from interaction_jax.serve.background.tools import documents
from interaction_jax.serve.background.tools.documents import (
  Documents,
  Library,
  LibraryConfig,
  Reader,
)


@pytest.fixture
def folder(tmp_path):
  """A folder of documents, and one beside it that is nobody's business."""
  docs = tmp_path / "docs"
  (docs / "plans").mkdir(parents=True)
  (docs / "codes.txt").write_text("people\n\nanna: red box\ntom: blue key\n")
  (docs / "plans" / "garden.md").write_text(
    "# Garden\n\nThe pears are ripe in september.\n"
  )
  (tmp_path / "secret").mkdir()
  (tmp_path / "secret" / "keys.txt").write_text("the password is swordfish")
  return docs


def ask(tool, **arguments):
  async def main():
    return [one async for one in tool.call(Context("a"), **arguments)]

  (found,) = asyncio.run(main())
  return found


def search(folder, query, cfg=LibraryConfig(), **more):  # noqa: B008
  return ask(Documents(Library(folder, cfg=cfg)), query=query, **more)


@pytest.mark.parametrize(
  ("task", "found"),
  [
    ("find the code of anna",
     "anna: red box tom: blue key (codes.txt, line 3)"),
    ("when are pears ripe",
     "The pears are ripe in september. (plans/garden.md, line 3)"),
    ("what is tom's code",
     "anna: red box tom: blue key (codes.txt, line 4)"),
  ],
)  # fmt: skip
def test_what_is_found_is_cited(folder, task, found):
  tool = Documents(Library(folder))
  arguments = tool.match(task)
  assert arguments is not None
  assert ask(tool, **arguments).text == found


def test_several_passages_are_shown(folder):
  (folder / "more.txt").write_text("the red box is old\n\nthe box of tom")
  found = search(folder, "red box", most=2)
  assert found.text.split("\n") == [
    "the red box is old (more.txt, line 1)",
    "anna: red box tom: blue key (codes.txt, line 3)",
  ]
  assert [(one["file"], one["line"]) for one in found.shown["documents"]] == [
    ("more.txt", 1),
    ("codes.txt", 3),
    ("more.txt", 3),
  ]


def test_a_long_passage_is_read_from_its_best_line_on(folder):
  lines = [f"line {number} of many words" for number in range(12)]
  lines[7] = "here stands the zebra"
  lines[8] = "and " * 80
  (folder / "long.txt").write_text("\n".join(lines))
  text = search(folder, "zebra").text
  assert text.startswith("here stands the zebra and and")
  assert text.endswith(" ... (long.txt, line 8)") and len(text) < 340


@pytest.mark.parametrize("query", ["swordfish", "the password"])
@pytest.mark.parametrize("way", ["file", "folder", "chain", "late"])
def test_links_do_not_lead_out(folder, query, way, tmp_path):
  secret = tmp_path / "secret"
  if way == "file":
    (folder / "link.txt").symlink_to(secret / "keys.txt")
  elif way == "folder":
    (folder / "link").symlink_to(secret, target_is_directory=True)
  elif way == "chain":
    (folder / "one").symlink_to(folder / "two")
    (folder / "two").symlink_to(secret)
    (folder / "loop").symlink_to(folder)
  library = Library(folder)
  if way == "late":
    library.find("anything", most=1)
    (folder / "codes.txt").unlink()
    (folder / "codes.txt").symlink_to(secret / "keys.txt")
  with pytest.raises(ValueError, match=r"nothing is found in \d documents"):
    ask(Documents(library), query=query)


@pytest.mark.parametrize(
  "name", ["../secret/keys.txt", "/etc/passwd", "plans", "link.txt", ""]
)
def test_only_what_was_found_can_be_read(folder, name, tmp_path):
  (folder / "link.txt").symlink_to(tmp_path / "secret" / "keys.txt")
  with pytest.raises(ValueError, match="there is no document"):
    ask(Reader(Library(folder)), file=name)


def test_a_folder_may_be_reached_by_a_link(folder, tmp_path):
  (tmp_path / "here").symlink_to(folder)
  assert "september" in search(tmp_path / "here", "pears").text


def test_what_is_hidden_stays_hidden(folder):
  (folder / ".git").mkdir()
  (folder / ".git" / "config.txt").write_text("zebra")
  (folder / ".env").write_text("zebra")
  with pytest.raises(ValueError, match=r"in 2 documents$"):
    search(folder, "zebra")


def test_what_is_no_file_is_left_alone(folder):
  os.mkfifo(folder / "pipe.txt")
  with pytest.raises(ValueError, match=r"in 2 documents$"):
    search(folder, "zebra")


@pytest.mark.parametrize(
  ("content", "text"),
  [
    (b"caf\xc3\xa9", "café"),
    (b"caf\xe9", "café"),
    (b"\xef\xbb\xbfcaf\xc3\xa9", "café"),
    ("café".encode("utf-16"), "café"),
    ("café".encode("utf-16-be"), None),
    (b"\x7fELF\0\0", None),
    (b"a\r\nb\rc", "a\nb\nc"),
    (b"", ""),
  ],
)
def test_bytes_as_text(content, text):
  assert documents.decode(content) == text


def test_what_is_read_in_part_may_end_within_a_character():
  assert documents.decode(b"caf\xc3", whole=False) == "caf"
  assert (
    documents.decode(b"caf\xc3", whole=True)
    == "caf\N{LATIN CAPITAL LETTER A WITH TILDE}"
  )


def test_what_is_not_searched_is_told(folder):
  (folder / "picture.png").write_bytes(b"\x89PNG\0\0")
  (folder / "big.txt").write_text("first words " + "x" * 4000 + " zebra")
  cfg = LibraryConfig(file_bytes=1000)
  with pytest.raises(ValueError, match=r"\(1 read in part, 1 no text\)"):
    search(folder, "zebra", cfg)
  assert "first words" in search(folder, "first words", cfg).text


def test_there_is_an_end_to_what_is_read(folder):
  (folder / "zoo").mkdir()
  for number in range(5):
    (folder / "zoo" / f"{number}.txt").write_text(f"zebra {number}")
  with pytest.raises(ValueError, match=r"2 documents \(5 too many\)"):
    search(folder, "zebra", LibraryConfig(files=2))
  with pytest.raises(ValueError, match="too many"):
    search(folder, "zebra", LibraryConfig(bytes=20))


def test_what_cannot_be_read_is_left_out(folder, monkeypatch):
  library = Library(folder)
  # Whoever runs tests may be allowed to read everything.
  opened = os.open

  def refuse(path, *given, **more):
    if path == "codes.txt":
      raise PermissionError("not yours")
    return opened(path, *given, **more)

  monkeypatch.setattr(os, "open", refuse)
  assert library.find("anna", most=1) == []
  assert library.left_out == {"no text": 1}


def test_documents_come_change_and_go(folder):
  library = Library(folder)
  tool = Documents(library)
  assert "red box" in ask(tool, query="anna").text
  (folder / "codes.txt").write_text("anna: a white horse")
  assert "white horse" in ask(tool, query="anna").text
  (folder / "new.txt").write_text("zoe: green lamp")
  assert "green lamp" in ask(tool, query="zoe").text
  (folder / "codes.txt").unlink()
  with pytest.raises(ValueError, match="in 2 documents"):
    ask(tool, query="anna")


def test_a_passage_must_have_half_of_what_is_asked_for(folder):
  with pytest.raises(ValueError, match="nothing is found"):
    search(folder, "anna zebra lion tiger")
  assert "red box" in search(folder, "anna zebra").text


def test_a_document_is_read_on(folder):
  found = ask(Reader(Library(folder)), file="codes.txt", line=3, num=1)
  assert found.text == "anna: red box\n(codes.txt, lines 3 to 3)"


@pytest.mark.parametrize(
  ("given", "problem"),
  [
    ({"file": "codes.txt", "line": 99}, "has 5 lines, and no line 99"),
    ({"file": "codes.txt", "line": 0}, "no line 0"),
    ({"file": "codes.txt", "num": 0}, "num=0 lines must lie in 1 to 200"),
  ],
)
def test_lines_that_are_not_there_are_refused(folder, given, problem):
  with pytest.raises(ValueError, match=problem):
    ask(Reader(Library(folder)), **given)


@pytest.mark.parametrize("most", [0, 11])
def test_how_many_has_bounds(folder, most):
  with pytest.raises(ValueError, match=f"most={most} passages must lie in"):
    search(folder, "anna", most=most)


@pytest.mark.parametrize("name", ["nothing", "codes.txt"])
def test_what_is_no_folder_is_refused(folder, name):
  with pytest.raises(NotADirectoryError, match=f"{name}' is no folder"):
    Library(folder / name)


def test_nobody_asks_for_nothing(folder):
  library = Library(folder)
  assert Documents(library).match(" ?! ") is None
  assert Reader(library).match("read codes.txt") is None
