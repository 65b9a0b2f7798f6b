from fractions import Fraction

import av
import numpy as np
import pytest
import soundfile

from interaction_jax.data import media


def tone(seconds, rate):
  t = np.arange(round(seconds * rate)) / rate
  return (0.5 * np.sin(2 * np.pi * 300 * t)).astype(np.float32)


def heard(path):
  return np.concatenate(list(media.sound(path)))


@pytest.mark.parametrize(
  ("name", "rate", "tolerance"),
  # What is lossy keeps a tone to a few per cent.
  [
    ("a.wav", 16_000, 1e-4),
    ("a.wav", 44_100, 2e-3),
    ("a.flac", 48_000, 2e-3),
    ("a.ogg", 24_000, 0.05),
    ("a.mp3", 44_100, 0.05),
  ],
)
def test_files_of_sound(tmp_path, name, rate, tolerance):
  soundfile.write(tmp_path / name, tone(0.8, rate), rate)
  found = heard(tmp_path / name)
  assert found.dtype == np.float32
  # An mp3 may be longer by the frames that its coder adds.
  assert 12_800 <= len(found) < 12_800 + 2400
  expected = tone(0.8, 16_000)
  np.testing.assert_allclose(
    found[3200:9600], expected[3200:9600], atol=tolerance
  )


@pytest.mark.parametrize(
  ("subtype", "tolerance"),
  [("PCM_U8", 8e-3), ("PCM_24", 1e-6), ("PCM_32", 1e-6), ("DOUBLE", 1e-6),
   ("ULAW", 0.02)],
)  # fmt: skip
def test_samples_of_any_kind(tmp_path, subtype, tolerance):
  soundfile.write(tmp_path / "a.wav", tone(0.3, 16_000), 16_000, subtype)
  found = heard(tmp_path / "a.wav")
  np.testing.assert_allclose(found, tone(0.3, 16_000), atol=tolerance)


@pytest.mark.parametrize("rate", [1000, 11_025, 22_255, 96_000, 192_000])
def test_sound_of_any_rate(tmp_path, rate):
  soundfile.write(tmp_path / "a.wav", tone(0.9, rate), rate, subtype="FLOAT")
  found = heard(tmp_path / "a.wav")
  assert len(found) == round(len(tone(0.9, rate)) * 16_000 / rate)
  np.testing.assert_allclose(
    found[3200:9600], tone(0.9, 16_000)[3200:9600], atol=2e-3
  )


def test_a_rate_that_no_sound_has_is_refused(tmp_path):
  path = tmp_path / "a.wav"
  soundfile.write(path, np.zeros(9), 2**31 - 1, subtype="FLOAT")
  with pytest.raises(ValueError, match=r"a\.wav cannot be .*=2147483647 Hz"):
    heard(path)


@pytest.mark.parametrize("channels", [2, 8])
def test_channels_are_averaged(tmp_path, channels):
  levels = np.linspace(-0.5, 0.9, channels, dtype=np.float32)
  samples = np.tile(levels, (1000, 1))
  soundfile.write(tmp_path / "a.wav", samples, 16_000, subtype="FLOAT")
  found = heard(tmp_path / "a.wav")
  np.testing.assert_allclose(found, levels.mean(), atol=1e-6)
  assert found.shape == (1000,)


def test_long_sound_comes_in_small_blocks(tmp_path):
  path = tmp_path / "long.wav"
  soundfile.write(path, np.zeros(60 * 48_000, np.int16), 48_000)
  sizes = [len(block) for block in media.sound(path)]
  assert sum(sizes) == 60 * 16_000 and max(sizes) < 2 * 16_000


def test_a_tenth_of_a_second(tmp_path):
  soundfile.write(tmp_path / "a.wav", tone(0.1, 44_100), 44_100)
  assert heard(tmp_path / "a.wav").shape == (1600,)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_samples_must_be_finite(tmp_path, value):
  samples = np.zeros(8000, np.float32)
  samples[4000] = value
  soundfile.write(tmp_path / "a.wav", samples, 16_000, subtype="FLOAT")
  with pytest.raises(ValueError, match=r"NaN or infinity, first at 0\.250 s"):
    heard(tmp_path / "a.wav")


def test_sound_of_no_length_is_refused(tmp_path):
  soundfile.write(tmp_path / "a.wav", np.zeros(0), 16_000)
  with pytest.raises(ValueError, match="holds no sound"):
    heard(tmp_path / "a.wav")


