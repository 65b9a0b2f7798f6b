import asyncio
import base64

from openai import AsyncOpenAI

PATH = "/v1/live/sessions"


def test_the_client_of_openai_listens_in(served, noise):
  async def talk():
    client = AsyncOpenAI(api_key="none", base_url=f"http://{served.at}/v1")
    async with client.live.connect() as live, asyncio.timeout(300):
      await live.session.start(
        session={
          "model": "x",
          "audio": {"format": {"type": "audio/pcm", "rate": 16_000}},
        }
      )
      started = await live.recv()
      async with client.live.sideband.connect(
        session_id=started.session.id
      ) as side:
        await side.session.input_audio.mute(event_id="mine")
        assert (await side.recv()).client_event_id == "mine"
        assert (await live.recv()).type == "session.input_audio.muted"
        await live.session.input_audio.append(audio=noise(2, rate=16_000))
        heard = [await side.recv() for _ in range(3)]
        await side.session.close()
        async for event in side:
          heard.append(event)
      return heard

  heard = asyncio.run(talk())
  told = {event.type: event for event in heard}
  # It hears what came before it was muted, at 24 kHz, with times.
  sound = base64.b64decode(told["session.input_audio.append"].audio)
  assert len(sound) > 2 * 9000
  spoken = told["session.output_audio.delta"]
  assert (spoken.start_ms, spoken.end_ms) in ((200, 400), (400, 600))
  assert told["session.closed"].reason == "close_requested"


def test_nobody_listens_in_to_nothing(wire):
  client = wire(f"{PATH}/sess_{'0' * 40}/attach")
  assert client.closed() == 1008


def test_its_errors_are_its_own(wire):
  client = wire(PATH)
  client.say("session.start", session={})
  name = client.hear()["session"]["id"]
  side = wire(f"{PATH}/{name}/attach")
  side.say("session.input_audio.append", audio="")
  assert side.hear()["error"]["code"] == "unknown_event_type"
  client.say("session.close")
  assert client.hear()["type"] == "session.closed"
  assert side.hear()["type"] == "session.closed"
  assert side.closed() == 1000
