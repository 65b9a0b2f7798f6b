"""`evaluate`: how well a model does."""

import dataclasses
from typing import Any, Final

from interaction_jax.command import bar, form
from interaction_jax.command.form import Command, Flag
from interaction_jax.core import settings


def _evaluate(
  *,
  suite: str | None,
  out: str | None,
  checkpoint: str,
  mesh: str | None,
  quantise: str | None,
  outputs: str | None,
  server: str | None,
  server_model: str | None,
  token_file: str | None,
  pace: str,
  force: bool,
  **values: Any,
) -> None:
  if out is None:
    raise ValueError("evaluate needs --out DIR, the folder of the report.")
  parts = settings.quantised(quantise)
  if parts and (outputs is not None or server is not None):
    raise ValueError(
      f"--quantise={quantise!r} is for the model of a --checkpoint alone."
    )
  from interaction_jax.evals import report, suites
  from interaction_jax.evals.harness import remote, system
  from interaction_jax.serve import models

  chosen = suites.find(suite)
  options = _options(chosen.Options, f"{suite}", values)
  others = {"outputs": outputs, "server": server}
  given = [name for name, value in others.items() if value is not None]
  if given and suite not in suites.FIELD:
    raise ValueError(
      f"--{given[0]}={others[given[0]]!r}: {suite} runs models alone."
    )
  if len(given) > 1:
    raise ValueError("--outputs and --server are two systems; one is tested.")
  if outputs is not None:
    tested = system.Folder(outputs)
  elif server is not None:
    token = None
    if token_file is not None:
      from interaction_jax.serve import access

      token = access.read_tokens(token_file)[0]
    tested = remote.Remote(server, pace=pace, model=server_model, token=token)
  else:
    # A report is replaced only by a model that can be loaded.
    tested = models.load(checkpoint, mesh=mesh, quantise=parts)
  folder = report.prepare(out, force=force, resume=chosen.RESUMES)
  made = chosen.run(tested, folder, options, progress=bar.show)
  print(chosen.table(made))


def _options(kind: Any, suite: str, values: dict[str, Any]) -> Any:
  """The options of a suite, from the flags that it knows.

  Raises:
    ValueError: a flag was given that it does not know, or is no number.
  """
  usual = {flag.name: flag.default for flag in COMMAND.flags}
  names = {"items": "num_items", "row": "rows", "part": "parts"}
  known = {field.name for field in dataclasses.fields(kind)}
  chosen = {}
  for flag, value in values.items():
    field = names.get(flag, flag)
    default = usual[flag.replace("_", "-")]
    if isinstance(default, tuple):
      value = tuple(value)
    if value == default and flag == "items":
      continue
    if field in known:
      chosen[field] = form.whole(flag, f"{value}") if flag == "items" else value
    elif value != default:
      raise ValueError(
        f"--{flag.replace('_', '-')} says nothing to the suite {suite}."
      )
  return kind(**chosen)


COMMAND: Final = Command(
  "evaluate",
  "how well a model does, beside chance, silence and an oracle",
  _evaluate,
  flags=(
    Flag("suite", None, "which one; a wrong name lists all"),
    Flag("out", None, "the folder of the report"),
    Flag("checkpoint", "nano", "a shipped model, or the folder of one"),
    Flag("outputs", None, "a folder of outputs of another system"),
    Flag("server", None, "a system at ws://HOST/v1/live/sessions or alike"),
    Flag("server-model", None, "the model there"),
    Flag("token-file", None, "a file with the token that lets one in"),
    Flag("pace", "real", "of a server; or step, for one of this library"),
    Flag("data", None, "the data; else its synthetic twin is made"),
    Flag("allow-missing", False, "leave out items that are not whole"),
    Flag("items", None, "of each row or part; else all, behaviours: 100"),
    Flag("row", (), "behaviours: only this row"),
    Flag("part", (), "others: only this task"),
    Flag("seed", 0, "of all that is drawn"),
    Flag("seeds", 1, "times the model is run, each with another seed"),
    Flag("recogniser", "pocketsphinx", "or whisper, endpoint, given"),
    Flag("detector", "silero", "of voices; or energy"),
    Flag("judge", "rules", "a stand-in; or an OpenAI-compatible address"),
    Flag("judge-model", None, "the model at that address"),
    Flag("judge-votes", 1, "times that it is asked each question"),
    Flag("against", None, "the folder of another report, to compare with"),
    Flag("bank", None, "behaviours: held-out voices; else they are made"),
    Flag("batch", 16, "conversations at once"),
    Flag("keep", 3, "the worst of each, with sound and picture; -1: all"),
    Flag("other", True, "behaviours: a second synthesiser, or --noother"),
    Flag("mesh", None, "where the model lies: a name, or 'expert=4'"),
    form.QUANTISE,
    Flag("force", False, "replace a report in that folder"),
  ),
  extra="data",
)
