from interaction_jax.data.synthetic import world


def test_the_city_goes_along(play, said):
  asked = 0
  for seed in range(30):
    stage = play("errand", seed)
    city = stage.utterances[0].words[-1]
    assert city in world.CITIES and stage.memory["city"] == city
    if len(stage.utterances) == 1:
      assert said(stage) == "okay" and stage.notes == []
      continue
    sent, report = stage.notes
    assert (sent.channel, sent.text) == ("delegate", f" weather in {city}")
    assert report.channel is None and report.text in world.WEATHER
    assert said(stage).endswith(f"it is {report.text} in {city}")
    assert sent.turn < report.turn < stage.spoken[-5].turn
    asked += 1
  assert asked > 5


def test_a_city_is_remembered(play, said):
  kept = 0
  for seed in range(20):
    stage = play("errand", seed, city="oslo")
    if stage.utterances[0].words[0] == "how":
      assert said(stage).endswith("in oslo")
      kept += 1
  assert kept > 10
