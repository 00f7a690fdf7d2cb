"""Swapping what a CV says about the person changes no recommendation."""

import re
import time
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

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


@pytest.mark.parametrize(
    "line",
    [
        "Name: Anna Smith, Registered Nurse with ward experience",
        "Full name: Anna Smith | Registered Nurse, ward",
        "Name: Smith, Anna",
        "Name: Anna Smith - nurse on a ward",
    ],
)
def test_what_follows_a_labelled_name_is_not_part_of_it(line: str) -> None:
    lines = [line, "anna@mail.example", "Registered nurse", "Anna ran a ward with care", "Years: 5", "Nights"]
    text = remove_personal_data(Profile("\n".join(lines))).text
    assert "Anna" not in text
    assert "Registered nurse" in text
    assert "ran a ward with care" in text


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


def test_a_profile_without_personal_data_comes_back_itself() -> None:
    profile = Profile("Chef\nBakes bread\nLeads a team\nSingle malt tastings\nDate of launch: May")
    assert remove_personal_data(profile) is profile


# --- the rules written out line by line: the module finds the same in less time ---

HEADER_LINES = 14
NAME_LINES = 3
FEWEST_LINES = 5

# Labels that name work as often as a person (mobile, mail, children, religion) are missing on purpose:
# numbers and addresses never become features anyway.
_LABEL = (
    r"(?:(?:full|first|last|family|given|preferred|middle)[ ]name|names?|surname|pronouns"
    r"|(?:date|place)[ ]of[ ]birth|birth[ ]?date|birthday|birthplace|born|d\.?o\.?b\.?|age|gender|sex"
    r"|nationality|nationalities|citizenship|(?:marital|civil|family)[ ]status|religious[ ]affiliation"
    r"|vorname|nachname|vor-[ ]und[ ]nachname|familienname|geburtsname|rufname|pronomen"
    r"|geburts(?:datum|ort|tag)|geboren|geb\.?|jahrgang|alter|geschlecht"
    r"|staatsangehörigkeit|staatsbürgerschaft|nationalität|zivilstand|familienstand"
    r"|konfession|religionszugehörigkeit)"
)
_LABELLED = re.compile(rf"^\W*{_LABEL}(?:\s*(?:[:：|=]|\t|\s-\s)|\s+(?=\d|am\b|in\b|on\b)).*$", re.IGNORECASE)
_CELL_LABEL = re.compile(rf"^\W*{_LABEL}\W*$", re.IGNORECASE)
_PHOTO = re.compile(
    r"^\W*(?:photo(?:graph)?|picture|(?:bewerbungs)?foto|lichtbild)\b\W*"
    r"(?:attached|enclosed|included|available|on request|see|yes|no|here"
    r"|beigefügt|anbei|liegt bei|siehe|ja|nein)?\b"
    r"[^.,;]{0,30}$",
    re.IGNORECASE,
)
_STATUS = re.compile(
    r"^\W*(?:married|single|divorced|widowed|engaged|in a (?:civil )?partnership|verheiratet|ledig|geschieden"
    r"|verwitwet|verlobt|alleinerziehend)\b(?:\W*$|.{0,50}\b(?:child(?:ren)?|kids?|sons?|daughters?|kind(?:er)?"
    r"|s[oö]hne?|t[oö]chter)\b.{0,30}$)",
    re.IGNORECASE,
)
_CITIZENSHIP_WORDS = ("citizen", "national", "passport", "staatsbürger", "staatsangehörig")
_CITIZENSHIP = re.compile(
    r"\b[^\W\d_]+(?:[- ][A-Z][^\W\d_]+)? (?:citizen(?:ship)?|national(?:ity)?|passport(?: holder)?"
    r"|staatsbürger(?:in|schaft)?|staatsangehörige[r]?|staatsangehörigkeit)\b",
    re.IGNORECASE,
)
_CONTACT = re.compile(r"[\w.+-]@[\w-]+\.\w|(?:\+|\(?\b0)[\d()/ .-]{6,}\d")
_TITLE = re.compile(
    r"^\W*(?:curriculum vitae|lebenslauf|cv|r[ée]sum[ée]|persönliche daten|personal (?:data|details))\b\W*",
    re.I,
)
_PARTICLES = frozenset(
    "van von vom zu zur der den de del della di da dos la le el al bin ibn y ten ter af".split()
)
_NAME_WORD = r"[^\W\d_a-zß][^\W\d_]*(?:['’.-][^\W\d_]+)*\.?"
_NAME = re.compile(
    rf"^{_NAME_WORD}(?:\s+(?:{_NAME_WORD}|{'|'.join(sorted(_PARTICLES))})){{0,4}}\s+{_NAME_WORD}$"
)
_LOCAL_PART = re.compile(r"([\w.+-]+)@[\w-]+\.\w")
_LABELLED_NAME = re.compile(r"^\W*(?:full )?name\s*[:|\t]\s*(.+)$", re.IGNORECASE)


