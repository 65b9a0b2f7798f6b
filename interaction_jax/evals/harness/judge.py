"""Who says what an answer is worth, where no formula does.

    question     the published prompt, and a rule that answers it too
    judge        "rules": the rule, a stand-in, and labelled as one
                 an endpoint: any model behind an OpenAI-compatible address
    verdict      what was answered, each time it was asked

A judge answers in words, in the form that the prompt asks for; a suite reads
them. Prompts, models and seeds are recorded with every reply, and a question
that was asked before is not asked again.
"""

import collections
import dataclasses
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

STAND_IN: Final = (
  "stand-in: a transparent rule answers in place of the published judge; its "
  "scores are not comparable with published ones"
)


@dataclasses.dataclass(frozen=True)
class Question:
  """What a judge is asked.

  Attributes:
    purpose: which of a suite's questions it is, for the record.
    prompt: in full, as it is sent.
    rule: what the stand-in answers, in the form the prompt asks for.
    read: makes a value of an answer; raises `ValueError` where it cannot.
    system: what stands before the prompt.
    seed: of the first try; each further one adds 1.
  """

  purpose: str
  prompt: str
  rule: Callable[[], str]
  read: Callable[[str], Any]
  system: str = ""
  seed: int = 0


@dataclasses.dataclass(frozen=True)
class Verdict:
  """What became of a question.

  Attributes:
    value: what most answers say, the first of equals; None: nothing readable.
    answers: each answer that could be read, as a value.
    unreadable: answers that could not.
  """

  value: Any
  answers: tuple[Any, ...] = ()
  unreadable: int = 0

  @property
  def agree(self) -> bool:
    """Whether all answers say the same."""
    return len({json.dumps(one, sort_keys=True) for one in self.answers}) <= 1


@runtime_checkable
class Judge(Protocol):
  """Answers questions, and says who it is."""

  def ask(self, question: Question) -> Verdict:
    """Answers a question."""
    ...

  def describe(self) -> dict[str, Any]:
    """Who judged, how often, and how often it did not agree with itself."""
    ...


class Rules:
  """The stand-in: rules, which everybody can read."""

  def __init__(self):
    self._asked: collections.Counter[str] = collections.Counter()

  def ask(self, question: Question) -> Verdict:
    """What the rule of the question says."""
    self._asked[question.purpose] += 1
    value = question.read(question.rule())
    return Verdict(value, (value,))

  def describe(self) -> dict[str, Any]:
    """That it is a stand-in."""
    return {"kind": "rules", "label": STAND_IN, "asked": dict(self._asked)}


Reply = Callable[[str, str, int], str]
"""Answers a prompt, given what stands before it and a seed."""


