import asyncio
import base64

import pytest
from openai import AsyncOpenAI

from interaction_jax.serve.protocol import realtime

PATH = "/v1/realtime?model=x"


@pytest.fixture
def begin(wire):
  """A connection, greeted and set."""

  def begin(path=PATH, **session):
    client = wire(path)
    assert client.hear()["type"] == "session.created"
    if session:
      client.say("session.update", session=session)
      told = client.hear()
      assert told["type"] == "session.updated", told
    return client

  return begin


@pytest.mark.usefixtures("drawn")
def test_the_client_of_openai(served, noise):
  async def talk():
    client = AsyncOpenAI(api_key="none", base_url=f"http://{served.at}/v1")
    events = []
    async with client.realtime.connect(model="x") as real, asyncio.timeout(300):
      await real.session.update(
        session={"type": "realtime", "instructions": "be brief"}
      )
      await real.input_audio_buffer.append(audio=noise(30))
      await real.input_audio_buffer.commit()
      async for event in real:
        events.append(event)
        if event.type == "response.done":
          break
    return events

  events = asyncio.run(talk())
  kinds = [event.type for event in events]
  assert kinds[:2] == ["session.created", "session.updated"]
  order = [
    "response.created",
    "response.output_item.added",
    "response.content_part.added",
    "response.output_audio.delta",
    "response.output_audio.done",
    "response.output_item.done",
    "response.done",
  ]
  places = [kinds.index(kind) for kind in order]
  assert places == sorted(places) and "error" not in kinds
  assert "input_audio_buffer.committed" in kinds
  assert not [kind for kind in kinds if kind.startswith("session.micro")]
  done = events[-1].response
  assert done.status == "completed" and done.output[0].type == "message"


def test_who_only_types_is_answered(begin):
  client = begin(type="realtime", output_modalities=["text"])
  content = [{"type": "input_text", "text": "hello"}]
  item = {"type": "message", "role": "user", "content": content, "id": "mine"}
  client.say("conversation.item.create", item=item)
  assert client.hear("conversation.item.done")["item"]["id"] == "mine"
  client.say("response.create", response={"metadata": {"a": "b"}})
  created = client.hear("response.created")["response"]
  client.say("response.create")
  assert client.hear("error")["error"]["code"] == (
    "conversation_already_has_active_response"
  )
  done = client.hear("response.done")["response"]
  assert done["id"] == created["id"] and done["metadata"] == {"a": "b"}
  assert done["output_modalities"] == ["text"]


def test_items_are_remembered(begin):
  client = begin()
  content = [{"type": "input_text", "text": "hello"}]
  item = {"type": "message", "role": "user", "content": content}
  client.say("conversation.item.create", item=item)
  name = client.hear("conversation.item.done")["item"]["id"]
  client.say("conversation.item.create", item=item)
  assert client.hear("conversation.item.added")["previous_item_id"] == name
  client.say("conversation.item.retrieve", item_id=name)
  told = client.hear("conversation.item.retrieved")
  assert told["item"]["content"] == content
  client.say("conversation.item.truncate", item_id=name, audio_end_ms=5)
  assert client.hear("conversation.item.truncated")["audio_end_ms"] == 5
  client.say("conversation.item.delete", item_id=name)
  assert client.hear("conversation.item.deleted")["item_id"] == name
  client.say("conversation.item.retrieve", item_id=name)
  assert client.hear()["error"]["code"] == "item_retrieve_invalid_item_id"


def test_what_is_cancelled_is_not_said(begin, noise):
  client = begin()
  client.say("response.cancel", event_id="early")
  told = client.hear("error")["error"]
  assert (told["code"], told["event_id"]) == (
    "response_cancel_not_active", "early",
  )  # fmt: skip
  client.say("response.create")
  client.say("response.cancel")
  done = client.hear("response.done")["response"]
  assert done["status"] == "cancelled"


def test_extensions_come_to_who_asks(begin, noise):
  client = begin(f"{PATH}&duplex=1")
  client.say("input_audio_buffer.append", audio=noise(2))
  assert client.hear("session.microturn")["index"] == 0


@pytest.mark.parametrize("sound", [True, False], ids=["speaks", "types"])
def test_who_keeps_the_time_is_not_helped_to_silence(
  begin, served, waiting, sound
):
  rate = {"format": {"type": "audio/pcm", "rate": 16_000}}
  client = begin(
    f"{PATH}&duplex=1", type="realtime", audio={"input": rate, "output": rate}
  )
  client.say("response.create")
  if sound:
    silence = base64.b64encode(bytes(2 * 3200)).decode()
    client.say("input_audio_buffer.append", audio=silence)
    assert client.hear("session.microturn")["index"] == 0
  else:
    client.hear("response.created")
  (talk,) = served.lobby.talks

  async def long_after():
    talk._came -= 60.0
    # It looks every 200 ms.
    await asyncio.sleep(0.7)
    return talk.guest.heard_s

  heard_s = served.do(long_after())
  if sound:
    assert heard_s == 0.2
  else:
    waiting(lambda: talk.guest.heard_s > 0)


