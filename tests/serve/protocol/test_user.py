from interaction_jax.serve.protocol.user import User

QUIET, LOUD = -90.0, -20.0


def kinds(events):
  return [one["type"].removeprefix("conversation.item.") for one in events]


def turn(user, text="", level_db=QUIET, yielded=False):
  return user.turn(text, level_db=level_db, now_ms=1000, yielded=yielded)


def test_captions_become_an_item():
  user = User()
  first = turn(user, " two")
  assert kinds(first) == ["added", "input_audio_transcription.delta"]
  assert kinds(turn(user, " plus")) == ["input_audio_transcription.delta"]
  rest = [one for _ in range(6) for one in turn(user)]
  assert kinds(rest) == ["done", "input_audio_transcription.completed"]
  assert rest[1]["transcript"] == "two plus"
  assert (
    len({one.get("item_id") or one["item"]["id"] for one in first + rest}) == 1
  )
  again = turn(user, " three")
  assert again[0]["item"]["id"] != first[0]["item"]["id"]


def test_only_who_interrupts_has_the_floor():
  user = User()
  assert turn(user, level_db=LOUD) == [] == turn(user, yielded=True)
  (started,) = turn(user, level_db=LOUD, yielded=True)
  assert started["type"] == "input_audio_buffer.speech_started"
  assert turn(user, level_db=LOUD) == [] == turn(user)
  events = turn(user)
  assert kinds(events) == [
    "input_audio_buffer.speech_stopped", "input_audio_buffer.committed",
    "added", "done",
  ]  # fmt: skip
  assert {one.get("item_id", started["item_id"]) for one in events} == {
    started["item_id"]
  }


def test_a_commit_is_an_item():
  events = User().commit("item_before")
  assert kinds(events) == ["input_audio_buffer.committed", "added", "done"]
  assert events[0]["previous_item_id"] == "item_before"
