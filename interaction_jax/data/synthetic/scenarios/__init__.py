"""All kinds of exchanges. A new one is a file here and a line below."""

from typing import Final

from interaction_jax.data.synthetic.request import Phrase
from interaction_jax.data.synthetic.scenario import Scenario
from interaction_jax.data.synthetic.scenarios import (
  aside,
  barge,
  chart,
  check,
  count,
  elapsed,
  errand,
  greet,
  guard,
  hush,
  jumps,
  longer,
  mend,
  moves,
  nod,
  passing,
  presence,
  quiet,
  quiz,
  recall,
  refuse,
  remember,
  remind,
  repeat,
  search,
  stop,
  story,
  sums,
  timer,
  translate,
  typed,
  watch,
  welcome,
)

_MODULES: Final = (
  *(repeat, sums, count, greet, quiet, stop, typed, barge, nod, aside, story),
  *(remember, recall, quiz, translate, check, elapsed, remind, longer, hush),
  *(timer, chart, search, errand, refuse, mend),
  *(watch, welcome, guard, passing, jumps, moves, presence),
)

SCENARIOS: Final[dict[str, Scenario]] = {
  module.SCENARIO.name: module.SCENARIO for module in _MODULES
}

PHRASES: Final[dict[str, Phrase]] = {
  name: phrase
  for scenario in SCENARIOS.values()
  for name, phrase in scenario.phrases.items()
}
"""Everything that users say, by the names of the clips in a bank."""
