import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import soundfile

from interaction_jax.core import params
from interaction_jax.model.config import VocoderConfig
from interaction_jax.model.heads import vocoder as heads
from interaction_jax.ops import pitch
from interaction_jax.train import discriminator, vocoder

CFG = VocoderConfig(
  sample_rate=4000,
  hop=40,
  window=160,
  num_mels=13,
  width=10,
  num_layers=1,
  taps=3,
  num_pitches=9,
  pitch_low=70.0,
  pitch_high=400.0,
)
TRAINING = vocoder.VocoderTraining(
  num_steps=50, save_every=20, batch=4, frames=19, warmup=2, quietest_db=-6.0
)


def _voice(seed, samples):
  """A hum with its harmonics, at a pitch of its own."""
  rng = np.random.default_rng(seed)
  phase = np.cumsum(np.full(samples, rng.uniform(90, 200))) / 4000
  waves = [np.cos(2 * np.pi * k * phase) / k for k in range(1, 8)]
  return (0.1 * np.sum(waves, axis=0)).astype(np.float32)


CLIPS = [_voice(seed, 1500) for seed in range(3)] + [_voice(3, 300)]


class Broken(list):
  """Clips that end a run once its metrics have so many lines."""

  def __init__(self, clips, workdir, lines):
    super().__init__(clips)
    self.workdir, self.lines = workdir, lines

  def __getitem__(self, index):
    metrics = self.workdir / "metrics.jsonl"
    if metrics.exists() and len(_lines(self.workdir)) == self.lines:
      raise KeyboardInterrupt
    return super().__getitem__(index)


def _lines(workdir):
  text = (workdir / "metrics.jsonl").read_text()
  return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
  """The folder and the parameters of a run that nothing disturbed."""
  workdir = tmp_path_factory.mktemp("whole")
  run = {"cfg": CFG, "training": TRAINING, "workdir": workdir}
  return workdir, vocoder.fit(CLIPS, held_out=[_voice(7, 1500)], **run)


def test_training_lowers_what_it_measures(whole):
  lines = _lines(whole[0])
  assert [line["step"] for line in lines] == list(range(50))
  for name in ("loss", "pitch"):
    early = np.mean([line[name] for line in lines[:6]])
    late = np.mean([line[name] for line in lines[-6:]])
    assert late < 0.9 * early, (name, early, late)


def test_it_is_measured_by_what_it_never_heard(whole):
  lines = _lines(whole[0])
  told = [line for line in lines if "held_out/mel" in line]
  # Wherever a checkpoint was written, the end among them.
  assert [line["step"] for line in told] == [19, 39, 49]
  assert told[-1]["held_out/log"] < told[0]["held_out/log"]


def test_a_run_that_was_killed_ends_as_one_that_was_not(whole, tmp_path):
  run = {"cfg": CFG, "training": TRAINING, "workdir": tmp_path}
  run["held_out"] = [_voice(7, 1500)]
  with pytest.raises(KeyboardInterrupt):
    vocoder.fit(Broken(CLIPS, tmp_path, 33), **run)
  assert len(_lines(tmp_path)) == 33
  again = vocoder.fit(CLIPS, **run)
  assert _lines(tmp_path) == _lines(whole[0])
  for one, two in zip(
    jax.tree.leaves(whole[1]), jax.tree.leaves(again), strict=True
  ):
    np.testing.assert_array_equal(one, two)


def test_a_run_may_begin_with_a_voice_that_there_is(whole, tmp_path):
  """It begins where that one ended, and leaves that one alone."""
  trained = jax.tree.map(np.asarray, whole[1])
  one = dataclasses.replace(TRAINING, num_steps=3, warmup=1)
  vocoder.fit(CLIPS, cfg=CFG, training=one, workdir=tmp_path, start=whole[1])
  first, last = _lines(tmp_path)[0], _lines(whole[0])
  assert first["loss"] < 0.9 * last[0]["loss"]
  for kept, now in zip(
    jax.tree.leaves(trained), jax.tree.leaves(whole[1]), strict=True
  ):
    np.testing.assert_array_equal(kept, now)


def test_a_run_that_has_ended_is_left_as_it_is(whole):
  workdir, trained = whole
  lines = (workdir / "metrics.jsonl").read_text()
  again = vocoder.fit(CLIPS, cfg=CFG, training=TRAINING, workdir=workdir)
  np.testing.assert_array_equal(again["into"], trained["into"])
  assert (workdir / "metrics.jsonl").read_text() == lines


def test_another_vocoder_is_not_trained_further(whole):
  other = dataclasses.replace(CFG, width=12)
  with pytest.raises(ValueError, match="holds another vocoder"):
    vocoder.fit(CLIPS, cfg=other, training=TRAINING, workdir=whole[0])


