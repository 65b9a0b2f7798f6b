import numpy as np
import pytest

from interaction_jax.data.synthetic import scene
from interaction_jax.data.synthetic.scene import Thing
from interaction_jax.evals import clip
from interaction_jax.evals.clip import Scene

RATE = 16_000


@pytest.fixture(scope="module")
def video(tmp_path_factory):
  path = tmp_path_factory.mktemp("video") / "a.mp4"
  ball = Thing("ball", "red", first=RATE, last=2 * RATE, size=0.6)
  tone = 0.5 * np.sin(np.arange(2 * RATE) / 8).astype(np.float32)
  clip.write(path, Scene(2.0, (ball,)), sound=tone)
  return path


def test_a_video_is_shown_from_its_beginning_on(video):
  sound = np.zeros(4 * RATE, np.float32)
  record = clip.watched((24, 32), sound, video=video, begin=1.5)
  assert record.frames.shape == (20, 24, 32, 3)
  assert record.frame_times[0] == 24_000
  assert np.all(np.diff(record.frame_times) == scene.PERIOD)
  middle = record.frames[:, 14, 16].astype(int)
  # Red from one second after its beginning on, give or take the codec.
  red = middle[:, 0] - middle[:, 2] > 100
  np.testing.assert_array_equal(red, np.arange(20) >= 10)


@pytest.mark.parametrize(
  ("seconds", "long", "num"), [(None, 4.0, 20), (0.7, 4.0, 7), (None, 1.0, 10)]
)
def test_only_a_part_is_shown(video, seconds, long, num):
  sound = np.zeros(round(long * RATE), np.float32)
  record = clip.watched((6, 8), sound, video=video, seconds=seconds)
  assert len(record.frames) == num


def test_who_sees_nothing_gets_no_pictures(video):
  sound = np.ones(RATE, np.float32)
  for record in (
    clip.watched((0, 0), sound, video=video),
    clip.watched((6, 8), sound),
  ):
    assert not len(record.frames)
    np.testing.assert_array_equal(record.heard, sound)


def test_pictures_can_be_drawn_on(video):
  def black(time, picture):
    return picture * np.uint8(time < 0.95)

  sound = np.zeros(2 * RATE, np.float32)
  record = clip.watched((6, 8), sound, video=video, finish=black)
  assert [int(frame.max() > 0) for frame in record.frames] == [1] * 10 + [
    0
  ] * 10


def test_the_sound_track_is_that_of_the_file(video):
  sound = clip.soundtrack(video)
  assert abs(len(sound) - 2 * RATE) < 0.15 * RATE
  power = np.sqrt(np.mean(np.square(sound[8000:24_000])))
  assert power == pytest.approx(0.5 / np.sqrt(2), rel=0.1)


def test_the_same_scene_has_the_same_bits(video, tmp_path):
  ball = Thing("ball", "red", first=RATE, last=2 * RATE, size=0.6)
  tone = 0.5 * np.sin(np.arange(2 * RATE) / 8).astype(np.float32)
  clip.write(tmp_path / "b.mp4", Scene(2.0, (ball,)), sound=tone)
  assert (tmp_path / "b.mp4").read_bytes() == video.read_bytes()


def test_pictures_a_second(video):
  assert clip.rate(video) == 10.0


def test_sounds_are_put_where_they_belong():
  one, two = np.ones(4, np.float32), np.full(8, 2, np.float32)
  made = clip.joined([(0.0, one), (2 / RATE, two)], 6 / RATE)
  np.testing.assert_array_equal(made, [1, 1, 3, 3, 2, 2])