PNG = bytes.fromhex(
  "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
  "0000000c4944415408d763f8cfc000000301010018dd8db00000000049454e44ae426082"
)
WORDS = b"these are words, not samples" * 50


@pytest.mark.parametrize(
  "content", [b"", WORDS, PNG], ids=["0", "words", "png"]
)
@pytest.mark.parametrize("name", ["a.wav", "a.mp3", "a.txt", "a.mp4"])
def test_what_cannot_be_read_is_refused(tmp_path, name, content):
  (tmp_path / name).write_bytes(content)
  refused = rf"{name} (cannot be read as|has no sound track)"
  with pytest.raises(ValueError, match=refused) as caught:
    heard(tmp_path / name)
  assert "\n" not in str(caught.value)


def test_what_is_not_there_is_refused(tmp_path):
  with pytest.raises(FileNotFoundError, match="There is no file"):
    heard(tmp_path / "a.wav")
  with pytest.raises(ValueError, match="is not a file"):
    heard(tmp_path)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
  """Ten pictures a second for two seconds, and a tone."""
  path = tmp_path_factory.mktemp("clip") / "clip.mkv"
  with av.open(str(path), "w") as container:
    video = container.add_stream("ffv1", rate=10)
    video.width, video.height, video.pix_fmt = 16, 12, "bgr0"
    audio = container.add_stream("pcm_s16le", rate=48_000, layout="stereo")
    for shade in range(20):
      pixels = np.full((12, 16, 3), 10 * shade, np.uint8)
      frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
      container.mux(video.encode(frame.reformat(format="bgr0")))
    samples = (tone(2, 48_000) * 2**15).astype(np.int16)
    for at in range(0, len(samples), 4096):
      part = np.repeat(samples[at : at + 4096], 2)[None]
      sound = av.AudioFrame.from_ndarray(part, format="s16", layout="stereo")
      sound.sample_rate, sound.pts = 48_000, at
      container.mux(audio.encode(sound))
    for stream in (video, audio):
      container.mux(stream.encode())
  return path


def test_pictures_at_given_times(clip):
  times = [0.0, 0.1, 0.64, 0.65, 1.9]
  shades = [picture[0, 0, 0] for picture in media.pictures(clip, times)]
  assert shades == [0, 10, 60, 60, 190]


def test_pictures_end_with_the_video(clip):
  assert len(list(media.pictures(clip, [1.8, 1.95, 2.05, 3.0]))) == 2


def test_a_sound_track_is_sound(clip):
  found = heard(clip)
  assert abs(len(found) - 32_000) <= 1
  np.testing.assert_allclose(
    found[3200:28_800], tone(2, 16_000)[3200:28_800], atol=2e-3
  )


@pytest.mark.parametrize(
  ("name", "picture", "sound"),
  [
    ("a.mp4", "mpeg4", "aac"),
    ("b.mp4", "libx264", "aac"),
    ("a.MOV", "mpeg4", "aac"),
    ("a.mkv", "libx264", "flac"),
    ("a.avi", "mpeg4", "mp2"),
    ("a.mpg", "mpeg2video", "mp2"),
    ("a.webm", "libvpx", "libopus"),
    ("a.3gp", "mpeg4", "aac"),
    ("a.flv", "flv1", "aac"),
    ("a.ts", "mpeg2video", "mp2"),
    ("a.m4a", None, "aac"),
  ],
)
def test_files_of_video(tmp_path, name, picture, sound):
  """Both halves of what cameras and tools write, whatever its letters."""
  path = tmp_path / name
  with av.open(str(path), "w") as container:
    audio = container.add_stream(sound, rate=48_000, layout="stereo")
    streams = [audio]
    if picture is not None:
      video = container.add_stream(picture, rate=25)
      video.width, video.height, video.pix_fmt = 32, 16, "yuv420p"
      streams.append(video)
      for shade in range(25):
        pixels = np.full((16, 32, 3), 10 * shade, np.uint8)
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        container.mux(video.encode(frame.reformat(format="yuv420p")))
    samples = np.stack([tone(1, 48_000)] * 2)
    frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
    frame.sample_rate, frame.pts = 48_000, 0
    context = audio.codec_context
    size = context.frame_size or None
    form = av.AudioResampler(context.format, "stereo", 48_000, size)
    for part in [*form.resample(frame), *form.resample(None)]:
      container.mux(audio.encode(part))
    for stream in streams:
      container.mux(stream.encode())
  found = heard(path)
  # A coder adds a frame or two at either end, which moves the tone.
  assert abs(len(found) - 16_000) < 2400
  assert np.sqrt(np.mean(found[4000:12_000] ** 2)) == pytest.approx(
    0.5 / np.sqrt(2), rel=0.05
  )
  if picture is not None:
    shades = [one[8, 16, 0] for one in media.pictures(path, [0.0, 0.43])]
    np.testing.assert_allclose(shades, [0, 100], atol=6)


