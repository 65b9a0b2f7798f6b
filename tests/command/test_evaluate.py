import pytest


@pytest.mark.parametrize(
  ("line", "message"),
  [
    (["evaluate", "--suite=behaviours"], "evaluate needs --out DIR"),
    (["evaluate", "--suite=behavior", "--out=x"], "mean behaviours?"),
    (
      ["evaluate", "--suite=behaviours", "--out=x", "--items=0"],
      "items=0 must",
    ),
    (
      ["evaluate", "--suite=behaviours", "--out=x", "--row=barge"],
      "mean barge_in?",
    ),
    (
      ["evaluate", "--suite=qivd", "--out=x", "--server=ws://a/b"],
      "server='ws://a/b' is no address",
    ),
    (
      ["evaluate", "--suite=qivd", "--out=x", "--server=b", "--outputs=c"],
      "--outputs and --server are two systems",
    ),
    (
      ["evaluate", "--suite=behaviours", "--out=x", "--server=ws://a/b"],
      "--server='ws://a/b': behaviours runs models alone",
    ),
  ],
  ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_line_and_code_two(refused, line, message):
  assert message in refused(line)