def test_what_is_made_late_is_compared_in_time():
  weights = params.to_dict(vocoder.build(CFG)(jax.random.key(0)))
  samples = jnp.asarray(np.stack([clip[:1200] for clip in CLIPS[:2]]))
  _, said = jax.jit(vocoder.loss, static_argnames="cfg")(
    weights, samples, cfg=CFG
  )

  @jax.jit
  def say(weights, samples):
    model = params.bind(vocoder.build(CFG), weights)
    mel = vocoder.fine_mel(samples, CFG)
    hertz, resemblance = pitch.track(
      samples,
      hop=CFG.hop,
      window=CFG.window,
      sample_rate=CFG.sample_rate,
      low=CFG.pitch_low,
      high=CFG.pitch_high,
    )
    controls, state = model.listen(mel, model.start(2))
    guess = heads.decode_pitch(controls.pitch, CFG)
    hertz = jnp.where(resemblance > 0.7, hertz, guess)
    return model.sing(mel, controls, hertz, state)[0]

  made = say(weights, samples)
  distance = jax.jit(lambda a, b: vocoder.distances(a, b, CFG))
  late = distance(made[:, CFG.delay :], samples[:, : -CFG.delay])
  for name, value in late.items():
    assert value == pytest.approx(float(said.parts[name]), rel=1e-4), name
  np.testing.assert_allclose(said.made, made[:, CFG.delay :], atol=1e-5)
  np.testing.assert_array_equal(said.wanted, samples[:, : -CFG.delay])


def test_by_its_own_pitch_it_is_measured_as_it_speaks(whole):
  """Not with the pitch of the recording, as it is taught."""
  samples = vocoder.exam(CLIPS, cfg=CFG, training=TRAINING)
  assert samples.shape == (4 * TRAINING.batch, 19 * 40)
  found = vocoder.measure(whole[1], samples, cfg=CFG)

  @jax.jit
  def say(weights, samples):
    model = params.bind(vocoder.build(CFG), weights)
    mel = vocoder.fine_mel(samples, CFG)
    return model(mel, model.start(samples.shape[0]))[0]

  made = say(whole[1], samples)
  distance = jax.jit(lambda a, b: vocoder.distances(a, b, CFG))
  wanted = distance(made[:, CFG.delay :], samples[:, : -CFG.delay])
  for name, value in wanted.items():
    assert value == pytest.approx(float(found[name]), rel=1e-4), name


def test_distances_are_none_to_itself_and_grow():
  sound = jnp.asarray(CLIPS[0][None, :1200])
  noise = np.random.default_rng(0).standard_normal((1, 1200))
  near, far = (sound + scale * noise for scale in (1e-3, 1e-1))
  same = vocoder.distances(sound, sound, CFG)
  # Roots are kept from zero, so nothing is exactly 0.
  assert max(float(value) for value in same.values()) < 1e-3
  for name, value in vocoder.distances(near, sound, CFG).items():
    assert same[name] < value < vocoder.distances(far, sound, CFG)[name]


def test_ten_times_the_sound_is_20_db_and_1_in_mel():
  sound = jnp.asarray(CLIPS[0][None, :1200])
  noise = jnp.asarray(np.random.default_rng(0).standard_normal((1, 1200)))
  loud = vocoder.distances(10 * (sound + noise), sound + noise, CFG)
  assert loud["mel"] == pytest.approx(1, rel=1e-3)
  assert loud["log_spectral_db"] == pytest.approx(20, rel=1e-3)
  assert loud["log"] == pytest.approx(np.log(10), rel=1e-3)
  assert loud["convergence"] == pytest.approx(9, rel=1e-3)


def test_stretches_are_a_function_of_seed_and_step():
  draw = {"cfg": CFG, "training": TRAINING}
  first, second = (vocoder.stretches(CLIPS, step, **draw) for step in (0, 1))
  assert first.shape == (4, 19 * 40)
  np.testing.assert_array_equal(first, vocoder.stretches(CLIPS, 0, **draw))
  assert not np.array_equal(first, second)


def test_a_short_clip_is_heard_whole_and_louder_never():
  for step in range(8):
    rows = vocoder.stretches(CLIPS[3:], step, cfg=CFG, training=TRAINING)
    for row in rows:
      heard = np.flatnonzero(row)
      assert 290 < heard.size <= 300
      assert 10 ** (-6 / 20) <= np.abs(row).max() / np.abs(CLIPS[3]).max() <= 1


def test_recordings_are_read_in_order_as_one_channel(tmp_path):
  stereo = np.stack([CLIPS[0], -CLIPS[0] / 2], axis=1)
  (tmp_path / "deep").mkdir()
  soundfile.write(tmp_path / "b.wav", CLIPS[1], 4000, subtype="FLOAT")
  soundfile.write(tmp_path / "a.WAV", stereo, 4000, "FLOAT", format="WAV")
  soundfile.write(tmp_path / "deep" / "c.flac", CLIPS[2], 4000)
  (tmp_path / "notes.txt").write_text("no sound")
  clips = vocoder.read(tmp_path, sample_rate=4000)
  assert [clip.dtype for clip in clips] == [np.float32] * 3
  np.testing.assert_allclose(clips[0], CLIPS[0] / 4, atol=1e-7)
  np.testing.assert_array_equal(clips[1], CLIPS[1])
  # FLAC holds 16 bits.
  np.testing.assert_allclose(clips[2], CLIPS[2], atol=1e-4)
  with pytest.raises(ValueError, match=r"a\.WAV has 4000 samples .* 16000"):
    vocoder.read(tmp_path, sample_rate=16_000)