def corners(path):
  """The colours in the corners of a video, from the upper left clockwise."""
  (picture,) = media.pictures(path, [0.0])
  rows, columns = picture.shape[:2]
  places = [(3, 3), (3, -4), (-4, -4), (-4, 3)]
  names = {(1, 0, 0): "red", (0, 1, 0): "green", (0, 0, 1): "blue",
           (1, 1, 1): "white"}  # fmt: skip
  found = [tuple((picture[at] > 128).astype(int).tolist()) for at in places]
  return (rows, columns), [names.get(one, one) for one in found]


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv"])
@pytest.mark.parametrize(
  ("turned", "size", "seen"),
  [
    ({"degrees": 0}, (32, 48), "red green blue white"),
    ({"degrees": -90}, (48, 32), "white red green blue"),
    ({"degrees": 90}, (48, 32), "green blue white red"),
    ({"degrees": 180}, (32, 48), "blue white red green"),
    ({"degrees": 0, "hflip": True}, (32, 48), "green red white blue"),
    ({"degrees": 90, "hflip": True}, (48, 32), "blue green red white"),
  ],
  ids=["upright", "clockwise", "counter", "over", "mirrored", "both"],
)
def test_a_camera_may_be_held_in_any_way(tmp_path, name, turned, size, seen):
  """Phones write what the sensor sees, and beside it how they were held."""
  path = tmp_path / name
  pixels = np.zeros((32, 48, 3), np.uint8)
  pixels[:16, :24], pixels[:16, 24:] = (255, 0, 0), (0, 255, 0)
  pixels[16:, 24:], pixels[16:, :24] = (0, 0, 255), (255, 255, 255)
  with av.open(str(path), "w") as container:
    stream = container.add_stream("mpeg4", rate=10)
    stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
    stream.set_display_rotation(**turned)
    frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
    container.mux(stream.encode(frame.reformat(format="yuv420p")))
    container.mux(stream.encode())
  assert corners(path) == (size, seen.split())


def test_pixels_need_not_be_square(tmp_path):
  path = tmp_path / "a.mkv"
  with av.open(str(path), "w") as container:
    stream = container.add_stream("mpeg4", rate=10)
    stream.width, stream.height, stream.pix_fmt = 72, 48, "yuv420p"
    stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
    pixels = np.zeros((48, 72, 3), np.uint8)
    pixels[:, 36:] = 255
    frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
    container.mux(stream.encode(frame.reformat(format="yuv420p")))
    container.mux(stream.encode())
  (picture,) = media.pictures(path, [0.0])
  assert picture.shape == (48, 96, 3)
  assert (picture[24, 44:52, 0] > 128).tolist() == 4 * [False] + 4 * [True]


def test_a_rate_may_vary(tmp_path):
  """Each picture is shown until the next one comes, whenever that is."""
  path = tmp_path / "a.mkv"
  times = [0, 40, 50, 400, 1000, 1030, 1900]
  with av.open(str(path), "w") as container:
    stream = container.add_stream("mpeg4", rate=25)
    stream.width, stream.height, stream.pix_fmt = 32, 16, "yuv420p"
    stream.codec_context.time_base = Fraction(1, 1000)
    for shade, at in enumerate(times):
      pixels = np.full((16, 32, 3), 30 * shade, np.uint8)
      frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
      frame = frame.reformat(format="yuv420p")
      frame.pts, frame.time_base = at, Fraction(1, 1000)
      container.mux(stream.encode(frame))
    container.mux(stream.encode())
  asked = [0.0, 0.045, 0.1, 0.399, 0.401, 0.95, 1.01, 1.5, 1.901]
  shown = [picture[8, 16, 0] for picture in media.pictures(path, asked)]
  expected = [30 * n for n in (0, 1, 2, 2, 3, 3, 4, 5, 6)]
  np.testing.assert_allclose(shown, expected, atol=6)


