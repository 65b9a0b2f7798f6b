import pytest
from absl import flags

from interaction_jax.command import form


@pytest.mark.parametrize(
  ("line", "arguments", "values"),
  [
    (["a"], ["a"], {"steps": 3, "dry_run": False, "set": []}),
    (
      ["--steps=5", "a", "--dry-run", "--set", "x=1", "--set=y=2"],
      ["a"],
      {"steps": 5, "dry_run": True, "set": ["x=1", "y=2"]},
    ),
  ],
  ids=["defaults", "all"],
)
def test_flags_reach_a_command_typed(line, arguments, values):
  command = form.Command(
    "probe",
    "",
    lambda: None,
    arguments=("A",),
    flags=(
      form.Flag("steps", 3, ""),
      form.Flag("dry-run", False, ""),
      form.Flag("set", (), ""),
    ),
  )
  assert form.parse(command, line) == (arguments, values)


def test_help_tells_flags_with_their_defaults():
  command = form.Command(
    "probe",
    "tries it",
    lambda: None,
    arguments=("A",),
    flags=(
      form.Flag("steps", 3, "how many"),
      form.Flag("dry", False, "do nothing"),
      form.Flag("set", (), "a setting"),
      form.Flag("out", None, "where"),
    ),
  )
  assert form.describe(command).splitlines() == [
    "usage: interaction-jax probe A [FLAGS]",
    "",
    "tries it",
    "",
    "  --steps=VALUE        how many (default 3)",
    "  --dry                do nothing",
    "  --set=VALUE          a setting (may be given often)",
    "  --out=VALUE          where",
  ]


def test_what_does_not_fit_is_refused():
  command = form.Command(
    "probe", "", lambda: None, ("A",), (form.Flag("steps", 3, ""),)
  )
  with pytest.raises(ValueError, match="probe takes A, not nothing"):
    form.parse(command, [])
  with pytest.raises(ValueError, match="probe takes A, not a b"):
    form.parse(command, ["a", "b"])
  with pytest.raises(flags.Error, match="steps=many"):
    form.parse(command, ["a", "--steps=many"])
  with pytest.raises(flags.Error, match="stops"):
    form.parse(command, ["a", "--stops=1"])


def test_whole_numbers_are_read():
  assert form.whole("items", "-3") == -3
  with pytest.raises(ValueError, match=r"--items=.3\.5. is not a whole number"):
    form.whole("items", "3.5")