def remove_slowly(profile: Profile) -> Profile:
    lines = profile.text.split("\n")
    name = _find_name(lines)
    kept = "\n".join(_without_labels(lines))
    lowered = kept.lower()
    if any(word in lowered for word in _CITIZENSHIP_WORDS):
        kept = _CITIZENSHIP.sub(" ", kept)
    return Profile(_without_name(kept, name))


def _without_labels(lines: list[str]) -> Iterator[str]:
    after_label = False
    for line in lines:
        # In a table that became text, the value stands on the line after its label.
        personal = after_label or any(rule.match(line) for rule in (_LABELLED, _STATUS, _PHOTO))
        after_label = bool(line.strip()) and not after_label and bool(_CELL_LABEL.match(line))
        yield "" if personal or after_label else line


def read_labelled_slowly(written: str) -> list[str]:
    parts = re.split(r"[,|·•(\t]|\s[-–—/]\s|\s{3,}", written.strip())
    words = parts[0].split()
    if len(words) == 1 and len(parts) > 1 and len(parts[1].split()) in (1, 2) and "," in written:
        words = parts[1].split() + words
    return words if len(words) <= 6 else []


def _find_name(lines: list[str]) -> list[str]:
    filled = [line for line in lines if line.strip()]
    header = filled[:HEADER_LINES]
    if len(filled) < FEWEST_LINES or not any(map(_CONTACT.search, header)):
        return []
    for line in header:
        labelled = _LABELLED_NAME.match(line)
        if labelled:
            return read_labelled_slowly(labelled[1])
    contact = next(number for number, line in enumerate(header) if _CONTACT.search(line))
    candidates = []
    for line in header[: min(contact + 1, NAME_LINES)]:
        candidate = re.split(r"[,|·•(\t]|\s[-–—/]\s|\s{3,}", _TITLE.sub("", line).strip(" *#_\t"))[0].strip()
        if _NAME.match(candidate):
            candidates.append(candidate.split())
    # "Staff Nurse" above "Anna Smith" looks like a name too: the address tells them apart.
    addresses = _plain(" ".join(_LOCAL_PART.findall("\n".join(header))))
    named = [words for words in candidates if any(len(w) > 2 and _plain(w) in addresses for w in words)]
    return (named or candidates or [[]])[0]


def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def _without_name(text: str, name: list[str]) -> str:
    if not name:
        return text
    full = r"\s+".join(map(re.escape, name))
    text = re.sub(rf"(?<!\w){full}(?!\w)", "", text, flags=re.IGNORECASE)
    for given_name in name[:-1]:
        if given_name in _PARTICLES:
            continue
        written = "|".join(
            {re.escape(form) for form in (given_name.capitalize(), given_name.upper(), given_name)}
        )
        text = re.sub(rf"(?<!\w)(?:{written})(?!\w)", "", text)
    return text


