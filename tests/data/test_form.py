import pytest

from interaction_jax.data.form import Form


def test_the_usual_form_is_one():
  form = Form()
  assert not form.sees
  assert form.least == 1 + 2 * 4 + 8 + 6
  assert Form(rows=40, columns=60, patches=6, pinned=5).least == 34


def test_a_row_has_room_for_all_that_turns_may_hold():
  assert Form(num_turns=3, pinned=5).room == 5 + 3 * 23
  assert Form(num_turns=3, pinned=5, positions=40).room == 40


@pytest.mark.parametrize(
  ("change", "pairs"),
  [({}, 3), ({"positions": 100}, 3), ({"positions": 60}, 2)],
  ids=["slots", "roomy", "tight"],
)
def test_a_row_has_no_more_pictures_than_it_has_room_for(change, pairs):
  form = Form(
    num_turns=5, every=2, rows=40, columns=60, patches=24, pinned=5, **change
  )
  assert form.pairs == pairs


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
