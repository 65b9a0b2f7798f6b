import io
import sys

from interaction_jax.command import bar


class Screen(io.StringIO):
  """Where a person looks."""

  def isatty(self):
    return True


def test_a_person_sees_how_far_it_is(monkeypatch):
  screen = Screen()
  monkeypatch.setattr(sys, "stderr", screen)
  bar.show(1, 4)
  bar.show(4, 4)
  half, whole = screen.getvalue().split("\r")[1:]
  assert half == "#" * 10 + "." * 30 + " 1/4"
  assert whole == "#" * 40 + " 4/4\n"
  bar.clear()
  assert screen.getvalue().endswith("\r\x1b[K")
  bar.note("it takes long")
  assert screen.getvalue().endswith("it takes long\n")


def test_a_file_gets_no_bar(monkeypatch):
  file = io.StringIO()
  monkeypatch.setattr(sys, "stderr", file)
  bar.show(1, 4)
  bar.note("it takes long")
  bar.clear()
  assert file.getvalue() == ""
