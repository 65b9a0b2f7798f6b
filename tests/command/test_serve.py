import pytest


@pytest.mark.parametrize(
  ("flags", "message"),
  [
    (["--sessions=0"], "--sessions=0 must be 1 or more"),
    (["--checkpoint=nana"], "'nana'"),
    (["--mesh=cqu"], "mesh 'cqu' is not known (did you mean cpu?)"),
    (["--host=0.0.0.0"], "token"),
    (["--token-file=nowhere"], "nowhere"),
    (["--tls-cert=only.pem"], "tls"),
  ],
  ids=["sessions", "model", "mesh", "open", "tokens", "tls"],
)
def test_serve_refuses_in_one_line(refused, flags, message):
  assert message in refused(["serve", "--port=0", *flags])
