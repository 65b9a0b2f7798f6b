import pytest

from interaction_jax.data.synthetic import voices
from interaction_jax.evals.behaviours import speech


def test_a_bank_is_made_once(tmp_path):
  bank = speech.get("klatt", seed=4, num_clips=360, cache=tmp_path)
  assert set(bank.user_voices("held_out")) == set(voices.KLATT)
  assert not bank.user_voices("train")
  assert [path.name for path in tmp_path.iterdir()] == [bank.path.name]
  made = (bank.path / "index.json").stat().st_mtime_ns
  again = speech.get("klatt", seed=4, num_clips=360, cache=tmp_path)
  assert again.clips == bank.clips
  assert (bank.path / "index.json").stat().st_mtime_ns == made


def test_what_fails_leaves_nothing(tmp_path):
  with pytest.raises(ValueError, match="num_clips=3 must be"):
    speech.get("klatt", seed=4, num_clips=3, cache=tmp_path)
  assert not list(tmp_path.iterdir())


def test_every_bank_has_a_name_of_its_own():
  names = {
    speech._name(users, seed, num)
    for users in (voices.KLATT, voices.USERS["held_out"])
    for seed in (0, 1)
    for num in (400, 500)
  }
  assert len(names) == 8


def test_old_banks_go(tmp_path):
  for number in range(9):
    (tmp_path / f"bank{number}").mkdir()
  (tmp_path / ".draft").mkdir()
  speech._prune(tmp_path)
  left = {path.name for path in tmp_path.iterdir()}
  assert len(left) == 7 and ".draft" in left


def test_where_banks_are_kept(monkeypatch, tmp_path):
  monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
  assert speech.home() == tmp_path / "interaction_jax" / "banks"
