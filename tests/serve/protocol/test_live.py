import asyncio
import base64

import pytest
from openai import AsyncOpenAI

from interaction_jax.serve.background.job import Finding
from interaction_jax.serve.protocol import live

PATH = "/v1/live/sessions"


@pytest.fixture
def begin(wire):
  """Starts a session; returns its connection and what it is told first."""

  def begin(path=PATH, **session):
    client = wire(path)
    client.say("session.start", session=session)
    return client, client.hear()

  return begin


def voices(client, num):
  return [
    client.hear("session.output_audio.delta")["delta"] for _ in range(num)
  ]


@pytest.mark.usefixtures("drawn")
def test_the_client_of_openai(served, noise):
  async def talk():
    client = AsyncOpenAI(api_key="none", base_url=f"http://{served.at}/v1")
    async with client.live.connect() as conn, asyncio.timeout(300):
      await conn.session.start(
        session={"model": "gpt-live-1", "instructions": "be brief"}
      )
      for turn in range(8):
        await conn.session.input_audio.append(audio=noise(1, seed=turn))
      await conn.session.commentary.append(
        content="five", delegation_id=None, event_id="mine"
      )
      events, sound = [], 0
      async for event in conn:
        events.append(event)
        if event.type == "session.output_audio.delta":
          sound += len(base64.b64decode(event.delta))
          if sound > 2 * 24_000:
            await conn.session.close()
        if event.type == "session.closed":
          break
    return events

  events = asyncio.run(talk())
  told = {event.type: event for event in events}
  assert events[0].type == "session.started" and "error" not in told
  assert told["session.commentary.appended"].client_event_id == "mine"
  assert told["session.closed"].reason == "close_requested"
  transcript = told["session.output_transcript.delta"]
  assert transcript.end_ms - transcript.start_ms == 200
  # Nothing was asked for, so nothing else is told.
  assert not [kind for kind in told if kind.startswith("session.channel")]
  assert "session.microturn" not in told


def test_the_same_session_whatever_the_cut_and_rate(begin, noise):
  def talk(cut):
    client, _ = begin(seed=5)
    content = base64.b64decode(noise(4))
    for at in range(0, len(content), cut):
      part = base64.b64encode(content[at : at + cut]).decode()
      client.say("session.input_audio.append", audio=part)
    return voices(client, 3)

  assert (
    talk(2 * 480) == talk(2 * 1234) == talk(len(base64.b64decode(noise(4))))
  )


def test_extensions_come_to_who_asks(begin, noise):
  client, started = begin(
    extensions=["microturn", "channels"],
    audio={"format": {"type": "audio/pcm", "rate": 16_000}},
  )
  assert started["session"]["extensions"] == ["channels", "microturn"]
  client.say("session.input_text.append", text="hello")
  client.say("session.input_audio.append", audio=noise(3, rate=16_000))
  read = client.hear("session.channel.read")
  assert (read["channel"], read["text"]) == ("user_text", "hello")
  turns = [client.hear("session.microturn") for _ in range(3)]
  assert [turn["index"] for turn in turns] == [0, 1, 2]
  assert [turn["t_ms"] for turn in turns] == [200, 400, 600]
  assert {turn["state"] for turn in turns} <= {"listen", "speak"}
  assert turns[0]["deadline_ms"] == 60_000 and turns[0]["saw"] is False


def test_muted_is_silent(begin, noise):
  def talk(muted):
    client, _ = begin(seed=5)
    if muted:
      client.say("session.input_audio.mute", event_id="m")
      told = client.hear("session.input_audio.muted")
      assert told["client_event_id"] == "m"
    sound = base64.b64encode(bytes(2 * 24_000)).decode()
    client.say("session.input_audio.append", audio=noise(5) if muted else sound)
    return voices(client, 4)

  assert talk(True) == talk(False)