@pytest.mark.parametrize("first", ["sound", "pictures"])
def test_both_halves_of_a_file_have_one_clock(tmp_path, first):
  """Whichever begins later is late against the other by as much."""
  path = tmp_path / "a.mkv"
  late = {"sound": 0.0, "pictures": 0.0, first: -0.5}
  with av.open(str(path), "w") as container:
    video = container.add_stream("ffv1", rate=10)
    video.width, video.height, video.pix_fmt = 16, 12, "bgr0"
    audio = container.add_stream("pcm_s16le", rate=16_000, layout="mono")
    for stream, begin in ((audio, late["sound"]), (video, late["pictures"])):
      for n in range(10):
        if stream is video:
          pixels = np.full((12, 16, 3), 20 * n, np.uint8)
          frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
          frame = frame.reformat(format="bgr0")
        else:
          loud = np.full((1, 1600), 1000 * (n + 1), np.int16)
          frame = av.AudioFrame.from_ndarray(loud, "s16", "mono")
          frame.sample_rate = 16_000
        frame.pts = round((0.5 + begin + 0.1 * n) * 1000)
        frame.time_base = Fraction(1, 1000)
        container.mux(stream.encode(frame))
      container.mux(stream.encode())
  found = heard(path)
  shades = [picture[0, 0, 0] for picture in media.pictures(path, [0.0, 0.71])]
  if first == "sound":
    assert len(found) == 16_000 and found[0] * 2**15 == 1000
    assert shades == [0, 40]
  else:
    assert len(found) == 24_000 and not found[:8000].any()
    assert found[8000] * 2**15 == 1000
    assert shades == [0, 140]


def test_a_container_says_how_long_it_lasts(clip, tmp_path):
  assert media.promised_s(clip) == pytest.approx(2.0, abs=0.05)
  (tmp_path / "a.mp4").write_bytes(WORDS)
  with pytest.raises(ValueError, match="cannot be read as video"):
    media.promised_s(tmp_path / "a.mp4")


def test_sound_has_no_pictures(tmp_path):
  soundfile.write(tmp_path / "a.wav", tone(0.1, 16_000), 16_000)
  with pytest.raises(ValueError, match="has no pictures"):
    next(media.pictures(tmp_path / "a.wav", [0.0]))


def test_what_is_no_video_is_refused(tmp_path):
  (tmp_path / "a.mp4").write_bytes(b"words" * 99)
  with pytest.raises(ValueError, match="cannot be read as video"):
    next(media.pictures(tmp_path / "a.mp4", [0.0]))


@pytest.mark.parametrize(
  ("shape", "box"),
  [((30, 40), (0, 30, 0, 40)), ((60, 160), (7, 22, 0, 40)),
   ((90, 30), (0, 30, 15, 25)), ((3, 4), (0, 30, 0, 40))],
  ids=["same", "wide", "tall", "small"],
)  # fmt: skip
def test_a_picture_is_fitted_whole(shape, box):
  picture = np.full((*shape, 3), (250, 100, 7), np.uint8)
  canvas = media.fit(picture, rows=30, columns=40)
  assert canvas.shape == (30, 40, 3) and canvas.dtype == np.uint8
  top, bottom, left, right = box
  inside = np.zeros((30, 40), bool)
  inside[top:bottom, left:right] = True
  assert (canvas[inside] == (250, 100, 7)).all()
  assert not canvas[~inside].any()


def test_a_picture_of_the_right_size_is_kept():
  rng = np.random.default_rng(0)
  picture = rng.integers(0, 256, (12, 18, 3), np.uint8)
  np.testing.assert_array_equal(
    media.fit(picture, rows=12, columns=18), picture
  )


def test_a_pixel_is_the_mean_of_what_it_covers():
  picture = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
  small = media.fit(picture, rows=2, columns=3)
  exact = picture.reshape(2, 2, 3, 2, 3).mean(axis=(1, 3))
  np.testing.assert_allclose(small, exact, atol=0.5)


@pytest.mark.parametrize(
  ("times", "pair"),
  [
    ([1.0, 1.1], (0, 1)),
    ([0.9, 1.0, 1.04, 1.08, 1.12], (1, 3)),
    ([0.2, 0.5, 0.8], (1, 2)),
    ([0.8], (0, 0)),
    ([1.15], (0, 0)),
    ([1.15, 1.19], (0, 0)),
  ],
  ids=["exact", "fast", "late", "alone", "after", "both-after"],
)
def test_which_pictures_stand_for_a_turn(times, pair):
  assert media.pair(times, 1.0) == pair
