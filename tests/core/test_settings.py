import dataclasses
import json
from typing import Literal

import pytest

from interaction_jax.core import settings


@dataclasses.dataclass(frozen=True)
class Leaf:
  width: int = 4
  rate: float = 0.5


@dataclasses.dataclass(frozen=True)
class Other:
  depth: int


@dataclasses.dataclass(frozen=True)
class Root:
  name: str
  leaf: Leaf = Leaf()
  maybe: Leaf | None = None
  either: Leaf | Other = Leaf()
  layers: tuple[int, ...] = (1, 2)
  pair: tuple[int, str] = (3, "x")
  kind: Literal["a", "b"] = "a"
  floor: int | None = None
  flag: bool = False
  names: dict[str, int] = dataclasses.field(default_factory=dict)

  def __post_init__(self):
    if self.leaf.width < len(self.layers):
      raise ValueError(f"leaf.width={self.leaf.width} is too small.")


ROOT = Root(
  name="r", maybe=Leaf(5), either=Other(7), floor=9, names={"z": 1, "y": 2}
)


@pytest.mark.parametrize("config", [Root(name="d"), ROOT], ids=["bare", "full"])
def test_settings_survive_json(config):
  text = json.dumps(settings.to_dict(config))
  assert settings.from_dict(Root, json.loads(text)) == config


def test_to_dict_is_plain():
  plain = settings.to_dict(ROOT)
  assert plain["layers"] == [1, 2]
  assert plain["either"] == {"depth": 7}
  assert list(plain)[:2] == ["name", "leaf"]


def test_to_dict_refuses_what_json_cannot_hold():
  with pytest.raises(TypeError, match=r"leaf.rate=\{1\} has type set"):
    settings.to_dict(Root(name="r", leaf=Leaf(rate={1})))
  with pytest.raises(TypeError, match="3 is not a dataclass"):
    settings.to_dict(3)


@pytest.mark.parametrize(
  ("plain", "message"),
  [
    ({}, "name is missing"),
    ({"nmae": "r"}, r"nmae is not a setting \(did you mean name or"),
    ({"leaf": {"widht": 1}}, r"leaf.widht is not .*mean width.*Leaf has width"),
    ({"leaf": 3}, "leaf=3 has type int; Leaf"),
    ({"leaf": {"width": 2.5}}, "leaf.width=2.5 has type float; int"),
    ({"leaf": {"width": True}}, "leaf.width=True has type bool; int"),
    ({"leaf": {"rate": "x"}}, "leaf.rate='x' has type str; float"),
    ({"name": 3}, "name=3 has type int; str"),
    ({"layers": [1, "2"]}, r"layers\[1\]='2' has type str; int"),
    ({"layers": 1}, r"layers=1 has type int; tuple\[int, \.\.\.\]"),
    ({"pair": [1]}, r"pair=\[1\] has type list"),
    ({"kind": "c"}, r"kind='c' has type str; Literal\['a', 'b'\]"),
    ({"floor": "1"}, "floor='1' has type str; int"),
    ({"either": {"size": 1}}, r"either=\{'size': 1\} has type dict"),
    ({"names": {"z": "1"}}, "names.z='1' has type str; int"),
    ({"flag": 1}, "flag=1 has type int; bool"),
    ({"leaf": {"width": 1}}, "leaf.width=1 is too small"),
  ],
  ids=lambda value: (
    "-".join(value) or "none" if isinstance(value, dict) else ""
  ),
)
def test_from_dict_names_the_mistake(plain, message):
  if message != "name is missing" and "nmae" not in plain:
    plain = {"name": "r", **plain}
  with pytest.raises(ValueError, match=message):
    settings.from_dict(Root, plain)


def test_a_whole_number_does_for_a_float():
  config = settings.from_dict(Leaf, {"rate": 2})
  assert type(config.rate) is float


@pytest.mark.parametrize(
  ("assignment", "changed"),
  [
    ("name=12", {"name": "12"}),
    ("name=a=b", {"name": "a=b"}),
    ("leaf.width=64", {"leaf": Leaf(width=64)}),
    ("leaf.rate=1e-3", {"leaf": Leaf(rate=1e-3)}),
    ("leaf.rate=3", {"leaf": Leaf(rate=3.0)}),
    ("maybe.width=8", {"maybe": Leaf(8)}),
    ("maybe=null", {"maybe": None}),
    ("floor=None", {"floor": None}),
    ("layers=[3, 7]", {"layers": (3, 7)}),
    ("layers=3,7", {"layers": (3, 7)}),
    ("pair=(1, 'y')", {"pair": (1, "y")}),
    ("kind=b", {"kind": "b"}),
    ("flag=true", {"flag": True}),
    ("flag=True", {"flag": True}),
    ('leaf={"width": 6}', {"leaf": Leaf(6)}),
  ],
)
def test_override_replaces_one_value(assignment, changed):
  expected = dataclasses.replace(ROOT, **changed)
  assert settings.override(ROOT, [assignment]) == expected


