import base64
import io
import json

import numpy as np
import pytest

from interaction_jax.evals.harness import wire
from interaction_jax.evals.harness.wire import (
  FullError,
  Live,
  Moshi,
  Opening,
  Realtime,
)

SOUND = np.array([0.0, 0.5, -0.25, 0.125], np.float32)
PACKED = base64.b64encode(
  np.array([0, 16384, -8192, 4096], "<i2").tobytes()
).decode()


def events(messages):
  return [json.loads(message) for message in messages]


def told(spoken, **fields):
  return spoken.take(json.dumps(fields))


def test_live_is_asked_for_nothing_that_is_not_its_own():
  (start,) = events(Live().begin(Opening(seed=5)))
  assert start == {
    "type": "session.start",
    "session": {"audio": {"format": {"type": "audio/pcm", "rate": 16_000}}},
  }
  (start,) = events(Live().begin(Opening("big", "be brief", 5, True)))
  assert start["session"] == {
    "audio": {"format": {"type": "audio/pcm", "rate": 16_000}},
    "model": "big",
    "instructions": "be brief",
    "extensions": ["channels", "microturn"],
    "seed": 5,
  }


def test_what_live_hears_reads_and_sees():
  live = Live()
  assert events(live.hear(SOUND)) == [
    {"type": "session.input_audio.append", "audio": PACKED}
  ]
  user, other = events(
    [*live.read("user", "hi"), *live.read("background", "5")]
  )
  assert user == {"type": "session.input_text.append", "text": "hi"}
  assert other == {
    "type": "session.commentary.append", "content": "5", "delegation_id": None
  }  # fmt: skip
  (seen,) = events(live.see(np.full((8, 6, 3), 200, np.uint8)))
  assert seen["type"] == "session.input_image.append"
  from PIL import Image

  picture = Image.open(io.BytesIO(base64.b64decode(seen["image"])))
  assert picture.size == (6, 8)
  assert events(live.end()) == [{"type": "session.close"}]


def test_what_live_tells():
  live = Live()
  assert told(live, type="session.started")[0].kind == "ready"
  (sound,) = told(live, type="session.output_audio.delta", delta=PACKED)
  np.testing.assert_array_equal(sound.samples, SOUND)
  span = {"start_ms": 400, "end_ms": 600}
  (text,) = told(
    live, type="session.output_transcript.delta", delta=" hi", **span
  )
  assert (text.text, text.channel, text.span) == (" hi", "say", (0.4, 0.6))
  (shown,) = told(
    live, type="session.channel.delta", channel="show", delta="a", **span
  )
  assert shown.channel == "show"
  # That comes as a transcript already.
  assert not told(
    live, type="session.channel.delta", channel="say", delta="a", **span
  )
  (turn,) = told(live, type="session.microturn", index=3, compute_ms=4.5)
  assert (turn.kind, turn.ms) == ("turn", 4.5)
  assert told(live, type="something.new") == []


def test_realtime_sets_its_session():
  (update,) = events(Realtime().begin(Opening("big", "be brief", 5)))
  pcm = {"format": {"type": "audio/pcm", "rate": 24_000}}
  assert update == {
    "type": "session.update",
    "session": {
      "type": "realtime",
      "output_modalities": ["audio"],
      "audio": {"input": pcm, "output": pcm},
      "instructions": "be brief",
    },
  }
  spoken = Realtime(in_step=True)
  (update,) = events(spoken.begin(Opening(in_step=True)))
  assert update["session"]["extensions"] == ["channels", "microturn"]
  assert update["session"]["audio"]["input"]["format"]["rate"] == 16_000
  assert spoken.rate == 16_000


def test_what_realtime_hears_reads_and_sees():
  spoken = Realtime()
  (heard,) = events(spoken.hear(SOUND))
  assert heard == {"type": "input_audio_buffer.append", "audio": PACKED}
  item, response = events(spoken.read("user", "hi"))
  assert (
    item["item"]["role"] == "user" and response["type"] == "response.create"
  )
  assert item["item"]["content"] == [{"type": "input_text", "text": "hi"}]
  (item,) = events(spoken.read("background", "5"))
  assert item["item"]["role"] == "system"
  (item,) = events(spoken.see(np.zeros((4, 4, 3), np.uint8)))
  (part,) = item["item"]["content"]
  assert part["image_url"].startswith("data:image/jpeg;base64,")
  (cut,) = events(spoken.cut("item_1", 340))
  assert cut == {
    "type": "conversation.item.truncate", "item_id": "item_1",
    "content_index": 0, "audio_end_ms": 340,
  }  # fmt: skip


