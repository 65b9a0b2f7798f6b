"""`openai`, unmodified: its Live and its Realtime connection.

python openai_python.py {live,realtime} HOST:PORT SOUND.pcm
"""

import asyncio
import base64
import sys

from ear import Ear, spoken
from openai import AsyncOpenAI


async def live(client: AsyncOpenAI, sound: str, ear: Ear) -> None:
  """Talks over Live."""
  async with client.live.connect() as connection:
    await connection.session.start(session={"model": "gpt-live-1"})

    async def speak() -> None:
      async for part in spoken(sound, ear):
        audio = base64.b64encode(part).decode()
        await connection.session.input_audio.append(audio=audio)
      await connection.session.close()

    speaking = asyncio.create_task(speak())
    async for event in connection:
      if event.type == "session.output_audio.delta":
        ear.hear(base64.b64decode(event.delta))
      elif event.type == "session.output_transcript.delta":
        ear.read(event.delta)
      elif event.type == "session.input_transcript.delta":
        ear.understand(event.delta)
      elif event.type == "error":
        ear.fail(event.error.message)
      elif event.type == "session.closed":
        ear.ended = event.reason == "close_requested"
        break
    await speaking


async def realtime(client: AsyncOpenAI, sound: str, ear: Ear) -> None:
  """Talks over Realtime."""
  async with client.realtime.connect(model="gpt-realtime") as connection:
    await connection.session.update(
      session={
        "type": "realtime",
        "audio": {"input": {"transcription": {"model": "gpt-4o-transcribe"}}},
      }
    )

    async def listen() -> None:
      async for event in connection:
        if event.type == "response.output_audio.delta":
          ear.hear(base64.b64decode(event.delta))
        elif event.type == "response.output_audio_transcript.delta":
          ear.read(event.delta)
        elif event.type == "conversation.item.input_audio_transcription.delta":
          ear.understand(event.delta or "")
        elif event.type == "error":
          ear.fail(event.error.message)

    listening = asyncio.create_task(listen())
    async for part in spoken(sound, ear):
      audio = base64.b64encode(part).decode()
      await connection.input_audio_buffer.append(audio=audio)
    await connection.close()
    # It ends without an error where the server agreed to close.
    await asyncio.wait_for(listening, 10)
    ear.ended = True


async def main(protocol: str, at: str, sound: str) -> int:
  """Plays a sound to a server, and says what came back."""
  ear = Ear("openai", protocol)
  client = AsyncOpenAI(api_key="none", base_url=f"http://{at}/v1")
  talk = {"live": live, "realtime": realtime}[protocol]
  await talk(client, sound, ear)
  return ear.report()


if __name__ == "__main__":
  sys.exit(asyncio.run(main(*sys.argv[1:])))
