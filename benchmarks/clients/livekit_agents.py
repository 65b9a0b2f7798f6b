"""`livekit-agents`, unmodified: its Live and its Realtime model.

python livekit_agents.py {live,realtime} HOST:PORT SOUND.pcm
"""

import asyncio
import json
import sys
from pathlib import Path

from livekit import rtc
from livekit.plugins import openai


async def main(which: str, at: str, sound: str) -> int:
  """Plays a sound to a server, and says what came back."""
  told = {"audio_frames": 0, "generations": 0, "errors": [], "transcript": ""}
  options = {"api_key": "none", "base_url": f"http://{at}/v1"}
  if which == "live":
    model = openai.realtime.GPTLiveModel(**options)
  else:
    model = openai.realtime.RealtimeModel(**options)
  session = model.session()
  session.on("error", lambda event: told["errors"].append(str(event)))
  session.on("openai_server_event_received", lambda event: count(told, event))
  if which == "live":
    # What an agent session does first; the model waits for it.
    await session._update_session(instructions="be brief")
  tasks = []

  def generated(event):
    told["generations"] += 1
    tasks.append(asyncio.create_task(follow(told, event)))

  if which == "realtime":
    session.on("generation_created", generated)
  pcm = Path(sound).read_bytes()
  for at_byte in range(0, len(pcm), 960):
    part = pcm[at_byte : at_byte + 960]
    session.push_audio(
      rtc.AudioFrame(part, sample_rate=24_000, num_channels=1,
                     samples_per_channel=len(part) // 2)
    )  # fmt: skip
    await asyncio.sleep(0.02)
  if which == "realtime":
    reply = await asyncio.wait_for(session.generate_reply(), 20)
    told["asked_for"] = reply.response_id is not None
  await asyncio.sleep(4)
  await session.aclose()
  ok = told["audio_frames"] > 0 and not told["errors"]
  print(json.dumps({**told, "ok": ok}))
  return 0 if ok else 1


def count(told, event):
  """Counts an event by its name."""
  kind = event.get("type") if isinstance(event, dict) else event.type
  kinds = told.setdefault("events", {})
  kinds[kind] = kinds.get(kind, 0) + 1
  if kind == "session.output_audio.delta":
    told["audio_frames"] += 1
  if kind == "session.output_transcript.delta":
    told["transcript"] += event["delta"]


async def follow(told, event):
  """Listens to one stretch of voice to its end."""
  async for message in event.message_stream:
    async for _ in message.audio_stream:
      told["audio_frames"] += 1
    async for text in message.text_stream:
      told["transcript"] += str(text)


if __name__ == "__main__":
  sys.exit(asyncio.run(main(*sys.argv[1:])))
