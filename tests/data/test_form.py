import pytest

from interaction_jax.data.form import Form


def test_the_usual_form_is_one():
  form = Form()
  assert not form.sees
  assert form.least == 1 + 2 * 4 + 8 + 6
  assert Form(rows=40, columns=60, patches=6, pinned=5).least == 34


@pytest.mark.parametrize(
  ("change", "message"),
  [
    ({"hop": 150}, "hop=150"),
    ({"delay": 3200}, "delay=3200"),
    ({"num_turns": 0}, "num_turns=0 must be 1 or more"),
    ({"text_out": 1}, "text_out=1 has no room"),
    ({"rows": 40}, "rows=40 and columns=0"),
    ({"positions": 22}, "positions=22 has no room for one full turn; 23 is"),
  ],
  ids=str,
)
def test_forms_that_do_not_fit_are_refused(change, message):
  with pytest.raises(ValueError, match=message):
    Form(**change)
