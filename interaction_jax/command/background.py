"""The slower model that sessions delegate to, as the command line names it."""

from typing import Any, Final

from interaction_jax.command.form import Flag

FLAGS: Final = (
  Flag("documents", None, "a folder that the background model may search"),
  Flag("browse", (), "a host whose pages it may read: example.org"),
  Flag("background", None, "an OpenAI-compatible address in place of it"),
  Flag("background-model", None, "the model at that address"),
  Flag("mcp", (), "a server of tools for that model: a command or address"),
)


def choose(
  *,
  documents: str | None,
  browse: list[str],
  background: str | None,
  background_model: str | None,
  mcp: list[str],
) -> Any:
  """What these flags ask for.

  Raises:
    ValueError: it makes no sense.
  """
  from interaction_jax.serve.background import choice

  return choice.choose(
    documents=documents,
    browse=browse,
    url=background,
    model=background_model,
    mcp=mcp,
  )
