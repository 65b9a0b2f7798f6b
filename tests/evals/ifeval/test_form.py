import pytest

from interaction_jax.evals.ifeval import form


@pytest.mark.parametrize(
  ("reply", "num"),
  [
    ("Dear [name], at [place].", 2),
    ("none", 0),
    ("[]", 1),
    ("[a [b] c]", 1),  # up to the first that closes
    ("[over\nlines]", 0),
  ],
)
def test_placeholders_are_counted(reply, num):
  assert form.placeholders(reply, num_placeholders=num)
  assert not form.placeholders(reply, num_placeholders=num + 1)


@pytest.mark.parametrize(
  ("reply", "marker", "official", "exact"),
  [
    ("Bye.\nP.S. I miss you", "P.S.", True, True),
    ("Bye.\np. s. I miss you", "P.S.", True, True),
    ("To a stop. S. is next", "P.S.", True, False),  # a stop and an S
    ("Bye.\nP.S.", "P.S.", True, False),  # nothing follows
    ("Bye.\nP.P.S I miss you", "P.P.S", True, True),
    ("Bye.\nP.P.S. I miss you", "P.S.", True, False),
    ("Bye.", "P.S.", False, False),
    ("Bye.\nNB: call", "NB:", True, True),
  ],
)
def test_postscripts(reply, marker, official, exact):
  assert form.postscript(reply, postscript_marker=marker) == official
  assert form.exact_postscript(reply, postscript_marker=marker) == exact


@pytest.mark.parametrize(
  ("reply", "official", "exact"),
  [
    ("* a\n* b", 2, 2),
    ("- a\n  * b\nc", 2, 2),
    ("* a\n---\n* b", 3, 2),  # the rule counts as a point
    ("-5 degrees\n- b", 2, 1),
    ("**bold** a", 0, 0),
    ("*a* is bold", 1, 0),
  ],
)
def test_bullets_are_counted(reply, official, exact):
  for num in range(4):
    assert form.bullets(reply, num_bullets=num) == (num == official)
    assert form.exact_bullets(reply, num_bullets=num) == (num == exact)


@pytest.mark.parametrize(
  ("reply", "official", "exact"),
  [
    ("My answer is yes.", True, True),
    (' "My answer is no."\n', True, True),
    ("My answer is maybe. Or not.", True, False),
    ("Yes.", False, False),
    ("my answer is yes.", False, False),
  ],
)
def test_one_of_three_options(reply, official, exact):
  assert form.choice(reply) == official
  assert form.exact_choice(reply) == exact


@pytest.mark.parametrize(
  ("reply", "num"),
  [
    ("*a* and *b c*", 2),
    ("**a** and *b*", 2),
    ("** **", 0),
    ("* one\n* two", 0),
    ("2 * 3 * 4", 1),
  ],
)
def test_highlights_are_counted(reply, num):
  assert form.highlights(reply, num_highlights=num)
  assert not form.highlights(reply, num_highlights=num + 1)


@pytest.mark.parametrize(
  ("reply", "official", "exact"),
  [
    ("Section 1\na\nSection 2\nb", 2, 2),
    ("**Section 1**\na\n# Section 2", 2, 2),
    ("Section 1\nas in Section 1 above", 2, 1),
    ("SECTION 1", 0, 0),
    ("Section one", 0, 0),
    ("Section1 a\nSection 1 b", 2, 1),
  ],
)
def test_sections_are_counted(reply, official, exact):
  for num in range(1, 4):
    wanted = {"section_spliter": "Section ", "num_sections": num}
    assert form.sections(reply, **wanted) == (num <= official)
    assert form.exact_sections(reply, **wanted) == (num <= exact)


@pytest.mark.parametrize(
  ("reply", "follows"),
  [
    ('{"a": 1}', True),
    ('```json\n[1, 2]\n```', True),
    ("```\n{}\n```", True),
    ("Here it is: {}", False),
    ("{'a': 1}", False),
    ("7", True),
  ],
)  # fmt: skip
def test_json(reply, follows):
  assert form.is_json(reply) == follows


@pytest.mark.parametrize(
  ("reply", "follows"),
  [
    ("<<Poem of joy>>\nla", True),
    ("<< >>", False),
    ("<Poem>", False),
    ("<<over\nlines>>", False),
    ("a <<b>> c", True),
  ],
)
def test_title(reply, follows):
  assert form.title(reply) == follows


@pytest.mark.parametrize(
  ("reply", "follows"),
  [
    ("a b", True),
    ("a, b", False),
    ("1,000", False),
    ("", True),
    ("a; b", True),
  ],
)
def test_no_comma(reply, follows):
  assert form.no_comma(reply) == follows


@pytest.mark.parametrize(
  ("reply", "follows"),
  [
    ("a ****** b", True),
    ("a ****** a", False),
    ("a", False),
    ("****** a ****** b ******", True),
    ("a ****** ****** b", False),
    ("a ****** b ****** c", False),
  ],
)
def test_two_replies(reply, follows):
  assert form.two_replies(reply) == follows


@pytest.mark.parametrize(
  ("reply", "follows"),
  [
    ("Say red. Red.", True),
    ("  say RED. Red.", True),
    ("Red. Say red.", False),
    ("Say red", False),
    ("Say  red. Red.", False),
  ],
)
def test_the_prompt_is_repeated(reply, follows):
  assert form.repeats(reply, prompt_to_repeat=" Say red. ") == follows


@pytest.mark.parametrize(
  ("reply", "follows"),
  [
    ("So it is. Any questions?", True),
    ('"So it is. any QUESTIONS?"', True),
    ("Any questions? No.", False),
    ("Any questions", False),
    ("Any questions?\n", True),
  ],
)
def test_the_end(reply, follows):
  assert form.ends(reply, end_phrase="Any questions? ") == follows


@pytest.mark.parametrize(
  ("reply", "follows"),
  [
    ('"a b"', True),
    (' "a" b "c" ', True),
    ('"', False),
    ('"a', False),
    ("'a'", False),
  ],
)
def test_quotation(reply, follows):
  assert form.quoted(reply) == follows