class Endpoint:
  """A language model, asked once or several times, its replies kept."""

  def __init__(
    self,
    reply: Reply,
    *,
    model: str,
    address: str,
    cache: Path,
    votes: int = 1,
    tries: int = 3,
  ):
    """Begins with the replies that `cache` holds.

    Args:
      address: where the model is; for the record.
      cache: a file of JSON lines.
      votes: times each question is asked, each with another seed.
      tries: times an answer that cannot be read is asked for again.
    """
    self._reply, self._model, self._address = reply, model, address
    self._votes, self._tries, self._cache = votes, tries, cache
    self._known: dict[str, str] = {}
    self._counts: collections.Counter[str] = collections.Counter()
    if cache.is_file():
      for line in cache.read_text("utf-8").splitlines():
        kept = json.loads(line)
        self._known[kept["key"]] = kept["reply"]

  def ask(self, question: Question) -> Verdict:
    """What most of its answers say."""
    self._counts["asked"] += 1
    values, unreadable = [], 0
    for vote in range(self._votes):
      for again in range(self._tries):
        seed = question.seed + vote * self._tries + again
        try:
          values.append(question.read(self._answer(question, seed)))
          break
        except ValueError:
          unreadable += 1
    verdict = Verdict(_most(values), tuple(values), unreadable)
    self._counts["unreadable"] += unreadable
    self._counts["unanswered"] += not values
    self._counts["disagreements"] += not verdict.agree
    rule = question.read(question.rule())
    self._counts["unlike_rule"] += bool(values) and rule != verdict.value
    return verdict

  def describe(self) -> dict[str, Any]:
    """The model, and how it judged.

    `disagreements` are questions whose answers differ among each other,
    `unlike_rule` those where most of them differ from the stand-in.
    """
    return {
      "kind": "endpoint",
      "model": self._model,
      "address": self._address,
      "votes": self._votes,
      **{
        name: self._counts[name]
        for name in (
          "asked", "sent", "unreadable", "unanswered", "disagreements",
          "unlike_rule",
        )
      },
    }  # fmt: skip

  def _answer(self, question: Question, seed: int) -> str:
    asked = {
      "model": self._model,
      "address": self._address,
      "system": question.system,
      "prompt": question.prompt,
      "seed": seed,
    }
    line = json.dumps(asked, sort_keys=True)
    key = hashlib.sha256(line.encode()).hexdigest()
    if key not in self._known:
      self._counts["sent"] += 1
      reply = self._reply(question.system, question.prompt, seed)
      self._known[key] = reply
      kept = {"key": key, "purpose": question.purpose, **asked, "reply": reply}
      self._cache.parent.mkdir(parents=True, exist_ok=True)
      with self._cache.open("a", encoding="utf-8") as file:
        file.write(json.dumps(kept, ensure_ascii=False) + "\n")
    return self._known[key]


def openai(model: str, address: str | None) -> Reply:
  """Asks an OpenAI-compatible endpoint; the key is in `OPENAI_API_KEY`.

  Raises:
    ModuleNotFoundError: the package `openai` is not installed.
  """
  import os

  from openai import OpenAI

  # Endpoints on one's own machine want a key, and do not look at it.
  key = os.environ.get("OPENAI_API_KEY", "none")
  client = OpenAI(base_url=address, api_key=key)

  def reply(system: str, prompt: str, seed: int) -> str:
    messages: list[Any] = [{"role": "user", "content": prompt}]
    if system:
      messages.insert(0, {"role": "system", "content": system})
    made = client.chat.completions.create(
      model=model, messages=messages, seed=seed
    )
    return made.choices[0].message.content or ""

  return reply


def choose(name: str, *, model: str | None, votes: int, cache: Path) -> Judge:
  """The judge of a name: "rules", or the address of an endpoint.

  Raises:
    ValueError: it is neither, or an endpoint without a model.
  """
  if name == "rules":
    return Rules()
  if not name.startswith(("http://", "https://")):
    raise ValueError(
      f"judge={name!r} is neither 'rules' nor the address of an "
      "OpenAI-compatible endpoint, such as 'http://127.0.0.1:8000/v1'."
    )
  if not model:
    raise ValueError(
      f"judge={name!r} needs judge_model, the name of a model that is there."
    )
  reply = openai(model, name)
  return Endpoint(reply, model=model, address=name, cache=cache, votes=votes)


def yes(answer: str) -> bool:
  """Whether an answer begins with yes; it may be asked for as the only word.

  Raises:
    ValueError: it begins with neither yes nor no.
  """
  fits = re.match(r"\W*(yes|no)\b", answer.lower())
  if fits is None:
    raise ValueError(f"{answer!r} is neither yes nor no.")
  return fits[1] == "yes"


def found_json(answer: str) -> Mapping[str, Any]:
  """The first JSON object in an answer, whatever stands around it.

  Raises:
    ValueError: there is none.
  """
  decoder, at = json.JSONDecoder(), answer.find("{")
  while at >= 0:
    try:
      value, _ = decoder.raw_decode(answer, at)
      return value
    except ValueError:
      at = answer.find("{", at + 1)
  raise ValueError(f"there is no JSON object in {answer!r}.")


def _most(values: list[Any]) -> Any:
  texts = [json.dumps(one, sort_keys=True) for one in values]
  if not texts:
    return None
  return values[texts.index(max(texts, key=texts.count))]
