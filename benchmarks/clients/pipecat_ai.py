"""`pipecat-ai`, unmodified: its Live and its Realtime service in a pipeline.

python pipecat_ai.py {live,realtime} HOST:PORT SOUND.pcm
"""

import asyncio
import sys
from typing import Any

from ear import RATE, Ear, spoken
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


class Beside(FrameProcessor):
  """Sees what the service hands on, either way."""

  def __init__(self, ear: Ear):
    super().__init__()
    self._ear = ear

  async def process_frame(self, frame: Any, direction: Any) -> None:
    """Looks at a frame and hands it on."""
    await super().process_frame(frame, direction)
    if isinstance(frame, frames.OutputAudioRawFrame):
      self._ear.hear(frame.audio)
    elif isinstance(frame, frames.TTSTextFrame):
      self._ear.read(frame.text)
    elif isinstance(frame, frames.TranscriptionFrame):
      self._ear.understand(f" {frame.text}")
    elif isinstance(frame, frames.ErrorFrame):
      self._ear.fail(frame.error)
    await self.push_frame(frame, direction)


async def main(protocol: str, at: str, sound: str) -> int:
  """Plays a sound to a server, and says what came back."""
  ear = Ear("pipecat-ai", protocol)
  if protocol == "live":
    service = OpenAILiveLLMService(
      api_key="none", base_url=f"ws://{at}/v1/live/sessions"
    )
  else:
    service = OpenAIRealtimeLLMService(
      api_key="none", base_url=f"ws://{at}/v1/realtime"
    )
  context = LLMContext([{"role": "user", "content": "hello"}])
  pair = LLMContextAggregatorPair(context)
  pipeline = Pipeline(
    [pair.user(), Beside(ear), service, Beside(ear), pair.assistant()]
  )
  rates = PipelineParams(audio_in_sample_rate=RATE, audio_out_sample_rate=RATE)
  task = PipelineTask(pipeline, params=rates)

  @task.event_handler("on_pipeline_error")
  async def failed(task: Any, frame: Any) -> None:
    del task
    ear.fail(frame.error)

  async def feed() -> None:
    await task.queue_frame(frames.LLMRunFrame())
    async for part in spoken(sound, ear):
      await task.queue_frame(
        frames.InputAudioRawFrame(part, sample_rate=RATE, num_channels=1)
      )
    await task.queue_frame(frames.EndFrame())

  await asyncio.gather(PipelineRunner(handle_sigint=False).run(task), feed())
  ear.ended = task.has_finished()
  return ear.report()


if __name__ == "__main__":
  sys.exit(asyncio.run(main(*sys.argv[1:])))
