"""Text as tokens, and the tokens that are not text.

```
0 ............ first_control ........................... table_size
tokenizer      END SAY SHOW CALL DELEGATE USER BACKGROUND INSTRUCTION   padding
```

Control tokens are no tokens of the tokenizer: nothing that is typed, whatever
it spells, can become one.
"""

import codecs
import dataclasses
import enum
import functools
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
  import tokenizers


class Control(enum.IntEnum):
  """The control tokens, in the order of their ids from `first_control` on.

  The order is part of every checkpoint; new ones go to the end.
  """

  END = 0
  """The model has said, shown and called what it wants this turn."""
  SAY = 1
  """What follows is spoken."""
  SHOW = 2
  """What follows is for the screen."""
  CALL = 3
  """What follows is a tool call."""
  DELEGATE = 4
  """What follows is handed to the background model."""
  USER = 5
  """Read: what follows was typed by the user."""
  BACKGROUND = 6
  """Read: what follows comes from the background model."""
  INSTRUCTION = 7
  """Read: what follows says how to behave."""


Name = tuple[str, bytes | str]
"""A token by what it is: `("text", b" cat")`, `("control", "END")`, ..."""

CHANNELS: Final = (Control.SAY, Control.SHOW, Control.CALL, Control.DELEGATE)
"""Where text goes to; a channel holds until the next one is named."""

SPEAKERS: Final = (Control.USER, Control.BACKGROUND, Control.INSTRUCTION)
"""Whom text that came in is from."""


@dataclasses.dataclass(frozen=True, eq=False)
class Vocabulary:
  """A tokenizer with control tokens above it.

  Attributes:
    tokenizer: byte-level, so that every text has tokens.
    table_size: rows of the model's text tables.
    first_control: id of `Control.END`.

  Raises:
    ValueError: the tables have no room, or the tokenizer is of another kind.
  """

  tokenizer: "tokenizers.Tokenizer"
  table_size: int
  first_control: int

  def __post_init__(self):
    tokens = self.tokenizer.get_vocab(with_added_tokens=True)
    used = max(tokens.values(), default=-1) + 1
    last = self.first_control + len(Control)
    if self.first_control < used:
      raise ValueError(
        f"first_control={self.first_control} lies among the {used} tokens of "
        f"the tokenizer; {used} is the first free id."
      )
    if last > self.table_size:
      raise ValueError(
        f"table_size={self.table_size} has no room for {len(Control)} control "
        f"tokens from first_control={self.first_control} on; {last} rows "
        f"would do."
      )
    # "<|endoftext|>" that somebody types is text, not the token.
    self.tokenizer.encode_special_tokens = True

  def encode(self, text: str) -> list[int]:
    """The tokens of a text; never control or special ones.

    Raises:
      ValueError: it holds what is no character.
    """
    return self.tokenizer.encode(characters(text), add_special_tokens=False).ids

  def decode(self, tokens: Iterable[int]) -> str:
    """The text of tokens; control and special ones print nothing.

    Bytes that are no UTF-8 become U+FFFD.
    """
    pending, text = self.decode_next(b"", tokens)
    return text + flush(pending)

  def decode_next(
    self, pending: bytes, tokens: Iterable[int]
  ) -> tuple[bytes, str]:
    """Returns the next state, and the characters that became complete.

    A character whose bytes are spread over tokens is held back until the last
    one came. Each channel of a session has a state of its own.

    Args:
      pending: the state: bytes of an unfinished character, `b""` at first.

    Raises:
      ValueError: a token is outside the tables.
    """
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    decoder.setstate((pending, 0))
    text = decoder.decode(b"".join(self._bytes(token) for token in tokens))
    return decoder.getstate()[0], text

  def id_of(self, control: Control) -> int:
    """The token of a control."""
    return self.first_control + control

  def control_of(self, token: int) -> Control | None:
    """The control a token stands for, if it is one."""
    place = token - self.first_control
    return Control(place) if 0 <= place < len(Control) else None

  def names(self) -> dict[int, Name]:
    """What each token is, whatever its number: bytes, or the name of a sign.

    Two vocabularies share the tokens that have one name in both.
    """
    added = self.tokenizer.get_added_tokens_decoder()
    special = {
      token: ("special", piece.content)
      for token, piece in added.items()
      if piece.special
    }
    controls = {self.id_of(one): ("control", one.name) for one in Control}
    text = {token: ("text", piece) for token, piece in self._pieces.items()}
    return dict(sorted({**text, **special, **controls}.items()))

  def save(self, path: str | Path) -> None:
    """Writes the tokenizer, without the two sizes."""
    self.tokenizer.save(str(path))

  def _bytes(self, token: int) -> bytes:
    if not 0 <= token < self.table_size:
      raise ValueError(
        f"token={token} is outside the table of {self.table_size} rows."
      )
    return self._pieces.get(token, b"")

  @functools.cached_property
  def _pieces(self) -> dict[int, bytes]:
    """What each token prints, in bytes; silent tokens are left out."""
    added = self.tokenizer.get_added_tokens_decoder()
    byte_of = _byte_of_sign()
    pieces = {
      token: bytes(byte_of[sign] for sign in piece)
      for piece, token in self.tokenizer.get_vocab(False).items()
      if token not in added
    }
    for token, piece in added.items():
      if not piece.special:
        pieces[token] = piece.content.encode()
    return pieces


