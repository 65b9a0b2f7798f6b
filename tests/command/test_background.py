import pytest

from interaction_jax import __main__ as cli
from interaction_jax.command import background


@pytest.mark.parametrize(
  ("flags", "message"),
  [
    (["--documents=nowhere"], "documents='nowhere' is no folder"),
    (["--browse=https://a.b/c"], "browse='https://a.b/c' is no host"),
    (["--background=there"], "background='there' is no address"),
    (["--background=http://127.0.0.1:9/v1"], "needs background-model"),
    (["--background-model=m"], "is of use with --background URL only"),
    (["--mcp=python x.py"], "--mcp=python x.py is of use with --background"),
    (
      [
        "--background=http://127.0.0.1:9/v1",
        "--background-model=m",
        "--mcp=no-such-command",
      ],
      "there is no command 'no-such-command'",
    ),
  ],
  ids=["documents", "browse", "address", "model", "alone", "mcp", "command"],
)
@pytest.mark.parametrize("command", ["talk", "serve"])
def test_a_background_model_that_makes_no_sense_is_one_line(
  recordings, command, flags, message, tmp_path, capsys
):
  out = tmp_path / "out"
  talk = [str(recordings / "good.wav"), f"--out={out}"]
  line = [command, *(talk if command == "talk" else []), *flags]
  assert cli.main(line) == 2
  shown, err = capsys.readouterr()
  assert shown == "" and err.count("\n") == 1 and message in err
  assert not out.exists()


def test_without_flags_there_is_one_that_works_offline():
  made = background.choose(
    documents=None, browse=[], background=None, background_model=None, mcp=[]
  )
  assert made is not None
