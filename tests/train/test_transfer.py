import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.core import settings
from interaction_jax.core.checkpoint import Checkpoint
from interaction_jax.model import config
from interaction_jax.train import transfer
from interaction_jax.turns import vocabulary as vocabularies
from interaction_jax.turns.vocabulary import Control

OLD = vocabularies.train(["red cat red cat red"], size=266)
NEW = vocabularies.train(["blue cat blue cat blue dog"], size=271)
# Above the tokens lie rows that belong to nothing.
OLD_SIZE, NEW_SIZE = OLD.table_size + 6, NEW.table_size + 9


def with_words(cfg, words, size):
  text = config.TextConfig(
    table_size=size,
    vocab_size=words.table_size,
    first_control=words.first_control,
    logit_divisor=cfg.text.logit_divisor,
  )
  return dataclasses.replace(cfg, text=text)


@pytest.fixture(scope="module")
def old_cfg(cfg):
  return with_words(cfg, OLD, OLD_SIZE)


@pytest.fixture(scope="module")
def new_cfg(cfg):
  return with_words(cfg, NEW, NEW_SIZE)


@pytest.fixture(scope="module")
def params(cfg, weights):
  """The small weights with larger tables, whose rows have a mean."""
  rng = np.random.default_rng(4)

  def table(spread, mean):
    drawn = rng.normal(size=(OLD_SIZE, cfg.backbone.width)) * spread + mean
    return {"table": jnp.asarray(drawn, jnp.float32)}

  embed, heads = weights["embed"], weights["heads"]
  return weights | {
    "embed": embed | {"text": embed["text"] | table(0.7, 0.0)},
    "heads": heads | {"text": heads["text"] | table(0.2, 3.0)},
  }


@pytest.fixture(scope="module")
def moved(params, new_cfg):
  return transfer.vocabulary(
    params, OLD, NEW, jax.random.key(0), cfg=new_cfg, old_size=OLD.table_size
  )


def tables(params):
  return {
    "read": np.asarray(params["embed"]["text"]["table"]),
    "written": np.asarray(params["heads"]["text"]["table"]),
  }


@pytest.mark.parametrize("side", ["read", "written"])
@pytest.mark.parametrize("text", ["c", " cat", "\x00", "q", "END", "USER"])
def test_a_token_keeps_what_is_known_of_it(params, moved, side, text):
  if text in Control.__members__:
    then, now = OLD.id_of(Control[text]), NEW.id_of(Control[text])
  else:
    (then,), (now,) = OLD.encode(text), NEW.encode(text)
  before, after = tables(params)[side], tables(moved)[side]
  assert after.shape == (NEW_SIZE, before.shape[1])
  np.testing.assert_array_equal(after[now], before[then])


def test_every_shared_name_is_carried_and_no_other(params, moved):
  names = {name: token for token, name in OLD.names().items()}
  before = tables(params)["read"]
  after = tables(moved)["read"]
  carried = {
    row for row in range(NEW_SIZE) if (after[row] == before).all(axis=1).any()
  }
  wanted = {token for token, name in NEW.names().items() if name in names}
  assert carried == wanted
  # The bytes and controls at least, and not " blue" or padding.
  assert 256 + len(Control) < len(wanted) < NEW.table_size


def test_a_new_token_is_read_as_loud_as_the_others(moved):
  table = tables(moved)["read"]
  new = np.asarray(NEW.encode(" blue") + list(range(NEW.table_size, NEW_SIZE)))
  assert len(new) == 10
  # 240 normal numbers: their size is known to a tenth or so.
  size = np.sqrt(np.square(table[new]).mean())
  np.testing.assert_allclose(size, 0.7, rtol=0.15)


def test_a_new_token_is_written_as_seldom_as_the_average(moved):
  table = tables(moved)["written"]
  (blue,) = NEW.encode(" blue")
  known = [row for row in range(256)]
  mean = table[known].mean(axis=0)
  far = np.sqrt(np.square(table[known] - mean).mean())
  away = np.sqrt(np.square(table[blue] - mean).mean())
  # A tenth of the distance of the others, drawn in 24 dimensions.
  assert 0.05 * far < away < 0.2 * far


