"""`serve`: a model for clients."""

from pathlib import Path
from typing import Any, Final

from interaction_jax.command import background, form
from interaction_jax.command.form import Command, Flag
from interaction_jax.core import settings


def _serve(
  *,
  checkpoint: str,
  host: str,
  port: int,
  sessions: int,
  token_file: str | None,
  origin: list[str],
  snapshots: str | None,
  recordings: str | None,
  tls_cert: str | None,
  tls_key: str | None,
  mesh: str | None,
  quantise: str | None,
  **slower: Any,
) -> None:
  parts = settings.quantised(quantise)
  from interaction_jax.serve import access, models, server
  from interaction_jax.serve.engine import Engine
  from interaction_jax.serve.protocol.lobby import Lobby

  def path(given: str | None) -> Path | None:
    return None if given is None else Path(given)

  # What is wrong is told before the model is loaded, which takes seconds.
  place = server.Place(host, port, path(tls_cert), path(tls_key))
  tokens = () if token_file is None else access.read_tokens(token_file)
  rules = access.Access(host, tokens=tokens, origins=origin)
  if sessions < 1:
    raise ValueError(f"--sessions={sessions} must be 1 or more.")
  models.find(checkpoint)
  if mesh is not None:
    settings.mesh_line(mesh)
  lobby = Lobby(
    snapshots=path(snapshots),
    recordings=path(recordings),
    background=background.choose(**slower),
  )

  # Nobody is let in to a model that cannot be loaded.
  model = models.load(
    checkpoint,
    mesh=mesh,
    quantise=parts,
    sessions=sessions,
    cache=models.cache(),
  )

  def make() -> Engine:
    return Engine(model, sessions=sessions, snapshots=snapshots)

  server.run(place, lobby, rules, make)


COMMAND: Final = Command(
  "serve",
  "serves a model to clients of OpenAI Live, Realtime and Moshi",
  _serve,
  flags=(
    Flag("checkpoint", "nano", "a shipped model, or the folder of one"),
    Flag("host", "127.0.0.1", "where to listen"),
    Flag("port", 8080, "0 lets the system choose"),
    Flag("sessions", 8, "how many at once"),
    Flag("token-file", None, "tokens of clients, one on each line"),
    Flag("origin", (), "of a page that may come in: https://example.org"),
    Flag("snapshots", None, "a folder in which sessions outlive a restart"),
    Flag("recordings", None, "a folder for sessions that ask for it"),
    Flag("tls-cert", None, "a certificate in PEM"),
    Flag("tls-key", None, "and its key"),
    Flag("mesh", None, "where the model lies: a name, or 'expert=4'"),
    form.QUANTISE,
    *background.FLAGS,
  ),
  extra="serve",
)
