import asyncio
import base64
import io

import pytest
from PIL import Image

from interaction_jax.serve.engine import Engine
from interaction_jax.serve.protocol.guest import Guest, refusing
from interaction_jax.serve.protocol.limit import LimitConfig
from interaction_jax.serve.protocol.message import Refusal


def picture():
  file = io.BytesIO()
  Image.new("RGB", (8, 8)).save(file, "PNG")
  return base64.b64encode(file.getvalue()).decode()


def test_what_a_guest_may_do(model, lively):
  cfg = LimitConfig(tokens=20, tokens_per_s=0.01, pictures_per_s=100.0)

  async def talk():
    async with Engine(model, sessions=3, sampling=lively) as engine:
      live = await engine.open()
      guest = Guest(live, owner="", rate=24_000, words=model.words, cfg=cfg)
      await guest.hear(bytes(2 * 48_000))
      assert (guest.heard_s, guest.level_db) == (2.0, -120.0)
      await guest.read("abc", typed=True)
      with pytest.raises(Refusal, match="text has 501 tokens or more"):
        await guest.read("\x01" * 501)
      with pytest.raises(Refusal, match="text has 40000 tokens or more"):
        await guest.read("x" * 40_000)
      with pytest.raises(Refusal, match="comes too soon"):
        await guest.read("\x01" * 20)
      for _ in range(20):
        await guest.see(picture())
      with pytest.raises(Refusal, match="21th without any sound"):
        await guest.see(picture())
      await guest.hear_nothing(200)
      await guest.see(picture(), at_s=0.5)
      said = await anext(live)
      assert len(guest.voice(said)) > 2 * 4700
      guest.close()
      await live.close()

  asyncio.run(talk())


def test_mistakes_become_answers():
  with pytest.raises(Refusal, match="a=5") as caught, refusing("field"):
    raise ValueError("a=5 is wrong")
  assert caught.value.param == "field"