def test_a_fork_has_the_past_of_its_origin(begin, noise, served):
  client, started = begin(seed=9, store=True, extensions=["microturn"])
  name = started["session"]["id"]
  assert started["session"]["t_ms"] == 0
  # A whole number of turns at 16 kHz, and what the resampler holds back.
  client.say("session.input_audio.append", audio=noise(3))
  voices(client, 2)
  fork, told = begin(f"{PATH}/{name}/fork", extensions=["microturn"])
  assert told["type"] == "session.started" and told["session"]["id"] != name
  # Its time is that of the session, and goes on: what the resampler held back
  # is lost.
  assert told["session"]["t_ms"] == 596
  fork.say("session.snapshot.create")
  assert fork.hear("session.snapshot.created")["t_ms"] == 596
  fork.say("session.input_audio.append", audio=noise(2, seed=3))
  assert len(voices(fork, 2)) == 2
  client.say("session.snapshot.create", event_id="s")
  kept = client.hear("session.snapshot.created")
  assert (kept["client_event_id"], kept["t_ms"]) == ("s", 600)
  client.say("session.close")
  assert client.hear("session.closed")["usage"] == {"seconds": 1}
  # It is over, but it was kept; and so is what was asked to be.
  for origin in (name, kept["session_id"]):
    again, told = begin(f"{PATH}/{origin}/fork")
    assert told["session"]["store"] is True
    again.say("session.close")
    again.hear("session.closed")


def test_a_session_is_not_kept_after_all(begin, noise):
  client, started = begin(store=True)
  client.say("session.input_audio.append", audio=noise(1))
  client.say("session.close", store=False)
  client.hear("session.closed")
  _, told = begin(f"{PATH}/{started['session']['id']}/fork")
  assert told["error"]["code"] == "session_not_found"


def test_a_fork_of_nothing_is_refused(begin):
  _, told = begin(f"{PATH}/sess_{'0' * 40}/fork")
  assert told["error"]["code"] == "session_not_found"


@pytest.mark.parametrize(
  ("session", "code", "param"),
  [
    ({"audio": {"format": {"rate": 8000}}}, "invalid_value",
     "session.audio.format.rate"),
    ({"audio": {"format": {"type": "audio/pcmu"}}}, "invalid_value",
     "session.audio.format.type"),
    ({"delegation": {"type": "decisions"}}, "invalid_value",
     "session.delegation.type"),
    ({"extensions": ["all"]}, "invalid_value", "session.extensions"),
    ({"instructions": "x" * 4000}, "invalid_value", "session"),
    ({"seed": -1}, "invalid_value", "session"),
    ({"input": [{"role": "user"}]}, "invalid_value",
     "session.input[0].content"),
    ({"instructions": {}}, "invalid_value", "session.instructions"),
  ],
  ids=["rate", "codec", "owner", "extension", "long", "seed", "past", "type"],
)  # fmt: skip
def test_what_cannot_be_started_is_refused_and_may_be_tried_again(
  begin, session, code, param
):
  client, told = begin(**session)
  assert (told["error"]["code"], told["error"]["param"]) == (code, param)
  client.say("session.start", session={})
  assert client.hear()["type"] == "session.started"


def test_what_a_server_offers(served):
  offer = live.offer(served.lobby)
  assert (offer["model"], offer["slots"]) == ("small", 3)
  assert offer["background"] is False
  assert offer["extensions"] == ["background", "channels", "microturn"]
  video = served.lobby.engine.model.cfg.video
  assert offer["video"]["height"] == video.rows * video.patch


def test_history_is_read_in_the_first_turns(begin, noise):
  client, _ = begin(
    extensions=["channels"],
    input=[
      {"role": role, "content": [{"text": role}]}
      for role in ("user", "assistant", "developer")
    ],
  )
  client.say("session.input_audio.append", audio=noise(2))
  read = [client.hear("session.channel.read") for _ in range(3)]
  assert [(one["channel"], one["text"]) for one in read] == [
    ("user_text", "user"),
    ("background", "assistant: assistant"),
    ("background", "developer"),
  ]