NAMES = [
    *("Anna Smith", "ANNA SMITH", "anna smith", "Jean-Luc O'Neill", "Ludwig van der Berg", "Mehmet Yıldırım"),
    *("İpek Kaya", "Ωμέγα Σίγμας", "Jürgen Groß", "A. B. Müller", "Mary Jane Baker", "María de la Cruz"),
]
LETTERS = st.text(st.sampled_from("aAsSſiIıİkK\u212aµß_0 \t-:|.,+()@/\u00a0\r\u2028"), max_size=8)
PIECES = st.one_of(
    st.sampled_from(NAMES),
    st.sampled_from(NAMES).map(str.upper),
    st.sampled_from(NAMES).map(lambda name: name.replace(" ", "  ").title()),
    st.sampled_from(NAMES).map(lambda name: name.split()[0]),
    st.sampled_from(
        ["anna.smith@mail.example", "j@b.example", "@", "a@b.cc@d.e", "+44 7700 900123", "(0113) 496 0999"]
    ),
    st.sampled_from([": ", "\t", " - ", " | ", ", ", "  ", " ", "- ", "* ", "# ", "\n", "\n\n", "：", "="]),
    st.sampled_from(
        [
            "Name",
            "Full name: ",
            "name |",
            "NAME\t",
            "1990",
            "in Leeds",
            "am 3. Mai",
            "two children",
            "drei Kinder",
        ]
    ),
    st.sampled_from(
        [
            " citizen",
            "Irish citizen",
            "South African passport holder",
            " nationality",
            "Dual national",
            "deutsche Staatsangehörige",
            "Schweizer Staatsbürgerin",
            "Irish paſſport",
            "cıtızen",
            "international",
        ]
    ),
    st.sampled_from(
        [
            "Lebenslauf",
            "Curriculum vitae – ",
            "CV",
            "Résumé of ",
            "Staff Nurse",
            "Head Chef",
            "Skills",
            "History",
        ]
    ),
    st.from_regex(re.compile(_LABEL, re.IGNORECASE), fullmatch=True),
    st.from_regex(
        re.compile(
            r"(?:photo(?:graph)?|picture|(?:bewerbungs)?foto|lichtbild)[ :]?(?:anbei|attached)?",
            re.IGNORECASE,
        ),
        fullmatch=True,
    ),
    st.from_regex(
        re.compile(
            r"(?:married|single|divorced|widowed|engaged|in a civil partnership|verheiratet|ledig"
            r"|geschieden|verwitwet|verlobt|alleinerziehend)",
            re.IGNORECASE,
        ),
        fullmatch=True,
    ),
    LETTERS,
)
LINES = st.lists(PIECES, max_size=5).map("".join)
TEXTS = st.lists(LINES, max_size=16).map("\n".join)


@settings(max_examples=600, deadline=None)
@given(TEXTS)
@example("Name\nAnna Smith\nName")
@example("Name\n\nName\nName")
@example("\nAnna Smith\na@b.cc@d.e\nx\nx\nx\nx anna  smıth ANNA\u2028SMITH Annas Smith Anna")
@example("Staff Nurse\nAnna Smith\n@anna.b@c.de\nx\nx\nx Staff Nurse Anna Smith")
@example("Staff Nurse\nAnna Smith\n0113 4960999 @x.anna.b@c.de@anna.e\nx\nx\nx Staff Nurse Anna Smith")
@example("an Irish citizen national passport\nIrish paſſport, international\nIrish CITIZEN")
@example("an Irish paſſport\nſex: f\nſingle\nın a partnership\nAGE\u00a03")
def test_the_same_is_removed_as_line_by_line(text: str) -> None:
    assert remove_personal_data(Profile(text)).text == remove_slowly(Profile(text)).text


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(NAMES), st.lists(PIECES, max_size=12).map(" ".join))
def test_the_same_name_is_removed_as_line_by_line(name: str, text: str) -> None:
    cv = f"{name}\nCook\nanna@mail.example, +44 7700 900123\nSkills\nHistory\n{text}\n{name} {text}"
    assert remove_personal_data(Profile(cv)).text == remove_slowly(Profile(cv)).text


@pytest.mark.parametrize("path", CVS, ids=lambda path: path.stem)
def test_the_same_is_removed_from_a_sample_cv_as_line_by_line(path: Path) -> None:
    text = read_cv(path).text
    for form in (text, text.upper(), text.lower(), text.replace("\n", "\r\n"), text.replace("i", "ı")):
        assert remove_personal_data(Profile(form)).text == remove_slowly(Profile(form)).text


@pytest.mark.parametrize(
    "piece",
    [
        "@",
        "a",
        "a@",
        "@a.b",
        "(",
        "0 ",
        "+",
        "-",
        "\n",
        "\t",
        "Name\n",
        "Name: ",
        "Irish citizen ",
        "Jo Baker\n",
        "\n- ",
    ],
)
def test_removing_takes_time_in_proportion_to_the_text(piece: str) -> None:
    text = "Jo Baker\njo@mail.example\nSkills\n" + piece * (1_000_000 // len(piece)) + "\nHistory\nTraining"
    start = time.perf_counter()
    remove_personal_data(Profile(text))
    assert time.perf_counter() - start < 5