def test_override_checks_once_all_is_set():
  # Width 1 alone would be refused, and so would it with the layers as set.
  config = settings.override(ROOT, ["leaf.width=1", "layers=[3]"])
  assert (config.leaf.width, config.layers) == (1, (3,))
  with pytest.raises(ValueError, match=r"leaf.width=1 is too small"):
    settings.override(ROOT, ["leaf.width=1"])


@pytest.mark.parametrize(
  ("assignment", "message"),
  [
    ("leaf.width", "has no '='"),
    ("leaf.widht=1", "did you mean leaf.width"),
    ("width=1", "no setting 'width' .*leaf.width"),
    ("zzzz=1", "no setting 'zzzz'"),
    ("leaf.width.more=1", "no setting 'leaf.width.more'"),
    ("leaf.width=2.5", "leaf.width=2.5 has type float; int"),
    ("leaf.width=many", "leaf.width='many' has type str; int"),
    ("kind=c", "kind='c' has type str"),
  ],
)
def test_override_names_the_mistake(assignment, message):
  with pytest.raises(ValueError, match=message):
    settings.override(ROOT, [assignment])


def test_override_below_what_is_not_there_is_refused():
  with pytest.raises(ValueError, match=r"no setting 'maybe\.width'"):
    settings.override(Root(name="r"), ["maybe.width=1"])


def test_paths_lists_every_value():
  found = settings.paths(ROOT)
  assert {"name", "leaf.width", "maybe.rate", "either.depth"} <= set(found)
  assert "leaf" not in found


def test_find_takes_a_file_or_a_shipped_name(tmp_path):
  path = tmp_path / "mine.py"
  path.write_text("")
  assert settings.find(path) == path
  assert settings.find("tiny").name == "tiny.py"
  assert set(settings.shipped()) >= {"tiny", "nano", "interaction_276b"}
  # A file beside them that describes no experiment.
  assert "meshes" not in settings.shipped()


def test_find_lists_near_and_shipped_names():
  with pytest.raises(
    FileNotFoundError, match=r"mean tiny\?.*shipped are .*nano"
  ):
    settings.find("tinny")


HEAD = "import dataclasses\n@dataclasses.dataclass\nclass C:\n  a: int = 1\n"


def test_load_runs_the_file(tmp_path):
  path = tmp_path / "mine.py"
  path.write_text(HEAD + "def experiment():\n  return C(a=2)\n")
  assert settings.to_dict(settings.load(path)) == {"a": 2}


@pytest.mark.parametrize(
  ("text", "message"),
  [
    ("def experiment(:", "SyntaxError"),
    (
      "import nothing_of_this_name",
      "ModuleNotFoundError.*nothing_of_this_name",
    ),
    ("x = 1", "has no function `experiment`"),
    ("experiment = 3", "returned None"),
    ("def experiment():\n  return 3", "returned 3"),
    ("def experiment():\n  raise ValueError('width=0')", "ValueError: width=0"),
    ("def experiment():\n  return 1 / 0", "ZeroDivisionError"),
  ],
  ids=["syntax", "import", "none", "value", "number", "refused", "division"],
)
def test_a_bad_file_is_one_value_error(text, message, tmp_path):
  path = tmp_path / "bad.py"
  path.write_text(text)
  with pytest.raises(ValueError, match=rf"config {path}.*{message}"):
    settings.load(path)


def test_a_mesh_has_a_name_or_is_a_line():
  assert settings.mesh_line("fake_8") == "data=2,expert=4"
  assert settings.mesh_line("expert=3") == "expert=3"
  with pytest.raises(ValueError, match=r"mesh 'v5e_61' is not known.*v5e_16"):
    settings.mesh_line("v5e_61")


def test_what_is_quantised_is_a_line_or_what_it_says():
  assert settings.quantised("experts=int8") == {"experts": "int8"}
  assert settings.quantised(" experts = fp8 ") == {"experts": "fp8"}
  assert settings.quantised({"experts": "fp8"}) == {"experts": "fp8"}
  assert settings.quantised(None) == settings.quantised({}) == {}


@pytest.mark.parametrize(
  ("given", "message"),
  [
    ("experts=int4", "--quantise='experts=int4': 'int4' is not known"),
    (
      "experts=int",
      r"'int' is not known \(did you mean int8\?\); experts=int8",
    ),
    ("expert=int8", r"'expert' is not a part that can be \(did you mean exper"),
    ("int8", "--quantise='int8' is not PART=KIND; experts=int8 or experts=fp8"),
    ("", "--quantise='' is not PART=KIND"),
    ("experts=int8,experts=fp8", "names a part twice"),
    ({"experts": "fp4"}, r"quantise=\{'experts': 'fp4'\}: 'fp4' is not known"),
  ],
  ids=["kind", "near-kind", "part", "bare", "empty", "twice", "python"],
)
def test_what_cannot_be_quantised_is_named(given, message):
  with pytest.raises(ValueError, match=message):
    settings.quantised(given)
