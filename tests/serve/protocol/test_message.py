import json

import pytest

from interaction_jax.serve.protocol import message
from interaction_jax.serve.protocol.message import Fields, Refusal

FIELDS = Fields(
  {"a": "x", "n": 3, "f": 0.5, "b": True, "o": {"p": [1]}, "l": [{}, {}]}
)


def test_fields_have_their_types():
  assert FIELDS.get("a", str) == "x" and FIELDS.get("n", int) == 3
  assert FIELDS.get("n", float) == 3.0 and FIELDS.get("b", bool) is True
  assert FIELDS.get("none", str, "y") == "y" and FIELDS.maybe("q", int) is None
  assert FIELDS.object("o").at("p") == "o.p" and not FIELDS.object("q").values
  assert [one.path for one in FIELDS.objects("l", most=2)] == ["l[0]", "l[1]"]
  assert FIELDS.choice("a", ("x", "y")) == "x"
  assert Fields({"c": "aGk="}).content("c") == b"hi"


@pytest.mark.parametrize(
  ("read", "message"),
  [
    (lambda f: f.get("a", int), 'a="x" must be a whole number'),
    (lambda f: f.get("b", int), "b=true must be a whole number"),
    (lambda f: f.get("q", str), "q is missing; a text is wanted"),
    (lambda f: f.object("o").get("p", str), r"o.p=\[1\] must be a text"),
    (lambda f: f.choice("a", ("z",)), 'a="x" is not known; there is z'),
    (lambda f: list(f.objects("l", most=1)), "l has 2 entries; 1 are"),
    (lambda f: list(f.object("o").objects("p", most=9)), r"o.p\[0\] must be"),
    (lambda f: f.content("a"), "a is not base64"),
    (lambda f: f.object("q", needed=True), "q is missing; an object"),
  ],
  ids=[
    "type", "bool", "missing", "path", "choice", "many", "entry", "base64",
    "object",
  ],
)  # fmt: skip
def test_what_is_wrong_is_named(read, message):
  with pytest.raises(Refusal, match=message):
    read(FIELDS)


@pytest.mark.parametrize(
  "text",
  [
    "", "nothing", "[]", '"x"', "NaN", '{"a": Infinity}', '{"a": 1',
    "[" * 100_000, b"\xff\xfe", '{"a":' * 5000, "{" + "1" * 9000 + "}",
  ],
  ids=range(11),
)  # fmt: skip
def test_what_is_no_object_is_refused(text):
  with pytest.raises(Refusal, match="not"):
    message.parse(text)


def test_half_a_character_is_refused():
  fields = message.parse(r'{"text": "\ud800", "fine": "\ud83d\ude00"}')
  assert fields.get("fine", str) == "\N{GRINNING FACE}"
  with pytest.raises(Refusal, match="Unicode does not have"):
    fields.get("text", str)


def test_what_is_written_is_plain():
  written = message.write({"a": "\ud800é"})
  assert written.isascii() and json.loads(written) == {"a": "\ud800é"}