@pytest.mark.parametrize("kind", ["input_image_buffer.append", "item", "glm"])
def test_pictures_by_all_their_names(begin, noise, kind):
  import io

  from PIL import Image

  file = io.BytesIO()
  Image.new("RGB", (64, 48), (255, 0, 0)).save(file, "PNG")
  image = base64.b64encode(file.getvalue()).decode()
  client = begin()
  if kind == "item":
    part = {
      "type": "input_image",
      "image_url": f"data:image/png;base64,{image}",
    }
    item = {"type": "message", "role": "user", "content": [part]}
    client.say("conversation.item.create", item=item)
    # A client does not know pictures as content, so none is sent back.
    assert client.hear("conversation.item.done")["item"]["content"] == []
  elif kind == "glm":
    client.say("input_audio_buffer.append_video_frame", video_frame=image)
  else:
    client.say(kind, image=image, t_ms=0)
  client.say("input_audio_buffer.clear")
  assert client.hear()["type"] == "input_audio_buffer.cleared"


@pytest.fixture
def talking(begin, served, noise):
  """A session that is told what its model did."""

  def talking(**session):
    client = begin(**session)
    client.say("input_audio_buffer.append", audio=noise(1))
    client.say("input_audio_buffer.clear")
    client.hear("input_audio_buffer.cleared")
    (talk,) = served.lobby.talks

    def tell(*turns):
      for said in turns:
        served.do(talk.tell(talk.guest, said))

    return client, tell

  return talking


def test_speech_becomes_responses(talking, made):
  client, tell = talking(audio={"input": {"transcription": {"model": "x"}}})
  tell(made(1, say="o"), made(2, speaks=True, say="ne"))
  tell(made(3), made(4, speaks=True, show=" hey"), made(5), made(6))
  assert client.hear("response.created")["response"]["output"] == []
  done = client.hear("response.output_audio_transcript.done")
  # Words come ahead of their sound, and a short pause ends nothing.
  assert done["transcript"] == "one"
  assert client.hear("response.done")["response"]["status"] == "completed"


def test_who_breaks_in_has_the_floor(talking, made):
  client, tell = talking()
  tell(made(1, speaks=True, say="one"), made(2), made(3))
  client.hear("response.done")
  # What was heard last was loud.
  started = client.hear()
  assert started["type"] == "input_audio_buffer.speech_started"


@pytest.mark.parametrize("speaks", [False, True], ids=["silent", "speaking"])
def test_calls_reach_clients_with_tools(talking, made, speaks):
  tools = [
    {"type": "function", "name": name, "parameters": {}}
    for name in ("background", "sum")
  ]
  client, tell = talking(tools=tools)
  tell(
    made(1, speaks=speaks, call='{"tool": "sum", ', delegate="paris"),
    made(2, speaks=speaks, call='"a": 1}'),
    made(3, speaks=speaks),
    made(4),
    made(5),
  )
  calls = [
    client.hear("response.function_call_arguments.done") for _ in range(2)
  ]
  assert [(one["name"], one["arguments"]) for one in calls] == [
    ("background", '{"task": "paris"}'),
    ("sum", '{"a": 1}'),
  ]
  item = {
    "type": "function_call_output",
    "call_id": calls[1]["call_id"],
    "output": "five",
  }
  client.say("conversation.item.create", item=item)
  while client.hear("conversation.item.done")["item"].get("output") != "five":
    pass


@pytest.mark.parametrize(
  ("text", "found"),
  [
    ('{"tool": "sum", "a": 1}', ("sum", '{"a": 1}')),
    ("sum(1)", ("", "")),
    ('{"a": 1}', ("", "")),
  ],
  ids=["call", "words", "nameless"],
)
def test_calls_are_read(text, found):
  assert realtime._function(text) == found


def test_settings_that_cannot_be_had_are_refused(begin):
  client = begin()
  client.say("session.update", session={"type": "transcription"})
  assert client.hear()["error"]["param"] == "session.type"
  client.say("conversation.item.create", item={"type": "message"})
  assert client.hear()["error"]["param"] == "item.role"
  client.say("output_audio_buffer.clear")
  assert client.hear()["error"]["code"] == "invalid_value"
