"""What the user said, as far as the model writes it down.

show     " two" | " plus" | '{"chart"' ... '}' | " three"
heard    " two" | " plus" |                    | " three"
"""


class Captions:
  """Takes what was heard out of what is meant for a screen.

  A model that writes down what it hears, as `nano` does, does so on `show`;
  objects of JSON there, such as charts, are none of it.
  """

  def __init__(self):
    self._depth = 0

  def take(self, text: str) -> str:
    """What is left of the next piece without objects of JSON."""
    kept = ""
    for each in text:
      self._depth += each == "{"
      if not self._depth:
        kept += each
      self._depth -= each == "}" and self._depth > 0
    return kept
