import itertools

from interaction_jax.data.synthetic import scene, world


def test_each_jump_is_counted_when_it_has_been_seen(play):
  most = set()
  for seed in range(20):
    stage = play("jumps", seed)
    (thing,) = stage.things
    assert [at / 16_000 for at in thing.jumps] == stage.facts["jumps"]
    okay, *numbers = stage.spoken
    assert okay.last * 3200 <= thing.jumps[0]
    assert [w.word for w in numbers] == list(world.NUMBERS[: len(thing.jumps)])
    for at, word in zip(thing.jumps, numbers, strict=True):
      landed = at + scene.JUMP
      # The turn that writes it has seen it land; it is said within 800 ms.
      last_seen = (word.turn - 1) * 3200 + scene.PERIOD
      assert landed <= last_seen and (word.turn - 1) % scene.EVERY == 0
      assert word.turn * 3200 - landed < 12_800
    most.add(len(numbers))
  assert min(most) == 1 and max(most) > 5


def test_it_stands_between_jumps_for_longer_than_between_pictures(play):
  for seed in range(20):
    (thing,) = play("jumps", seed).things
    for at, after in itertools.pairwise(thing.jumps):
      assert after - at - scene.JUMP > (scene.EVERY + 1) * 3200
    assert thing.last > thing.jumps[-1] + scene.JUMP + 3200 * scene.EVERY
