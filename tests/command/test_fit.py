import pytest


@pytest.mark.parametrize(
  ("flags", "message"),
  [
    (["--program=stop"], "--program='stop' is not known (did you mean step?)"),
    (["--layers=hole"], "did you mean whole?"),
    (["--program=train", "--quantise=experts=int8"], "needs the weights"),
    (["--config=nana"], "'nana'"),
    (["--set=train.batsh=1"], "batsh"),
    (["--mesh=cqu"], "mesh 'cqu' is not known (did you mean cpu?)"),
  ],
  ids=["program", "layers", "quantise", "config", "setting", "mesh"],
)
def test_fit_refuses_in_one_line(refused, flags, message):
  assert message in refused(["fit", *flags])
