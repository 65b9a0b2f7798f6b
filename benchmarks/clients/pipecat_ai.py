"""`pipecat-ai`, unmodified: its Live and its Realtime service in a pipeline.

python pipecat_ai.py {live,realtime} HOST:PORT SOUND.pcm
"""

import asyncio
import json
import sys
from pathlib import Path

from pipecat.frames import frames
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.runner import PipelineRunner
from pipecat.pipeline.task import PipelineParams, PipelineTask
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
  LLMContextAggregatorPair,
)
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.services.openai.live.llm import OpenAILiveLLMService
from pipecat.services.openai.realtime.llm import OpenAIRealtimeLLMService


class Ear(FrameProcessor):
  """Counts what the service says."""

  def __init__(self, told):
    super().__init__()
    self._told = told

  async def process_frame(self, frame, direction):
    """Looks at a frame and hands it on."""
    await super().process_frame(frame, direction)
    if isinstance(frame, frames.OutputAudioRawFrame):
      self._told["audio_bytes"] += len(frame.audio)
    if isinstance(frame, frames.TTSTextFrame):
      self._told["transcript"] += frame.text
    if isinstance(frame, frames.ErrorFrame):
      self._told["errors"].append(str(frame.error))
    await self.push_frame(frame, direction)


async def main(which: str, at: str, sound: str) -> int:
  """Plays a sound to a server, and says what came back."""
  told = {"audio_bytes": 0, "errors": [], "transcript": ""}
  if which == "live":
    service = OpenAILiveLLMService(
      api_key="none", base_url=f"ws://{at}/v1/live/sessions"
    )
  else:
    service = OpenAIRealtimeLLMService(
      api_key="none", base_url=f"ws://{at}/v1/realtime"
    )
  context = LLMContext([{"role": "user", "content": "hello"}])
  pair = LLMContextAggregatorPair(context)
  pipeline = Pipeline([pair.user(), service, Ear(told), pair.assistant()])
  task = PipelineTask(
    pipeline,
    params=PipelineParams(audio_in_sample_rate=24_000,
                          audio_out_sample_rate=24_000),
  )  # fmt: skip

  @task.event_handler("on_pipeline_error")
  async def failed(task, frame):
    told["errors"].append(str(frame.error))

  async def feed():
    await task.queue_frame(frames.LLMRunFrame())
    await asyncio.sleep(1)
    pcm = Path(sound).read_bytes()
    for begin in range(0, len(pcm), 960):
      part = pcm[begin : begin + 960]
      await task.queue_frame(
        frames.InputAudioRawFrame(part, sample_rate=24_000, num_channels=1)
      )
      await asyncio.sleep(0.02)
    await asyncio.sleep(3)
    await task.queue_frame(frames.EndFrame())

  await asyncio.gather(PipelineRunner(handle_sigint=False).run(task), feed())
  ok = told["audio_bytes"] > 0 and not told["errors"]
  print(json.dumps({**told, "ok": ok}))
  return 0 if ok else 1


if __name__ == "__main__":
  sys.exit(asyncio.run(main(*sys.argv[1:])))
