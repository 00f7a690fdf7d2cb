"""Swapping what a CV says about the person changes no recommendation."""

import re
from pathlib import Path

import pytest

from matcher import Matcher, Profile, Recommendations, read_cv
from matcher.personal import remove_personal_data

ROOT = Path(__file__).parent.parent
CVS = sorted(path for path in (ROOT / "examples" / "cvs").iterdir() if path.suffix != ".json")


@pytest.fixture(scope="module")
def matcher() -> Matcher:
    return Matcher.load(ROOT / "models" / "demo")


def bits(ranking: Recommendations) -> list[tuple[str, str]]:
    return [(recommendation.posting.id, recommendation.score.hex()) for recommendation in ranking]


CV = """{name}
{title}

{street}, Leeds | {phone} | {email}
Date of birth: {birth}
Nationality: {nationality}
Marital status: {status}
{photo}

Profile
{pronoun} has worked on a surgical ward for nine years. References on request.

{name}, Leeds, May 2026
"""
FIRST = {
    "name": "Anna Smith",
    "title": "Staff Nurse",
    "street": "1 High Road",
    "phone": "+44 7700 900123",
    "email": "anna.smith@mail.example",
    "birth": "3 March 1990",
    "nationality": "British",
    "status": "married, two children",
    "photo": "Photo: attached",
    "pronoun": "She",
}
SWAPS = [
    {"name": "Mehmet Yıldırım", "email": "m.yildirim@post.example"},
    {"name": "Grace Baker", "email": "baker@kitchen.example"},
    {"name": "JEAN-LUC O'NEILL"},
    {"name": "Ludwig van der Berg"},
    {"name": "María de la Cruz", "email": "maria@correo.example"},
    {"pronoun": "He"},
    {"pronoun": "They"},
    {"phone": "(0113) 496 0999"},
    {"birth": "17 October 1961"},
    {"birth": "1961-10-17"},
    {"nationality": "German and Turkish"},
    {"nationality": "Polish, settled status"},
    {"status": "single"},
    {"status": "divorced"},
    {"photo": ""},
    {"photo": "Photograph: see enclosed"},
]


@pytest.mark.parametrize("swap", SWAPS, ids=lambda swap: "-".join(swap.values()) or "none")
def test_swapping_personal_data_changes_no_recommendation(matcher: Matcher, swap: dict[str, str]) -> None:
    first = matcher.recommend(CV.format(**FIRST), k=50)
    second = matcher.recommend(CV.format(**FIRST | swap), k=50)
    assert first[0].score > 0.1
    assert bits(first) == bits(second)


@pytest.mark.parametrize(
    ("line", "other"),
    [
        ("Geburtsdatum: 03.02.1986", "Geburtsdatum: 24. Dezember 1970"),
        ("Staatsangehörigkeit:\tdeutsch", "Staatsangehörigkeit:\tsyrisch, Aufenthaltstitel unbefristet"),
        ("Familienstand: verheiratet, drei Kinder", "Familienstand: ledig"),
        ("geboren am 3. Mai 1986 in Bern", "geboren am 9. Juli 1999 in Ankara"),
        ("verheiratet, zwei Kinder", "ledig"),
        ("Italian citizen, free to start", "Indian citizen, free to start"),
        ("Bewerbungsfoto: anbei", ""),
    ],
)
def test_personal_lines_do_not_count(matcher: Matcher, line: str, other: str) -> None:
    cv = "Koch in einer Schulküche\n{}\nErfahrung mit HACCP und Diätkost\nFührerschein B"
    assert bits(matcher.recommend(cv.format(line), k=50)) == bits(matcher.recommend(cv.format(other), k=50))


@pytest.mark.parametrize("path", CVS, ids=lambda path: path.stem)
def test_another_name_in_a_sample_cv_changes_no_recommendation(matcher: Matcher, path: Path) -> None:
    text = read_cv(path).text
    removed = remove_personal_data(Profile(text)).text
    name = next(
        line
        for line in re.split(r"[\n,|–]", text)
        if line.strip() and line.strip() not in removed and "@" not in line
    )
    name = re.sub(r"(?i)\bname\b|[:\t]", " ", name).strip()
    assert len(name.split()) >= 2
    other = "Alex Winter" if not name.isupper() else "ALEX WINTER"
    changed = re.sub(re.escape(name), other, text, flags=re.IGNORECASE)
    assert changed != text
    assert bits(matcher.recommend(text, k=50)) == bits(matcher.recommend(changed, k=50))


@pytest.mark.parametrize(
    "line",
    [
        "Mobile: React Native, Swift and Kotlin",
        "Single Point of Contact for 40 key accounts",
        "Religion: Klasse 5 bis 10",
        "Kinder: 0 bis 3 Jahre, Eingewöhnung",
        "Photo: Lightroom, Capture One and retouching",
        "Alterspflege und Betreuung",
        "Names the right tool",
        "Sales Manager",
    ],
)
def test_lines_about_work_stay(line: str) -> None:
    cv = f"Profile\njo@mail.example\n{line}\nSkills\nHistory\nTraining"
    assert line in remove_personal_data(Profile(cv)).text


def test_a_title_above_the_name_is_not_the_name() -> None:
    cv = "Staff Nurse\nAnna Smith\nanna.smith@mail.example\nSkills\nHistory\nTraining"
    assert remove_personal_data(Profile(cv)).text.startswith("Staff Nurse\n\n")


def test_a_short_query_is_left_alone() -> None:
    assert remove_personal_data(Profile("Staff Nurse")).text == "Staff Nurse"
    assert remove_personal_data(Profile("")).text == ""


def test_an_occupation_that_is_also_the_family_name_keeps_counting() -> None:
    cv = "Thomas Koch\nthomas@mail.example\nKoch im Gasthaus\nMenüs\nHACCP\nThomas Koch, Bern"
    assert remove_personal_data(Profile(cv)).text.split() == [
        "thomas@mail.example", "Koch", "im", "Gasthaus", "Menüs", "HACCP", ",", "Bern",
    ]  # fmt: skip