def test_errors_name_their_cause_and_change_nothing(begin, noise):
  client, _ = begin()
  for kind, fields, code in (
    ("session.start", {"session": {}}, "session_already_started"),
    ("session.input_audio.append", {"audio": "?"}, "invalid_value"),
    ("session.input_audio.append", {}, "missing_required_parameter"),
    ("session.output_audio.fixture.play", {}, "unknown_event_type"),
    ("session.update", {"session": {"model": "x"}}, "invalid_value"),
    ("session.thinking.append", {"content": "a", "delegation_id": "b"},
     "delegation_not_found"),
    ("session.thinking.append", {"content": "a" * 9000},
     "string_above_max_length"),
    ("session.input_image.append", {"image": "aGk="}, "invalid_value"),
    ("session.input_image.append", {"image": "", "t_ms": -5}, "invalid_value"),
  ):  # fmt: skip
    client.say(kind, event_id=kind, **fields)
    told = client.hear("error")["error"]
    assert (told["code"], told["client_event_id"]) == (code, kind)
  client.say("session.update", session={"delegation": {"type": "client"}})
  assert client.hear()["type"] == "session.updated"
  client.say("session.input_audio.append", audio=noise(2))
  assert voices(client, 1)


def test_pictures_are_seen(begin, noise, served):
  import io

  from PIL import Image

  file = io.BytesIO()
  Image.new("RGB", (64, 48), (255, 0, 0)).save(file, "JPEG")
  image = base64.b64encode(file.getvalue()).decode()

  def talk(image):
    client, _ = begin(seed=4)
    if image:
      client.say("session.input_image.append", image=image, t_ms=0)
    client.say("session.input_audio.append", audio=noise(5))
    return voices(client, 4)

  assert talk(image) != talk(None) == talk(None)


def test_what_is_delegated_reaches_the_client(begin, made, served):
  client, started = begin(extensions=["channels"])
  talk, guest = live.find(served.lobby, started["session"]["id"], "")
  for index, texts in enumerate(
    [{"delegate": "two "}, {"delegate": "plus two"}, {"show": " two{}"}]
  ):
    served.do(talk.tell(guest, made(index, **texts)))
  told = client.hear("session.delegation.created")
  assert told["offset_ms"] == 600
  assert told["delegation"]["target"] == "client"
  client.say(
    "session.commentary.append",
    content="five",
    delegation_id=told["delegation"]["id"],
  )
  assert client.hear("session.commentary.appended")


def test_what_is_heard_is_a_transcript(begin, made, served):
  client, started = begin()
  talk, guest = live.find(served.lobby, started["session"]["id"], "")
  served.do(talk.tell(guest, made(0, say="yes", show='{"a": 1} two')))
  assert client.hear("session.output_transcript.delta")["delta"] == "yes"
  assert client.hear()["delta"] == " two"


def test_the_servers_own_background_model(serving, wire, made):
  class Adder:
    async def run(self, context):
      yield Finding(text="4", shown={"chart": context.task})

  with serving(background=Adder()) as running:
    client = wire(PATH, at=running.wait().at)
    given = {"extensions": ["background"], "delegation": {"type": "responses"}}
    client.say("session.start", session=given)
    name = client.hear()["session"]["id"]
    _, guest = live.find(running.lobby, name, "")

    async def delegate():
      guest.live.clerk.see(0, made(0, delegate="2 + 2").events, speaks=False)
      guest.live.clerk.see(1, (), speaks=False)

    running.do(delegate())
    told = client.hear("session.delegation.created")
    assert told["delegation"]["target"] == "responses"
    states = []
    while "done" not in states:
      report = client.hear("session.background.report")
      states.append(report["state"])
    assert states == ["started", "done"] and report["text"] == "4"
    assert report["shown"] == {"chart": "2 + 2"}


def test_who_wants_help_is_told_that_there_is_none(begin):
  client, _ = begin(delegation={"type": "responses"})
  assert client.hear()["code"] == "no_background_model"