def characters(text: str) -> str:
  """The text itself, if all of it can be written down.

  Raises:
    ValueError: it holds half of a surrogate pair, as text does that was read
      from bytes of another encoding. No tokenizer takes it.
  """
  try:
    text.encode()
  except UnicodeEncodeError as error:
    raise ValueError(
      f"text {text[:40]!a} holds {text[error.start]!a}, which is no "
      "character of Unicode."
    ) from None
  return text


def flush(pending: bytes) -> str:
  """What is left at the end of a text: U+FFFD if a character is unfinished."""
  return pending.decode(errors="replace")


def load(
  path: str | Path, *, table_size: int, first_control: int | None = None
) -> Vocabulary:
  """Reads a `tokenizer.json`.

  Args:
    first_control: None for the first id that the tokenizer leaves free.

  Raises:
    FileNotFoundError: there is no such file.
    ValueError: the tokenizer is not byte-level, or the tables have no room.
  """
  path = Path(path)
  if not path.is_file():
    raise FileNotFoundError(
      f"path={path} is not a file; the tokenizer.json of a model is wanted."
    )
  return parse(
    path.read_bytes(),
    table_size=table_size,
    first_control=first_control,
    source=f"path={path}",
  )


def parse(
  content: bytes,
  *,
  table_size: int,
  first_control: int | None = None,
  source: str = "tokenizer.json",
) -> Vocabulary:
  """Reads the content of a `tokenizer.json`; see `load`.

  Args:
    source: what errors call it.
  """
  import tokenizers

  text = content.decode()
  if not _is_byte_level(json.loads(text).get("decoder")):
    raise ValueError(
      f"{source} is not a byte-level tokenizer; only such a one has tokens "
      "for every text."
    )
  tokenizer = tokenizers.Tokenizer.from_str(text)
  if first_control is None:
    first_control = max(tokenizer.get_vocab().values()) + 1
  return Vocabulary(tokenizer, table_size, first_control)


def train(texts: Iterable[str], *, size: int) -> Vocabulary:
  """Learns a small byte-level tokenizer by merging frequent pairs.

  Args:
    size: tokens at most, the 256 bytes among them; the controls follow.

  Raises:
    ValueError: there is no room for the bytes.

  Reference: Sennrich et al. 2016, arXiv:1508.07909.
  """
  import tokenizers
  from tokenizers import decoders, models, pre_tokenizers, trainers

  if size < 256:
    raise ValueError(f"size={size} must be 256 or more: a token for each byte.")
  tokenizer = tokenizers.Tokenizer(models.BPE())
  tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
  tokenizer.decoder = decoders.ByteLevel()
  trainer = trainers.BpeTrainer(
    vocab_size=size,
    initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    show_progress=False,
  )
  tokenizer.train_from_iterator(texts, trainer)
  return Vocabulary(tokenizer, size + len(Control), size)


@functools.cache
def _byte_of_sign() -> dict[str, int]:
  """The byte for which a sign stands in the file of a byte-level tokenizer.

  Printable Latin-1 stands for itself; the other bytes, in their order, are
  spelt with the characters from U+0100 on.
  """
  themselves = {*range(33, 127), *range(161, 173), *range(174, 256)}
  others = [byte for byte in range(256) if byte not in themselves]
  signs = {chr(byte): byte for byte in themselves}
  return signs | {chr(256 + i): byte for i, byte in enumerate(others)}


def _is_byte_level(decoder: Any) -> bool:
  if not isinstance(decoder, dict):
    return False
  parts = decoder.get("decoders", [decoder])
  return any(part.get("type") == "ByteLevel" for part in parts)
