"""`talk`: a model listens to a recording."""

import functools
from pathlib import Path
from typing import Any, Final

from interaction_jax.command import background, bar, form
from interaction_jax.command.form import Command, Flag
from interaction_jax.core import settings


def _talk(
  source: str,
  *,
  video: str | None,
  text: list[str],
  out: str | None,
  checkpoint: str,
  seed: int,
  mesh: str | None,
  quantise: str | None,
  force: bool,
  **slower: Any,
) -> None:
  if out is None:
    raise ValueError("talk needs --out DIR, the folder to write.")
  parts = settings.quantised(quantise)
  from interaction_jax.evals import timeline
  from interaction_jax.serve import models, recording, transcript
  from interaction_jax.turns import clock

  helper = background.choose(**slower)

  request = recording.Request(
    sound=Path(source),
    video=None if video is None else Path(video),
    texts=tuple(recording.parse_text(line) for line in text),
    seed=seed,
  )
  models.find(checkpoint)
  heard = transcript.Transcript()

  def said(step: recording.Step | None) -> None:
    """Prints what was said as soon as it is over."""
    if step is None:
      lines = heard.end()
    else:
      lines = heard.turn(clock.audible(step.turn.index), step.events)
    if lines:
      bar.clear()
      print(*lines, sep="\n", flush=True)

  session = recording.record(
    functools.partial(
      models.load,
      checkpoint,
      mesh=mesh,
      quantise=parts,
      cache=models.cache(),
    ),
    request,
    out,
    background=helper,
    force=force,
    progress=bar.show,
    heed=said,
    finish=timeline.draw,
  )
  print(recording.summary(session, out))


COMMAND: Final = Command(
  "talk",
  "runs a model over a recording, turn by turn, into a folder",
  _talk,
  arguments=("INPUT",),
  flags=(
    Flag("out", None, "the folder to write"),
    Flag("video", None, "a video that the model sees meanwhile"),
    Flag("text", (), "what the user types: '3.0:hello' at 3 s"),
    Flag("checkpoint", "nano", "a shipped model, or the folder of one"),
    Flag("seed", 0, "of all that is drawn"),
    Flag("mesh", None, "where the model lies: a name, or 'expert=4'"),
    form.QUANTISE,
    Flag("force", False, "replace a session in that folder"),
    *background.FLAGS,
  ),
  extra="data",
)