def test_a_folder_without_recordings_is_refused(tmp_path):
  with pytest.raises(FileNotFoundError, match=r"holds no \.wav"):
    vocoder.read(tmp_path, sample_rate=4000)


def test_no_clips_are_refused(tmp_path):
  with pytest.raises(ValueError, match=r"clips=\[\] is empty"):
    vocoder.fit([], cfg=CFG, training=TRAINING, workdir=tmp_path)


JUDGED = dataclasses.replace(
  TRAINING, num_steps=30, save_every=10, mel_noise=0.0, judges=0.5,
  features=2.0, judges_width=4, judges_from=5, judges_rate=1e-2,
)  # fmt: skip


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
  """A run beside judges, killed once."""
  workdir = tmp_path_factory.mktemp("judged")
  run = {"cfg": CFG, "training": JUDGED, "workdir": workdir}
  with pytest.raises(KeyboardInterrupt):
    vocoder.fit(Broken(CLIPS, workdir, 17), **run)
  return workdir, vocoder.fit(CLIPS, **run)


def test_judges_learn_beside_a_vocoder(whole, judged):
  lines = _lines(judged[0])
  assert [line["step"] for line in lines] == list(range(30))
  # They begin by telling nothing apart, which costs about 2.
  assert 1.5 < lines[0]["tell"] < 3
  assert np.mean([line["tell"] for line in lines[-5:]]) < lines[0]["tell"] - 0.4
  for line in lines:
    assert np.isfinite(
      [line[n] for n in ("loss", "convince", "features")]
    ).all()


def test_a_judged_run_that_was_killed_ends_as_one_that_was_not(
  judged, tmp_path
):
  vocoder.fit(CLIPS, cfg=CFG, training=JUDGED, workdir=tmp_path)
  assert _lines(tmp_path) == _lines(judged[0])


def test_a_run_with_other_judges_is_refused(whole, judged):
  for workdir, training in (
    (whole[0], dataclasses.replace(JUDGED, num_steps=60)),
    (judged[0], dataclasses.replace(JUDGED, judges_width=5)),
    (judged[0], TRAINING),
  ):
    with pytest.raises(ValueError, match="holds a run with other judges"):
      vocoder.fit(CLIPS, cfg=CFG, training=training, workdir=workdir)


def test_an_update_moves_each_side_by_its_own_loss_alone(judged, quick):
  """Vocoder and judges, each as if the other one were a constant."""
  run = {"cfg": CFG, "training": JUDGED}
  state = vocoder._start(judged[0], **run)
  # From this step on they count.
  assert int(state.step) >= JUDGED.judges_from
  samples = jnp.asarray(vocoder.stretches(CLIPS, 0, **run))

  def listen(judges, sound):
    return discriminator.features(judges, sound, cfg=CFG, width=4)

  def voice(weights, judges):
    total, said = vocoder.loss(weights, samples, cfg=CFG)
    recorded, made = listen(judges, said.wanted), listen(judges, said.made)
    total += 0.5 * discriminator.convince(made)
    return total + 2.0 * discriminator.match(recorded, made), said

  def tell(judges, said):
    return discriminator.tell(
      listen(judges, said.wanted), listen(judges, said.made)
    )

  def both(state):
    slope, said = jax.grad(voice, has_aux=True)(state.params, state.judges)
    moves, _ = vocoder._optimizer(JUDGED).update(
      slope, state.optimizer, state.params
    )
    told = jax.grad(tell)(state.judges, said)
    turns, _ = vocoder._judges_optimizer(JUDGED).update(
      told, state.judges_optimizer, state.judges
    )
    return moves, turns

  moves, turns = jax.jit(both, compiler_options=quick)(state)
  before = jax.tree.map(np.asarray, (state.params, state.judges))
  after, _ = vocoder._update(state, samples, **run)
  for old, move, new in zip(
    jax.tree.leaves(before),
    jax.tree.leaves((moves, turns)),
    jax.tree.leaves((after.params, after.judges)),
    strict=True,
  ):
    moved = np.asarray(new) - old
    assert moved.any()
    # Sums in another order; Adam divides by what may be next to nothing.
    far = np.abs(moved - np.asarray(move))
    assert np.median(far) < 0.01 * np.abs(moved).max()


@pytest.mark.parametrize(
  ("change", "message"),
  [
    ({"judges": -1.0}, r"vocoder_training\.judges=-1.0 must be 0 or more"),
    ({"batch": 0}, r"vocoder_training\.batch=0 must be 1 or more"),
    ({"frames": 3}, r"vocoder_training\.frames=3 must be 4 or more"),
    ({"warmup": 4000}, r"warmup=4000 must be less than num_steps=4000"),
  ],
  ids=["judges", "batch", "frames", "warmup"],
)
def test_a_wrong_number_is_refused_by_name(change, message):
  with pytest.raises(ValueError, match=message):
    vocoder.VocoderTraining(**change)
