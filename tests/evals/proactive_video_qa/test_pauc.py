import pytest

from interaction_jax.evals.proactive_video_qa import pauc
from interaction_jax.evals.proactive_video_qa.pauc import Rating, Turn

TEN = Turn((0.0, 10.0))
LATER = Turn((20.0, 30.0))


@pytest.mark.parametrize(
  ("turn", "ratings", "omega", "wanted"),
  [
    # 2 s at 0.5, 4 s at 1, 4 s at 2: 1 + 4 + 8 = 13 of 20.
    (TEN, [(2, 1), (6, 2)], 0.0, 13 / 20),
    # At half the times: 1 at 0.5, 2 at 1, 7 at 2: 0.5 + 2 + 14 = 16.5.
    (TEN, [(2, 1), (6, 2)], 0.5, 16.5 / 20),
    # All at once: the last one holds from the beginning on.
    (TEN, [(2, 1), (6, 2)], 1.0, 1.0),
    (LATER, [(22, 1), (26, 2)], 0.5, 16.5 / 20),
    (TEN, [], 0.0, 0.25),
    (TEN, [(0, 2)], 0.0, 1.0),
    # Wrong at 4 s: 4 at 0.5, then nothing: 2 of 20.
    (TEN, [(4, 0)], 0.0, 2 / 20),
    # Right only at the very end: as nothing at all.
    (TEN, [(10, 2)], 0.0, 5 / 20),
    # What is said elsewhere does not count.
    (TEN, [(-1, 2), (11, 2)], 0.0, 0.25),
    # Out of order: 2 at 0.5, 3 at 2, 5 at 1: 1 + 6 + 5 = 12.
    (TEN, [(5, 1), (2, 2)], 0.0, 12 / 20),
  ],
)
def test_the_area(turn, ratings, omega, wanted):
  made = [Rating(float(at), value) for at, value in ratings]
  assert pauc.area(turn, made, omega=omega) == pytest.approx(wanted)
  assert pauc.exact_area(turn, made, omega=omega) == pytest.approx(wanted)


def test_published_values_of_the_worked_example():
  made = [Rating(2.0, 1), Rating(6.0, 2)]
  areas = [pauc.area(TEN, made, omega=omega) for omega in pauc.OMEGAS]
  assert areas == pytest.approx([0.650, 0.825, 1.0])


def test_silence_gets_a_quarter_as_in_the_published_rows():
  assert 100 * pauc.area(TEN, []) == 25.0


@pytest.mark.parametrize(
  ("ratings", "official", "corrected"),
  [
    # Seen until 5 s. A worse answer after that is dropped: 2 at 0.5, 8 at 2.
    ([(2, 2), (7, 1)], 17 / 20, (1 + 5 * 2 + 3 * 1) / 20),
    # A worse one before counts: 2 at 0.5, 2 at 2, 6 at 1.
    ([(2, 2), (4, 1)], 11 / 20, 11 / 20),
    # A better one after counts: 2 at 0.5, 5 at 1, 3 at 2.
    ([(2, 1), (7, 2)], 12 / 20, 12 / 20),
    # The last one before sets the mark, not the best: 3 at 0.5, 1 at 2, 3 at
    # 1, 3 at 1.
    ([(3, 2), (4, 1), (7, 1)], 9.5 / 20, 9.5 / 20),
    # All after: nothing was before, so all count: 6 at 0.5, 2 at 1, 2 at 0.
    ([(6, 1), (8, 0)], 5 / 20, 5 / 20),
    ([(6, 0)], 3 / 20, 3 / 20),
  ],
)
def test_answers_after_what_is_to_be_seen(ratings, official, corrected):
  turn = Turn((0.0, 10.0), related=(0.0, 5.0))
  made = [Rating(float(at), value) for at, value in ratings]
  assert pauc.area(turn, made, omega=0.0) == pytest.approx(official)
  assert pauc.exact_area(turn, made, omega=0.0) == pytest.approx(corrected)


@pytest.mark.parametrize(
  ("ratings", "official", "corrected"),
  [([], 0.25, 0.25), ([2], 0.0, 1.0), ([1], 0.0, 0.5), ([2, 1], 0.0, 0.5)],
)
def test_a_span_without_length(ratings, official, corrected):
  turn = Turn((4.0, 4.0))
  made = [Rating(4.0, value) for value in ratings]
  assert pauc.area(turn, made) == official
  assert pauc.exact_area(turn, made) == corrected


@pytest.mark.parametrize("omega", [-0.1, 1.5])
def test_omega_is_a_share(omega):
  with pytest.raises(ValueError, match=r"omega=.* must be from 0 to 1"):
    pauc.area(TEN, [], omega=omega)
