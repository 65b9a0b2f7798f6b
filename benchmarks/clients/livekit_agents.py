"""`livekit-agents`, unmodified: its Live and its Realtime model.

python livekit_agents.py {live,realtime} HOST:PORT SOUND.pcm
"""

import asyncio
import sys
from typing import Any

from ear import RATE, Ear, spoken
from livekit import rtc
from livekit.plugins import openai


async def play(session: Any, sound: str, ear: Ear) -> None:
  """Hands a sound to a session, as a room does."""
  async for part in spoken(sound, ear):
    num = len(part) // 2
    session.push_audio(
      rtc.AudioFrame(
        part, sample_rate=RATE, num_channels=1, samples_per_channel=num
      )
    )


async def live(options: dict[str, str], sound: str, ear: Ear) -> None:
  """Talks over Live."""
  model = openai.realtime.GPTLiveModel(**options)
  session = model.session()
  session.on("error", lambda event: ear.fail(event.error))
  session.on("transcript_delta", lambda event: ear.read(event.text))
  heard: dict[str, str] = {}
  session.on("input_audio_transcription_completed", lambda e: note(heard, e))
  closed = asyncio.Event()

  def see(event: dict[str, Any]) -> None:
    if event["type"] == "session.closed":
      closed.set()

  session.on("openai_server_event_received", see)
  # What an agent does first; the session waits for it.
  await session._update_session(instructions="be brief")

  async def listen() -> None:
    async for each in session.audio_stream:
      ear.hear(bytes(each.frame.data))

  listening = asyncio.create_task(listen())
  await play(session, sound, ear)
  await asyncio.wait_for(session.aclose(), 10)
  await asyncio.wait_for(listening, 10)
  await model.aclose()
  ear.understand(" ".join(heard.values()))
  ear.ended = closed.is_set()


async def realtime(options: dict[str, str], sound: str, ear: Ear) -> None:
  """Talks over Realtime."""
  model = openai.realtime.RealtimeModel(**options)
  session = model.session()
  session.on("error", lambda event: ear.fail(event.error))
  heard: dict[str, str] = {}
  session.on("input_audio_transcription_completed", lambda e: note(heard, e))
  listening = []

  async def listen(event: Any) -> None:
    async for message in event.message_stream:

      async def read(message: Any = message) -> None:
        async for text in message.text_stream:
          ear.read(str(text))

      reading = asyncio.create_task(read())
      async for frame in message.audio_stream:
        ear.hear(bytes(frame.data))
      await reading

  session.on(
    "generation_created",
    lambda event: listening.append(asyncio.create_task(listen(event))),
  )
  await session.update_instructions("be brief")
  await play(session, sound, ear)
  await asyncio.wait_for(session.aclose(), 10)
  await asyncio.wait_for(asyncio.gather(*listening), 10)
  await model.aclose()
  ear.understand(" ".join(heard.values()))
  ear.ended = True


def note(heard: dict[str, str], event: Any) -> None:
  """Remembers the latest of what is understood of an item."""
  heard[event.item_id] = event.transcript.strip()


async def main(protocol: str, at: str, sound: str) -> int:
  """Plays a sound to a server, and says what came back."""
  ear = Ear("livekit-agents", protocol)
  options = {"api_key": "none", "base_url": f"http://{at}/v1"}
  talk = {"live": live, "realtime": realtime}[protocol]
  await talk(options, sound, ear)
  return ear.report()


if __name__ == "__main__":
  sys.exit(asyncio.run(main(*sys.argv[1:])))
