"""What a reply is worth in Full-Duplex-Bench v1.5.

    behaviour   a judge reads what was said with and without what came into it
    timing      how long both voices overlap, and how long the answer takes
    prosody     how the voice changes

Rows that end with `_corrected` differ where the published way is odd;
`docs/benchmarks/fd_bench_v1_5.md` says how.

Reference: Lin et al. 2025, arXiv:2507.23159.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, get_args

from interaction_jax.evals import utterance
from interaction_jax.evals.fd_bench import overlap, prosody, transcript
from interaction_jax.evals.fd_bench.v1_5 import load
from interaction_jax.evals.harness import judge as judges
from interaction_jax.evals.harness.item import Item
from interaction_jax.evals.harness.judge import Judge, Question
from interaction_jax.evals.harness.output import Word
from interaction_jax.evals.harness.suite import Reply, Score

Label = Literal["C_RESPOND", "C_RESUME", "C_UNCERTAIN_HANDLING", "C_UNKNOWN"]
LABELS: Final[tuple[Label, ...]] = get_args(Label)

DESIRED: Final[Mapping[str, Label]] = {
  task: "C_RESPOND" if task == load.INTERRUPTION else "C_RESUME"
  for task in load.SIZES
}
"""What should become of an answer: only who interrupts it is answered."""

_AGAIN: Final = (
  ("say", "that", "again"),
  ("say", "it", "again"),
  ("repeat", "that"),
  ("sorry", "what"),
  ("pardon",),
  ("did", "not", "catch"),
  ("didn't", "catch"),
  ("did", "not", "understand"),
  ("didn't", "understand"),
  ("what", "did", "you", "say"),
  ("not", "sure", "what", "you"),
)
"""Words by which one asks to hear something again."""


def score(
  items: Sequence[Item], replies: Mapping[str, Reply], judge: Judge
) -> list[Score]:
  """What each pair of outputs is worth."""
  scores = []
  for item in items:
    clean = replies.get(f"{item.name}/{load.CLEAN}")
    # Without its other half an output is skipped, as published.
    if item.take != load.CLEAN and clean is not None:
      reply = replies[item.key]
      scores += behaviour(item, reply, clean, judge)
      scores += timing(item, reply)
      scores += change(item, reply)
  return scores


def behaviour(
  item: Item, reply: Reply, clean: Reply, judge: Judge
) -> list[Score]:
  """What became of the answer, as a judge sees it."""
  label = judge.ask(_question(item.truth, reply, clean)).value
  start, _ = item.truth["span"]
  details = {"behaviour": label, "said": reply.text, "clean": clean.text}
  right = None if label is None else float(label == DESIRED[item.part])
  # Who is silent cannot be spoken into.
  met = overlap.speaking(reply.spans, start) is not None
  values = {
    item.part: right,
    "average": right,
    "average_corrected": right if met else None,
  } | {
    _row(one): None if label is None else float(label == one) for one in LABELS
  }
  return [
    Score(row, item.key, value, kind=item.part, details=details)
    for row, value in values.items()
  ]


def _row(label: Label) -> str:
  return label.removeprefix("C_").split("_")[0].lower()


def timing(item: Item, reply: Reply) -> list[Score]:
  """Stop and response latencies: all of them, and that of the one overlap."""
  user, (start, end) = reply.other(), item.truth["span"]
  values = [
    *(("stop_latency", one) for one in overlap.stops(user, reply.spans)),
    *(
      ("response_latency", one) for one in overlap.responses(user, reply.spans)
    ),
    ("stop_latency_corrected", overlap.stop(reply.spans, start)),
    ("response_latency_corrected", overlap.response(reply.spans, end)),
  ]
  return [Score(row, item.key, value, kind=item.part) for row, value in values]


def change(item: Item, reply: Reply) -> list[Score]:
  """How much faster, louder and higher a voice is afterwards."""
  start, end = item.truth["span"]
  before, after = (
    prosody.measure(reply.sound(), reply.spans, reply.words, *span)
    for span in ((0.0, start), (end, reply.seconds))
  )
  values: dict[str, float | None] = dict.fromkeys(
    ("words_change", "level_change", "pitch_change")
  )
  if before is not None and after is not None:
    values["words_change"] = after.words - before.words
    values["level_change"] = after.level_db - before.level_db
    if before.pitch_hz is not None and after.pitch_hz is not None:
      values["pitch_change"] = after.pitch_hz - before.pitch_hz
  return [
    Score(row, item.key, value, kind=item.part) for row, value in values.items()
  ]


def _question(truth: Mapping[str, Any], reply: Reply, clean: Reply) -> Question:
  """The words are ours: the published ones are not free to be used."""
  start, end = truth["span"]
  files = {
    "input.json, what the system hears": truth["input"],
    "clean_input.json, the same without the overlap": truth["clean_input"],
    "output.json, what the system says to the first": reply.words,
    "clean_output.json, what it says to the second": clean.words,
  }
  shown = "\n\n".join(
    f"{name}\n{transcript.lines(words)}" for name, words in files.items()
  )
  return Question(
    "behaviour",
    "A system was answering a user aloud when other speech came into its "
    "answer. Below are four transcripts with times in seconds. Look at the "
    "first thing the system says in output.json after the overlap began that "
    "is new: not merely the end of what it was saying then. Compare it with "
    "clean_output.json, where nothing came into the answer.\n\n"
    f"The overlap: {start:.2f} to {end:.2f} s: {truth['into']}\n\n{shown}\n\n"
    "Choose what the system does:\n"
    "- C_RESPOND: it takes up what was said in the overlap.\n"
    "- C_RESUME: it ignores the overlap and goes on with its answer.\n"
    "- C_UNCERTAIN_HANDLING: it asks to hear it again, or says that it did not "
    "understand.\n"
    "- C_UNKNOWN: it says something that belongs to neither, or nothing.\n\n"
    'Answer with JSON only: {"behaviour": ["C_..."]}',
    lambda: f'{{"behaviour": ["{rule(truth, reply.words, clean.words)}"]}}',
    _label,
    seed=1,
  )


def rule(
  truth: Mapping[str, Any], said: Sequence[Word], clean: Sequence[Word]
) -> Label:
  """The stand-in: by the words that are said after the overlap began.

  They answer it where half of what is wanted then is among those that the
  clean output lacks (in one run, that is the end of its output), and go on
  where half of them are those of the clean output.
  """
  start, _ = truth["span"]
  after = [
    one
    for word in said
    if word.start >= start
    for one in utterance.plain(word.text)
  ]
  known = {one for word in clean for one in utterance.plain(word.text)}
  new = [one for one in after if one not in known]
  text = " ".join(new)
  wanted = " ".join(
    one
    for one in utterance.plain(str(truth["answer"] or truth["into"]))
    if one not in known
  )
  if not after:
    return "C_UNKNOWN"
  if _asks_again(after):
    return "C_UNCERTAIN_HANDLING"
  if wanted and utterance.share(wanted, text) >= 0.5:
    return "C_RESPOND"
  return "C_RESUME" if 2 * len(new) <= len(after) else "C_UNKNOWN"


def _asks_again(words: Sequence[str]) -> bool:
  return any(
    tuple(words[at : at + len(form)]) == form
    for form in _AGAIN
    for at in range(len(words))
  )


def _label(said: str) -> Label:
  found = judges.found_json(said).get("behaviour")
  first = found[0] if isinstance(found, list) and found else found
  if first not in LABELS:
    raise ValueError(f"{said!r} holds none of {', '.join(LABELS)}.")
  return first
