import asyncio
import importlib.util
import sys

import pytest

from interaction_jax.serve.background import choice
from interaction_jax.serve.background.agent import Agent
from interaction_jax.serve.background.chat import Chat
from interaction_jax.serve.background.job import BackgroundModel, Context

URL = "http://127.0.0.1:9/v1"
OFFLINE = ["timer", "clock", "chart", "units", "calculator"]


def names(model):
  return list(model.tools if isinstance(model, Agent) else model._tools)


def ask(model, task):
  async def main():
    return [one async for one in model.run(Context(task))]

  return asyncio.run(main())


@pytest.mark.parametrize("url", [None, URL])
def test_each_flag_brings_its_tools(tmp_path, url):
  model = "m" if url else None

  def made(**given):
    return names(choice.choose(url=url, model=model, **given))

  assert made() == OFFLINE
  assert sorted(made(browse=["example.org"])) == sorted([*OFFLINE, "browse"])
  assert made(documents=tmp_path) == [*OFFLINE, "read_document", "documents"]


def test_what_is_asked_for_is_made():
  made = choice.choose(url=URL, model="m", mcp=[f"{sys.executable} x.py"])
  assert isinstance(made, Chat) and isinstance(made, BackgroundModel)
  assert [one.where for one in made._remotes] == [f"{sys.executable} x.py"]
  assert isinstance(choice.choose(), Agent)


@pytest.mark.parametrize(
  ("task", "tool"),
  [
    ("set a timer for two minutes", "timer"),
    ("what time is it", "clock"),
    ("show a chart with red two blue five", "chart"),
    ("three miles in km", "units"),
    ("what is seventeen times twenty three", "calculator"),
    ("read example.org", "browse"),
    ("read 10.1.2.3/4", "browse"),
    ("code of anna", "documents"),
    ("when does anna set the table", "documents"),
    ("how many seconds are in two minutes", "units"),
  ],
)
def test_a_task_goes_to_whom_it_is_for(tmp_path, task, tool):
  made = choice.choose(documents=tmp_path, browse=["example.org", "10.1.2.3"])
  assert made._choose(task)[0].name == tool


def test_all_of_it_works_offline(tmp_path):
  (tmp_path / "codes.txt").write_text("anna: red box")
  made = choice.choose(documents=tmp_path)
  (found,) = ask(made, "code of anna")
  assert found.text == "anna: red box (codes.txt, line 1)"
  with pytest.raises(ValueError, match="nothing is found in 1 documents"):
    ask(made, "weather in paris")
  with pytest.raises(ValueError, match=r"^no tool understands it$"):
    ask(choice.choose(), "weather in paris")


@pytest.mark.parametrize(
  ("given", "problem"),
  [
    ({"mcp": ["python x.py"]}, r"--mcp=python x\.py is of use with --backgr"),
    ({"model": "m"}, "--background-model=m is of use with --background URL"),
    ({"url": URL}, "needs background-model, the name of a model"),
    ({"url": "127.0.0.1", "model": "m"}, "is no address of an OpenAI-comp"),
    ({"browse": ["https://a.b"]}, "browse='https://a.b' is no host"),
    ({"url": URL, "model": "m", "mcp": [""]}, "mcp='' is neither a command"),
  ],
)
def test_what_makes_no_sense_is_refused(given, problem):
  with pytest.raises(ValueError, match=problem):
    choice.choose(**given)


def test_what_is_not_there_is_told(tmp_path):
  with pytest.raises(NotADirectoryError, match="nothing' is no folder"):
    choice.choose(documents=tmp_path / "nothing")
  with pytest.raises(FileNotFoundError, match="no command 'nothing'"):
    choice.choose(url=URL, model="m", mcp=["nothing --x"])


@pytest.mark.parametrize(
  ("package", "given"),
  [
    ("openai", {"url": URL, "model": "m"}),
    ("mcp", {"url": URL, "model": "m", "mcp": [URL]}),
    ("httpcore2", {"browse": ["example.org"]}),
  ],
)
def test_what_is_not_installed_is_told(monkeypatch, package, given):
  find = importlib.util.find_spec
  monkeypatch.setattr(
    importlib.util,
    "find_spec",
    lambda name: None if name == package else find(name),
  )
  with pytest.raises(ValueError, match=rf"needs {package}, .*jax\[serve\]"):
    choice.choose(**given)
