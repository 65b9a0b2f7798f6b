import numpy as np
import pytest
import tokenizers
from tokenizers import models

from interaction_jax.turns import vocabulary
from interaction_jax.turns.vocabulary import Control

TEXTS = [
  "The cat sat on the mat, and the dog sat on the cat.",
  "Wie heißt du? Größer, schöner, weiter.",
  "日本語のテキスト、そして 🙂🎉 記号。",
  " leading and  double\tspaces\n\nand lines",
  "",
]


@pytest.fixture(scope="module")
def words():
  return vocabulary.train(TEXTS * 3, size=320)


@pytest.mark.parametrize("text", [*TEXTS, "unseen: ÿ ẞ 👩‍👩‍👧 \x00", "é"])
def test_text_survives_the_way_there_and_back(words, text):
  tokens = words.encode(text)
  assert words.decode(tokens) == text
  assert all(0 <= token < words.first_control for token in tokens)


def test_half_a_character_is_refused(words):
  with pytest.raises(
    ValueError, match=r"'a\\ud800' holds '\\ud800', which is no"
  ):
    words.encode("a\ud800")
  assert vocabulary.characters("\U0001f600") == "\U0001f600"


def test_merges_are_learnt(words):
  assert len(words.encode(TEXTS[0])) < len(TEXTS[0])
  assert words.tokenizer.get_vocab_size() <= 320


def test_training_is_repeatable(words):
  again = vocabulary.train(TEXTS * 3, size=320)
  assert again.tokenizer.to_str() == words.tokenizer.to_str()


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_a_stream_of_tokens_gives_the_text(words, text):
  pending, parts = b"", []
  for token in words.encode(text):
    pending, part = words.decode_next(pending, [token])
    assert "\ufffd" not in part
    parts.append(part)
  assert "".join(parts) == text
  assert vocabulary.flush(pending) == ""


def test_a_character_is_held_back_until_it_is_complete():
  words = vocabulary.train([], size=256)
  tokens = words.encode("a🙂b")
  assert len(tokens) == 6
  pending, parts = b"", []
  for token in tokens:
    pending, part = words.decode_next(pending, [token])
    parts.append(part)
  assert parts == ["a", "", "", "", "🙂", "b"]


def test_the_state_decides_and_is_not_changed():
  words = vocabulary.train([], size=256)
  first, *rest = words.encode("é")
  pending, _ = words.decode_next(b"", [first])
  assert words.decode_next(pending, rest) == (b"", "é")
  assert words.decode_next(pending, rest) == (b"", "é")
  assert vocabulary.flush(pending) == "\ufffd"


def test_any_bytes_decode_as_the_tokenizer_does():
  words = vocabulary.train(TEXTS, size=280)
  numbers = np.random.default_rng(0)
  for _ in range(50):
    tokens = numbers.integers(0, 256, 12).tolist()
    assert words.decode(tokens) == words.tokenizer.decode(tokens)


def test_controls_have_fixed_places_and_print_nothing(words):
  order = "END SAY SHOW CALL DELEGATE USER BACKGROUND INSTRUCTION"
  ids = [words.id_of(Control[name]) for name in order.split()]
  assert ids == list(range(320, 328))
  assert words.table_size == 328
  assert words.decode(ids) == ""
  around = [ids[1], *words.encode("to be"), ids[0], *words.encode(" here")]
  assert words.decode(around) == "to be here"
  assert [words.control_of(token) for token in ids] == list(Control)
  assert words.control_of(319) is None
  assert words.control_of(328) is None


def test_channels_and_speakers_share_the_controls():
  parts = {*vocabulary.CHANNELS, *vocabulary.SPEAKERS, Control.END}
  assert parts == set(Control)


def special(words) -> tokenizers.Tokenizer:
  """A copy of the tokenizer with two more tokens, as imported ones have."""
  tokenizer = tokenizers.Tokenizer.from_str(words.tokenizer.to_str())
  tokenizer.add_special_tokens(["<|end|>"])
  tokenizer.add_tokens(["größte"])
  return tokenizer


def test_typed_special_tokens_stay_text(words, tmp_path):
  path = tmp_path / "tokenizer.json"
  special(words).save(str(path))
  again = vocabulary.load(path, table_size=400)
  end = again.tokenizer.token_to_id("<|end|>")
  tokens = again.encode("a<|end|>b")
  assert end not in tokens
  assert again.decode(tokens) == "a<|end|>b"
  assert again.decode([end]) == ""
  assert again.decode(again.encode("das größte")) == "das größte"


def test_load_gives_what_was_saved(words, tmp_path):
  path = tmp_path / "tokenizer.json"
  words.save(path)
  again = vocabulary.load(path, table_size=512, first_control=500)
  assert again.encode(TEXTS[1]) == words.encode(TEXTS[1])
  assert again.id_of(Control.SAY) == 501
  # Rows between the tokenizer and the controls, and above them, are silent.
  assert again.decode([499, 511]) == ""


def test_load_puts_controls_on_the_first_free_row(words, tmp_path):
  path = tmp_path / "tokenizer.json"
  words.save(path)
  again = vocabulary.load(path, table_size=512)
  assert again.first_control == words.tokenizer.get_vocab_size()


def test_errors_name_the_numbers(words, tmp_path):
  path = tmp_path / "tokenizer.json"
  with pytest.raises(FileNotFoundError, match=r"tokenizer\.json is not a file"):
    vocabulary.load(path, table_size=512)
  words.save(path)
  used = words.tokenizer.get_vocab_size()
  with pytest.raises(ValueError, match=rf"table_size={used + 7} has no room"):
    vocabulary.load(path, table_size=used + 7)
  with pytest.raises(ValueError, match=f"first_control=9 lies among .*{used}"):
    vocabulary.load(path, table_size=512, first_control=9)
  with pytest.raises(ValueError, match="size=255 must be 256"):
    vocabulary.train(TEXTS, size=255)
  with pytest.raises(ValueError, match="token=328 is outside"):
    words.decode([328])
  tokenizers.Tokenizer(models.WordLevel({"a": 0}, unk_token="a")).save(
    str(path)
  )
  with pytest.raises(ValueError, match="not a byte-level tokenizer"):
    vocabulary.load(path, table_size=512)


def test_tokens_have_names_that_do_not_depend_on_their_ids(words):
  names = words.names()
  assert list(names) == sorted(names)
  (token,) = words.encode("h")
  assert names[token] == ("text", b"h")
  assert names[words.id_of(Control.SAY)] == ("control", "SAY")
  assert len(names) == words.table_size
