import pytest

from interaction_jax.serve.protocol import setting
from interaction_jax.serve.protocol.message import Fields, Refusal

USUAL = setting.usual("sess_1", "small", lasts_s=60.0)


def changed(begun=False, **given):
  return setting.changed(USUAL, Fields(given, "session"), begun=begun)


def pcm(rate):
  return {"format": {"type": "audio/pcm", "rate": rate}}


def test_what_is_set_is_found_again_and_the_rest_stays():
  tool = {"type": "function", "name": "sum", "parameters": {}}
  new = changed(
    type="realtime",
    instructions="be brief",
    output_modalities=["text"],
    tools=[tool],
    audio={"input": {"turn_detection": None}, "output": {"voice": "ash"}},
    extensions=["microturn"],
  )
  assert new["instructions"] == "be brief" and new["tools"] == [tool]
  assert new["output_modalities"] == ["text"]
  assert new["audio"]["input"]["turn_detection"] is None
  assert new["audio"]["output"]["voice"] == "ash"
  assert new["extensions"] == ["microturn"]
  assert USUAL["audio"]["input"]["turn_detection"]["type"] == "server_vad"


@pytest.mark.parametrize("way", ["input", "output"])
def test_one_rate_means_both(way):
  audio = changed(audio={way: pcm(16_000)})["audio"]
  assert {audio[one]["format"]["rate"] for one in audio} == {16_000}


@pytest.mark.parametrize(
  ("given", "message"),
  [
    ({"type": "transcription"}, "type=.* is not known"),
    ({"instructions": 5}, "session.instructions=5 must be a text"),
    ({"output_modalities": ["smell"]}, r'must be \["audio"\] or'),
    ({"audio": {"input": pcm(8000)}}, "rate=8000 must be 16000 or"),
    ({"audio": {"input": {"format": {"type": "audio/pcmu"}}}}, "not spoken"),
    ({"audio": {"output": pcm(16_000)}, "begun": True}, "not change any more"),
    ({"tools": [{"type": "mcp"}]}, "type=.* is not done here"),
    ({"extensions": ["all"]}, "may hold background, channels"),
  ],
  ids=["type", "text", "modality", "rate", "codec", "late", "tool", "ext"],
)
def test_what_cannot_be_had_is_refused(given, message):
  with pytest.raises(Refusal, match=message):
    changed(**given)