def test_what_realtime_tells():
  spoken = Realtime()
  assert told(spoken, type="session.created") == []
  assert told(spoken, type="session.updated")[0].kind == "ready"
  (sound,) = told(
    spoken, type="response.output_audio.delta", delta=PACKED, item_id="a"
  )
  assert sound.run == "a" and len(sound.samples) == 4
  (text,) = told(
    spoken,
    type="response.output_audio_transcript.delta",
    delta="hi",
    item_id="a",
  )
  assert (text.run, text.text) == ("a", "hi")
  (stop,) = told(spoken, type="input_audio_buffer.speech_started")
  assert stop.kind == "stop"
  (call,) = told(
    spoken, type="response.function_call_arguments.done", name="timer",
    arguments='{"minutes": 5}', item_id="b",
  )  # fmt: skip
  assert json.loads(call.text) == {"tool": "timer", "minutes": 5}
  harmless = {"code": "response_cancel_not_active", "message": "none"}
  assert told(spoken, type="error", error=harmless) == []


@pytest.mark.parametrize(
  ("make", "received", "says"),
  [
    (Live, "{", "no event"),
    (Live, "[]", "no event"),
    (Live, '{"type": "error", "error": {"message": "full"}}', "says full"),
    (Live, '{"type": "session.closed", "reason": "expired"}', "expired"),
    # Base64 of one byte: half a sample.
    (
      Live,
      '{"type": "session.output_audio.delta", "delta": "AA=="}',
      "sound is damaged",
    ),
    (Realtime, '{"type": "error", "error": {"code": "x"}}', "says {'code'"),
    (Moshi, "hello", "no Moshi"),
    (Moshi, b"\x05full", "says full"),
  ],
)
def test_what_ends_a_session(make, received, says):
  with pytest.raises(ConnectionError, match=says):
    make().take(received)


@pytest.mark.parametrize(
  ("make", "received"),
  [
    (Live, '{"type": "error", "error": {"code": "server_full"}}'),
    (Realtime, '{"type": "error", "error": {"code": "server_full"}}'),
    (Moshi, b"\x05All 3 sessions are taken"),
  ],
)
def test_a_server_without_room_is_told_apart(make, received):
  with pytest.raises(FullError, match="the server says"):
    make().take(received)


def test_a_session_of_moshi_that_spoke_had_room():
  one = Moshi()
  one.take(b"\x02 hi")
  with pytest.raises(ConnectionError) as caught:
    one.take(b"\x05gone")
  assert not isinstance(caught.value, FullError)


def test_moshi_speaks_in_frames():
  one, other = Moshi(), Moshi()
  assert one.begin(Opening()) == []
  assert one.take(b"\x00")[0].kind == "ready"
  tone = 0.3 * np.sin(np.arange(24_000) / 8).astype(np.float32)
  sent = [*one.hear(tone[:1000])]
  assert sent == []
  sent = [*one.hear(tone[1000:]), *one.hear(tone)]
  assert sent and all(message[0] == 1 for message in sent)
  heard = [x for message in sent for x in other.take(message)]
  made = np.concatenate([x.samples for x in heard])
  # 25 frames of 80 ms of 2 s; the codec keeps some of them back.
  assert 1.5 * 24_000 < len(made) <= 2 * 24_000
  assert np.abs(made[12_000:24_000]).max() > 0.2
  assert one.take(b"\x02 hi")[0].text == " hi"
  assert (
    one.take(b"\x06") == [] and one.see(np.zeros((2, 2, 3), np.uint8)) == []
  )


def test_moshi_reads_nothing():
  with pytest.raises(ConnectionError, match="moshi reads no text: 'hi'"):
    Moshi().read("user", "hi")
  with pytest.raises(ConnectionError, match="moshi reads no text"):
    Moshi().begin(Opening(instructions="be brief"))


def test_protocols_go_by_their_paths():
  assert {make.protocol for make in wire.WIRES.values()} == {
    "live", "realtime", "moshi"
  }  # fmt: skip
