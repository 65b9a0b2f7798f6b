"""The words of which all synthetic conversations are made."""

import functools
import json
from typing import Any, Final

from interaction_jax.turns import vocabulary as vocabularies

COLOURS: Final = (
  *("red", "blue", "green", "yellow", "white", "black", "brown", "pink"),
  *("orange", "purple"),
)
ANIMALS: Final = (
  *("cat", "dog", "bird", "fish", "horse", "cow", "sheep", "pig", "mouse"),
  *("bear", "lion", "tiger", "monkey", "duck", "rabbit", "snake", "wolf"),
  *("goat", "camel", "zebra", "panda", "eagle", "spider", "turtle", "frog"),
)
SHAPES: Final = ("ball", "box", "star", "cross")
"""What a camera may see, besides a person."""

_ROOM: Final = ("book", "cup", "chair", "door", "table", "window", "lamp")
_OUTSIDE: Final = (
  *(
    "car",
    "house",
    "tree",
    "boat",
    "train",
    "bridge",
    "garden",
    "plane",
    "bus",
  ),
  *("bike", "truck", "shop", "church", "tower"),
)
_SMALL: Final = (
  *("key", "hat", "shoe", "phone", "bottle", "pencil", "hammer", "ring"),
  *("pillow", "candle", "guitar", "piano", "drum", "mirror", "basket", "spoon"),
)
_NATURE: Final = (
  *("river", "mountain", "island", "forest", "flower", "desert", "ocean"),
  *("moon", "sun", "field"),
)
OBJECTS: Final = (*_ROOM, *_OUTSIDE, *_SMALL, *_NATURE, *SHAPES)
FOODS: Final = (
  *("apple", "bread", "milk", "soup", "tea", "cake", "egg", "rice", "cheese"),
  *("water", "honey", "butter", "salt", "lemon", "potato", "tomato", "carrot"),
  *("banana", "cherry", "sugar", "coffee", "pepper", "onion"),
)
NAMES: Final = (
  *("anna", "tom", "emma", "jack", "lucy", "max", "mary", "paul", "kate"),
  *("sam", "peter", "laura", "oscar", "julia", "simon", "helen", "martin"),
  *("sarah", "david", "alice"),
)
CITIES: Final = (
  *("paris", "london", "rome", "berlin", "tokyo", "madrid", "oslo", "cairo"),
  *("lisbon", "vienna"),
)
WEATHER: Final = ("sunny", "rainy", "windy", "cloudy", "cold", "warm", "foggy")

_TO_FIVE: Final = ("one", "two", "three", "four", "five")
_TO_TEN: Final = ("six", "seven", "eight", "nine", "ten")
_TEENS: Final = (
  *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen"),
  *("seventeen", "eighteen", "nineteen"),
)
_TENS: Final = ("twenty", "thirty", "forty", "fifty")
NUMBERS: Final = (*_TO_FIVE, *_TO_TEN, *_TEENS, _TENS[0])
"""In order, those of one word: `NUMBERS[n - 1]` is the word for n."""

LEXICON: Final = {
  "red": "rojo", "blue": "azul", "green": "verde", "white": "blanco",
  "black": "negro", "cat": "gato", "dog": "perro", "bird": "pajaro",
  "horse": "caballo", "house": "casa", "book": "libro", "table": "mesa",
  "tree": "arbol", "water": "agua", "bread": "pan", "milk": "leche",
  "one": "uno", "two": "dos", "three": "tres", "four": "cuatro",
}  # fmt: skip
"""What the assistant translates, word by word."""

THINGS: Final = (*COLOURS, *ANIMALS, *OBJECTS, *FOODS, *NUMBERS)
"""What the user may ask to be said."""

_COURTESY: Final = ("hello", "good", "morning", "evening", "goodbye", "welcome")
_ANSWERS: Final = (
  *("yes", "no", "okay", "sorry", "can", "not", "time", "seconds", "minutes"),
  *("here", "start", "stop", "longer", "set", "for", "in", "mix", "and"),
  *("chart", "timer", "your", "is", "it"),
)
_ASKING: Final = (
  *("say", "what", "plus", "minus", "count", "to", "translate", "remember"),
  *("remind", "me", "every", "tell", "when", "you", "see", "a", "the", "how"),
  *("long", "clock", "was", "word", "anyone", "there", "be", "quiet", "talk"),
  *("again", "show", "with", "find", "code", "of", "weather", "my", "city"),
  *("jumps", "second", "sound", "if", "check", "i", "make", "do", "many"),
  *("poison", "bomb", "gun", "drug", "virus"),
)
_OTHERS: Final = (
  *("thank", "like", "saw", "then", "went", "had", "big", "small", "old"),
  *("new", "uh", "huh", "right", "nice", "today", "home", "ate", "bought"),
  *("school", "work", "doctor", "teacher", "friend", "music", "summer"),
  *("winter", "yesterday", "monday", "tuesday", "friday", "sunday"),
)

WORDS: Final = tuple(
  dict.fromkeys(
    (
      *THINGS,
      *NAMES,
      *CITIES,
      *WEATHER,
      *_TENS,
      *LEXICON.values(),
      "someone",
      *_COURTESY,
      *_ANSWERS,
      *_ASKING,
      *_OTHERS,
    )
  )
)
"""All there are. The assistant says any of them."""

EXPECTANT: Final = frozenset(
  (
    *("say", "is", "plus", "minus", "to", "a", "the", "my", "of", "for"),
    *("every", "when", "me", "if", "and", "then", "saw", "had", "ate", "in"),
    *("bought", "be", "translate", "remember", "with", "i", "make"),
  )
)
"""Nothing that asks for an answer ends with one of these."""

_JSON: Final = (
  {"tool": "timer", "minutes": 5},
  {"tool": "find", "code": "anna"},
  {"tool": "weather", "city": "paris"},
  {"chart": "bar", "data": {"red": 1, "blue": 2}},
)
_VOCABULARY_SIZE: Final = 1400


@functools.cache
def vocabulary() -> vocabularies.Vocabulary:
  """A byte-level tokenizer in which every word is one token.

  A word has two: one at the beginning of a text, one behind a space.
  """
  texts = [f"{word} {word}" for word in WORDS]
  # Often enough that the brackets between words are tokens, too.
  texts += [compact(one) for one in _JSON] * 8
  return vocabularies.train(texts, size=_VOCABULARY_SIZE)


def compact(value: dict[str, Any]) -> str:
  """JSON as the assistant writes it: no spaces, in the order given."""
  return json.dumps(value, separators=(",", ":"))


def value(*words: str) -> int:
  """The number that words mean.

  Raises:
    ValueError: they mean none.
  """
  tens, *ones = words
  if tens in _TENS:
    return 10 * (_TENS.index(tens) + 2) + (
      NUMBERS.index(ones[0]) + 1 if ones else 0
    )
  if ones or tens not in NUMBERS:
    raise ValueError(f"words={words} are no number from one to fifty-nine.")
  return NUMBERS.index(tens) + 1


def number(value: int) -> tuple[str, ...]:
  """The words for a number.

  Raises:
    ValueError: there are none.
  """
  if not 1 <= value <= 59:
    raise ValueError(f"value={value} must be from 1 to 59.")
  if value <= len(NUMBERS):
    return (NUMBERS[value - 1],)
  tens, ones = divmod(value, 10)
  return (_TENS[tens - 2], *([NUMBERS[ones - 1]] if ones else []))