def test_rows_without_a_logit_are_not_carried(params, new_cfg):
  """A language model has no control tokens, only padding at their place."""
  bare = transfer.vocabulary(
    params, OLD, NEW, jax.random.key(0), cfg=new_cfg, old_size=OLD.first_control
  )
  now, then = NEW.id_of(Control.END), OLD.id_of(Control.END)
  assert (tables(bare)["read"][now] != tables(params)["read"][then]).all()


def test_all_else_stays(params, moved):
  same = jax.tree.map(lambda one, two: one is two, params, moved)
  other = [
    jax.tree_util.keystr(path, simple=True, separator="/")
    for path, yes in jax.tree_util.tree_leaves_with_path(same)
    if not yes
  ]
  assert other == ["embed/text/table", "heads/text/table"]


def saved(params, cfg, words, **changes):
  plain = {"model": settings.to_dict(cfg)}
  tokenizer = words.tokenizer.to_str().encode()
  made = Checkpoint(params=params, config=plain, tokenizer=tokenizer)
  return dataclasses.replace(made, **changes)


def test_a_checkpoint_is_fitted_to_new_words(params, old_cfg, new_cfg, moved):
  found = transfer.fitted(
    saved(params, old_cfg, OLD), NEW, jax.random.key(0), cfg=new_cfg
  )
  for side in ("read", "written"):
    np.testing.assert_array_equal(tables(found)[side], tables(moved)[side])


def test_a_language_model_gets_controls(params, old_cfg, new_cfg):
  text = dataclasses.replace(
    old_cfg.text, first_control=None, vocab_size=OLD.first_control
  )
  plain = dataclasses.replace(old_cfg, text=text)
  found = transfer.fitted(
    saved(params, plain, OLD), NEW, jax.random.key(0), cfg=new_cfg
  )
  (then,), (now,) = OLD.encode(" cat"), NEW.encode(" cat")
  before, after = tables(params)["read"], tables(found)["read"]
  np.testing.assert_array_equal(after[now], before[then])
  carried = before[OLD.first_control :]
  assert not (after[NEW.id_of(Control.SAY)] == carried).all(axis=1).any()


@pytest.mark.parametrize("tokenizer", [True, False], ids=["same", "none"])
def test_the_same_words_change_nothing(params, old_cfg, tokenizer):
  found = saved(params, old_cfg, OLD)
  if not tokenizer:
    found = dataclasses.replace(found, tokenizer=None)
  kept = transfer.fitted(found, OLD, jax.random.key(0), cfg=old_cfg)
  assert jax.tree.all(jax.tree.map(lambda a, b: a is b, kept, params))


def test_another_model_is_refused_by_name(params, old_cfg, new_cfg):
  cut = params | {"heads": {**params["heads"], "more": jnp.ones(3)}}
  key = jax.random.key(0)
  with pytest.raises(ValueError, match=r"unknown \['heads/more'\]"):
    transfer.fitted(saved(cut, old_cfg, OLD), NEW, key, cfg=new_cfg)
  narrow = dataclasses.replace(
    new_cfg, flow=dataclasses.replace(new_cfg.flow, width=13)
  )
  with pytest.raises(ValueError, match=r"shape \(24, 20, 12\), wanted is"):
    transfer.fitted(saved(params, old_cfg, OLD), NEW, key, cfg=narrow)


def test_a_table_without_room_is_refused(params, cfg):
  small = with_words(cfg, NEW, NEW.table_size)
  text = dataclasses.replace(
    small.text, table_size=274, vocab_size=274, first_control=266
  )
  small = dataclasses.replace(small, text=text)
  with pytest.raises(
    ValueError, match=r"table_size=274 has no room .* 279 rows"
  ):
    transfer.vocabulary(params, OLD, NEW, jax.random.key(0), cfg=small)
