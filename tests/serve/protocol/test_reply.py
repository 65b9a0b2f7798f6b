import base64

import pytest

from interaction_jax.serve.protocol.reply import Reply

VOICE = {"format": {"type": "audio/pcm", "rate": 24_000}, "voice": "own"}


def reply(modality="audio", **more):
  return Reply(modality=modality, conversation="conv", voice=VOICE, **more)


def kinds(events):
  return [one["type"] for one in events]


def test_speech_is_one_item_from_its_first_sound_to_its_last():
  one = reply(metadata={"mine": "1"})
  (created,) = one.begin()
  assert created["response"]["status"] == "in_progress"
  assert created["response"]["metadata"] == {"mine": "1"}
  first = one.speak("hel", b"12", num_tokens=2, ms=200)
  assert kinds(first) == [
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
    "response.output_audio_transcript.delta",
    "response.output_audio.delta",
  ]
  assert base64.b64decode(first[-1]["delta"]) == b"12"
  more = one.speak("", b"34", num_tokens=0, ms=200)
  assert kinds(more) == ["response.output_audio.delta"]
  last = one.end()
  assert kinds(last) == [
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "response.output_item.done",
    "conversation.item.done",
    "response.done",
  ]
  response = last[-1]["response"]
  assert response["status"] == "completed" and one.spoken_ms == 400
  (item,) = response["output"]
  assert item["content"] == [{"type": "output_audio", "transcript": "hel"}]
  assert response["usage"]["output_token_details"] == {
    "text_tokens": 2,
    "audio_tokens": 2,
  }


def test_text_alone_has_no_sound():
  one = reply("text")
  events = one.speak("hi", b"12", num_tokens=1, ms=200) + one.end()
  assert not [kind for kind in kinds(events) if "audio" in kind]
  assert "response.output_text.delta" in kinds(events)
  assert events[-1]["response"]["output"][0]["content"][0]["text"] == "hi"


def test_a_call_stands_beside_what_is_spoken():
  one = reply()
  one.speak("wait", b"12", num_tokens=1, ms=200)
  called = one.call("sum", '{"a": 1}')
  assert kinds(called) == [
    "response.output_item.added",
    "conversation.item.added",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "response.output_item.done",
    "conversation.item.done",
  ]
  assert called[0]["output_index"] == 1
  output = one.end()[-1]["response"]["output"]
  assert {item["type"] for item in output} == {"message", "function_call"}


@pytest.mark.parametrize("status", ["cancelled", "incomplete"])
def test_what_was_broken_off_says_so(status):
  one = reply()
  one.speak("w", b"12", num_tokens=1, ms=200)
  response = one.end(status)[-1]["response"]
  assert response["status"] == response["status_details"]["type"] == status
  assert response["output"][0]["status"] == "incomplete"
