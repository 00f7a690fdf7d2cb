"""Tokens: names of technologies survive, gender markers and addresses do not."""

import re
import time
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from matcher.analyzer import LONGEST_TOKEN, analyze, fold, tag_candidates, tokenize
from matcher.hashtags import normalise_hashtag
from matcher.stopwords import STOPWORDS

PROPERTY = settings(max_examples=200, deadline=None)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("C++ C# .NET Node.js R CI/CD", ["c++", "c#", ".net", "node.js", "r", "ci/cd"]),
        ("(C++, C#; .NET) Node.js. R!", ["c++", "c#", ".net", "node.js", "r"]),
        ("C/C++/C#", ["c", "c++", "c#"]),
        ("ASP.NET VB.NET C#.NET", ["asp.net", "vb.net", "c#", ".net"]),
        ("F# J# Vue.js/d3.js", ["f#", "j#", "vue.js", "d3.js"]),
        ("C++17, C#-Entwicklung, R-Programmierung", ["c++", "c#", "entwicklung", "r", "programmierung"]),
        ("TCP/IP PL/SQL", ["tcp/ip", "pl/sql"]),
        ("Objective-C and k8s, 3D, B2B, 5G", ["objective", "c", "k8s", "3d", "b2b", "5g"]),
        ("SQL/NoSQL ETL/ELT", ["sql", "nosql", "etl", "elt"]),
        ("Skills: R, SQL", ["skills", "r", "sql"]),
        ("Python/R", ["python", "r"]),
        ("SAS/R und Tools:R", ["sas", "r", "tools", "r"]),
        ("R/Python", ["r", "python"]),
        ("ac# notepad++ x#y", ["ac", "notepad"]),
    ],
)
def test_names_of_technologies_are_kept_whole(text, wanted):
    tokens = [token for token in analyze(text) if token != "y"]
    assert tokens == wanted


@pytest.mark.parametrize(
    "word",
    [
        "Müller",
        "ÜBUNG",
        "résumé",
        "naïve",
        "ČEŠTINA",
        "ŁÓDŹ",
        "Ωμέγα",
        "Ёлка",
        "日本語",
        "smørrebrød",
        "Straße",
    ],
)
def test_a_word_keeps_its_accents_however_they_are_written(word):
    wanted = [unicodedata.normalize("NFC", word.lower())]
    for form in ("NFC", "NFD"):
        assert analyze(unicodedata.normalize(form, word)) == wanted
        assert analyze(unicodedata.normalize(form, word.upper() if word != "Straße" else word)) == wanted


@pytest.mark.parametrize("word", ["हिन्दी", "ภาษาไทย", "தமிழ்"])
def test_a_word_keeps_the_vowel_signs_of_its_script(word):
    assert analyze(word) == [word]


def test_words_broken_by_typesetting_are_put_together():
    assert analyze("ﬁnance oﬃce Silben\u00adtrennung zero\u200bwidth") == [
        "finance",
        "office",
        "silbentrennung",
        "zerowidth",
    ]


def test_the_turkish_capital_i_is_an_i():
    assert analyze("İSTANBUL İstanbul") == ["istanbul", "istanbul"]


MARKERS = [
    *("m/f/d", "m/w/d", "w/m/d", "d/m/w", "f/m/d", "m/f/x", "f/m/x", "m/w/x", "m/w", "w/m", "m/f", "f/m"),
    *("m/w/d/x", "m/w/divers", "m/w/div.", "w/m/gn", "m / w / d", "m|w|d", "m | w | d", "m,w,d", "m, w, d"),
    *("m*w*d", "m:w:d", "m-w-d", "m.w.d", "M/W/D", "H/F", "gn", "GN", "mwd", "all genders", "All Genders"),
    *("alle Geschlechter", "*", "männlich/weiblich/divers", "male/female/diverse"),
]


@pytest.mark.parametrize("marker", MARKERS)
def test_a_gender_marker_in_parentheses_is_no_word(marker):
    assert analyze(f"Controller ({marker}) Berlin") == ["controller", "berlin"]


@pytest.mark.parametrize(
    "marker", ["m/w/d", "w/m/d", "M/F/D", "m/w", "f/m", "m/f/x", "[m/w/d]", "-m/w/d-", "| m/w/d |"]
)
def test_a_gender_marker_without_parentheses_is_no_word(marker):
    assert analyze(f"Controller {marker} Berlin") == ["controller", "berlin"]


@pytest.mark.parametrize(
    "ending",
    [
        "*in",
        ":in",
        "_in",
        "·in",
        "/in",
        "/-in",
        "(in)",
        "*innen",
        ":innen",
        "/-innen",
        "(innen)",
        "In",
        "Innen",
    ],
)
def test_a_gender_ending_leaves_the_word(ending):
    assert analyze(f"Entwickler{ending} gesucht") == ["entwickler", "gesucht"]


@pytest.mark.parametrize("ending", ["*r", ":r", "/r", "/-r", "(r)"])
def test_the_ending_of_a_nominalised_adjective_leaves_the_word(ending):
    assert analyze(f"Angestellte{ending} gesucht") == ["angestellte", "gesucht"]


def test_words_that_only_look_like_gender_markers_are_kept():
    assert analyze("LinkedIn, built-in, A/B test, I/O, UI/UX, MD, WD40") == [
        *("linkedin", "built", "a/b", "test", "i/o", "ui/ux", "md", "wd40")
    ]


@pytest.mark.parametrize(
    "address",
    [
        "https://a.example/cooks?x=sql#nurse",
        "HTTP://A.EXAMPLE/COOKS",
        "Http://a.example/cooks",
        "www.cooks.example",
        "WWW.COOKS.EXAMPLE",
        "Www.cooks.example",
        "jo.nurse+sql@cooks.example",
        "JO@COOKS.EXAMPLE",
        "<jo@cooks.example>",
        "(https://a.example/cooks)",
        "mailto:jo@cooks.example",
    ],
)
def test_addresses_are_no_words(address):
    tokens = [token for token in analyze(f"before {address} after") if token != "mailto"]
    assert tokens == analyze("before after")


def test_a_sentence_goes_on_behind_an_address():
    assert analyze("See https://a.example/jobs, baker or cook") == ["see", "baker", "cook"]


def test_numbers_stop_words_and_single_letters_are_dropped_and_c_and_r_are_not():
    assert analyze("the 2019 10.000 ½ ² ٣ 24/7 a b c d r und für") == ["c", "r"]


@pytest.mark.parametrize("word", ["it", "us", "system", "bill", "interest", "computer", "work", "test"])
def test_words_that_larger_lists_delete_are_kept(word):
    assert analyze(word) == [word]


def test_stop_words_are_written_as_tokens_are():
    assert [word for word in sorted(STOPWORDS) if tokenize(word) != [word]] == []


def test_a_token_has_at_most_64_characters():
    assert analyze("a" * LONGEST_TOKEN) == ["a" * LONGEST_TOKEN]
    assert analyze("a" * (LONGEST_TOKEN + 1)) == []


def test_long_runs_of_anything_are_read():
    for text in (
        "a" * 300_000,
        "a." * 100_000,
        "a@" * 100_000,
        "(m/" * 100_000,
        "c+" * 100_000,
        "a/b" * 50_000,
    ):
        assert all(0 < len(token) <= LONGEST_TOKEN for token in analyze(text))


@PROPERTY
@given(st.text())
def test_tokens_are_lower_case_composed_and_hold_no_space(text):
    for token in tokenize(text):
        assert token
        assert token == token.lower()
        assert not any(char.isspace() for char in token)
        assert unicodedata.is_normalized("NFC", token)


@PROPERTY
@given(st.text(st.sampled_from("abcRC#+./-*:()mwd/in@ ÄÖüß\u00adﬁ1\n")))
def test_features_are_tokens_in_order_and_without_stop_words(text):
    features, tokens = analyze(text), iter(tokenize(text))
    assert all(feature in tokens for feature in features)  # a subsequence: `in` consumes the iterator
    assert not STOPWORDS.intersection(features)


@PROPERTY
@given(
    st.lists(
        st.text(st.characters(categories=["Ll"], max_codepoint=0x17F), min_size=3, max_size=9), max_size=6
    )
)
def test_plain_words_are_their_own_tokens(words):
    composed = [unicodedata.normalize("NFC", word) for word in words]
    lowered = [word.lower() for word in composed]
    assert tokenize(" ".join(composed)) == lowered
    assert tokenize(", ".join(composed)) == lowered


# --- tag candidates ---


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("Machine learning", "machine learning"),
        ("machine-learning", "MachineLearning"),
        ("MACHINE LEARNING", "machinelearning"),
        ("C++ and C#", "C++"),
        ("C++ and C#", "C#"),
        ("c# developer", "C#"),
        (".NET Core", ".NET"),
        (".NET Core", "dotnet core"),
        ("Node.js", "NodeJS"),
        ("CI/CD", "cicd"),
        ("ci / cd", "CI/CD"),
        ("IT support", "IT"),
        ("we do #it", "it"),
        ("R, SQL", "r"),
        ("Go developer", "go"),
        ("HR", "hr"),
        ("3D printing in 5G", "3D"),
        ("3D printing in 5G", "5g"),
        ("Prüfgeräte", "PRÜFGERÄTE"),
        ("Software as a service", "software as a service"),
    ],
)
def test_a_text_supports_a_hashtag(text, tag):
    assert normalise_hashtag(tag) in tag_candidates(text)


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("it was fun", "it"),
        ("we go on", "go"),
        ("a or b", "r"),
        ("customer success", "css"),
        ("java script", "script java"),
        ("one two three four five", "one two three four five"),
        ("windows of time", "linux"),
        ("", "c"),
        ("jo@AI.example", "ai"),
        ("Controller (m/w/d)", "d"),
    ],
)
def test_a_text_does_not_support_a_hashtag(text, tag):
    assert normalise_hashtag(tag) not in tag_candidates(text)


@PROPERTY
@given(st.lists(st.text(st.sampled_from("abcdefgh"), min_size=3, max_size=6), min_size=1, max_size=7))
def test_candidates_are_the_runs_of_one_to_four_words(words):
    runs = {
        "".join(words[i:j]) for i in range(len(words)) for j in range(i + 1, len(words) + 1) if j - i <= 4
    }
    assert tag_candidates(" ".join(words)) == runs


# --- folding, one substitution after the other over the whole text: the module does the same in less time ---

_LINK = re.compile(r"(?:https?://|www\.)[^\s<>\"')\]]+", re.IGNORECASE)
_DOMAINS = r"\.(?:com|org|de|at|ch|uk|ie|eu|io|dev|me|info|example)/"
_DOMAIN = re.compile(_DOMAINS, re.IGNORECASE)
_PATH = re.compile(rf"\b[\w-]{{1,63}}(?:\.[\w-]{{1,63}}){{0,4}}{_DOMAINS}[^\s<>\"')\]]+", re.IGNORECASE)
_MAIL = re.compile(r"[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_WWW = re.compile(r"www\.", re.IGNORECASE)
_LIGATURE = re.compile("[ﬀ-ﬆ\u00ad\u200b]")
_LIGATURES = str.maketrans(
    {
        "ﬀ": "ff",
        "ﬁ": "fi",
        "ﬂ": "fl",
        "ﬃ": "ffi",
        "ﬄ": "ffl",
        "ﬅ": "st",
        "ﬆ": "st",
        "\u00ad": None,
        "\u200b": None,
    }
)
_GENDER = (
    r"(?:[mwfdxhvkia]|gn|div(?:ers|erse)?\.?|nb|all(?:\s+genders?)?|alle(?:\s+geschlechter)?"
    r"|männlich|weiblich|male|female|diverse)"
)
_GENDER_MARKER = re.compile(
    rf"\(\s*{_GENDER}(?:\s?[/|*:,]\s?{_GENDER}){{1,3}}\s*\)"
    r"|\((?:gn|mwd|wmd|mfd|fmd|mfx|all genders?|alle geschlechter)\)"
    r"|[mwfdxhv]/(?<![\w/]..)(?:[mwfdxhv]/[mwfdxhv]|(?<=m/)[wf]|(?<=w/)m|(?<=f/)m)(?![\w/])",
    re.IGNORECASE,
)
# Case matters: the r of "Angestellte/r" is an ending, the R of "Software/R" a language. What stands before an
# ending is checked when one is found: a look-behind would be tried at every character.
_GENDER_ENDING = re.compile(
    r"(?:[*:_·]|/-?)(?:in(?:nen)?|IN(?:NEN)?)(?![\w/])"
    r"|\((?:in(?:nen)?|r)\)(?![\w/])"
    r"|(?:[*:_·]|/-?)(?P<flexion>[rns])(?![\w/])"
    r"|(?P<inner>In(?:nen)?)(?!\w)"
)


def _drop_ending(match):
    before = match.string[max(0, match.start() - 4) : match.start()]
    if match["flexion"]:
        is_ending = before[-1:] == "e" and before[-3:].isalpha() and len(before) > 2
    elif match["inner"]:
        is_ending = before[-1:] == "r" and before.isalpha() and len(before) == 4
    else:
        is_ending = before[-3:].isalpha() and len(before) > 2
    return " " if is_ending else match[0]


def fold_slowly(text):
    if "://" in text or _WWW.search(text):
        text = _LINK.sub(" ", text)
    if "@" in text:
        text = _MAIL.sub(" ", text)
    if "/" in text and _DOMAIN.search(text):
        text = _PATH.sub(" ", text)
    if not text.isascii():
        if _LIGATURE.search(text):
            text = text.translate(_LIGATURES)
        text = unicodedata.normalize("NFC", text)
    text = _GENDER_ENDING.sub(_drop_ending, _GENDER_MARKER.sub(" ", text)).lower()
    return text if text.isascii() else text.replace("i\u0307", "i")


ADDRESS_PIECES = st.sampled_from(
    [
        *(
            "https://",
            "http://",
            "HTTPS://",
            "httpſ://",
            "://",
            ":",
            "//",
            "www.",
            "WWW.",
            "wWw.",
            "www",
            "http",
        ),
        *("@", "jo@", "@mail.example", "jo.nurse+sql@cooks.example", "a@b.c", "x" * 63, "y" * 64, "z" * 65),
        *(
            "a.b.c.d.e",
            "-",
            "_",
            "%",
            "+",
            ".",
            "..",
            "/",
            "//",
            ".com/",
            ".DE/",
            ".me/jobs",
            ".ınfo/x",
            ".İo/",
        ),
        *(
            ".example/",
            "cooks.example/jobs",
            ".uK/",
            ".u\u212a/x",
            "a-b.co.uk/x",
            "<",
            ">",
            '"',
            "'",
            ")",
            "]",
            " ",
            "\n",
        ),
    ]
)
GENDER_PIECES = st.sampled_from(
    [
        *(
            "(m/w/d)",
            "(m/w)",
            "m/w/d",
            "m/w",
            "w/m",
            "f/m",
            "M/F/D",
            "h/f",
            "/",
            "m",
            "w",
            "/m",
            "d/",
            "( m | w )",
            "(gn)",
        ),
        *(
            "(MWD)",
            "(all  genders / m)",
            "(dıvers/m)",
            "(DİVERS,m)",
            "(männlich/weiblıch)",
            "(",
            ")",
            "(all genders)",
        ),
        *(
            "Entwickler*in",
            "Entwickler:innen",
            "Leiter_in",
            "Köch·in",
            "Lehrer/-innen",
            "LehrerIn",
            "LehrerInnen",
        ),
        *(
            "Angestellte/r",
            "Angestellte/-r",
            "Angestellte(r)",
            "Angestellte*n",
            "Leiter(in)",
            "KollegIn",
            "In",
            "IN",
            "Innen",
        ),
        *(
            "in",
            "innen",
            "*",
            ":",
            "_",
            "·",
            "/-",
            "(in)",
            "(r)",
            "r",
            "n",
            "s",
            "e",
            "er",
            "*IN",
            "/INNEN",
            "-",
            "1",
            "ß",
        ),
    ]
)
TEXT_PIECES = st.one_of(
    ADDRESS_PIECES,
    GENDER_PIECES,
    st.sampled_from(
        [
            "ﬁ",
            "ﬅ",
            "e\u0308",
            "\u0308",
            "A\u030a",
            "\u00ad",
            "\u200b",
            "İ",
            "ı",
            "ſ",
            "\u212a",
            "i\u0307",
            "Σ",
            "कि",
        ]
    ),
    st.text(max_size=3),
)
FOLDED = settings(max_examples=800, deadline=None)


@FOLDED
@given(st.lists(TEXT_PIECES, max_size=14).map("".join))
@example("x@b.c@d.e@f.g")
@example("a@b.cc@d.e" + "a" * 70 + "@b.c")
@example("www.http://a https://<www.x http://")
@example("://a http://b")
@example("A" + "a.b" * 200 + ".com/x")
@example("m/w/m/w (m/w)/m w/m/d/f m/w/")
def test_any_text_is_folded_as_by_plain_substitutions(text):
    assert fold(text) == fold_slowly(text)


@FOLDED
@given(st.lists(ADDRESS_PIECES, max_size=12).map("".join))
def test_addresses_are_folded_as_by_plain_substitutions(text):
    assert fold(text) == fold_slowly(text)


@FOLDED
@given(st.lists(GENDER_PIECES, max_size=8).map("".join))
def test_gender_markers_are_folded_as_by_plain_substitutions(text):
    assert fold(text) == fold_slowly(text)


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "@",
            "(",
            "/",
            ":",
            "a",
            "m/",
            "(m/",
            ".me/",
            "://",
            "www.",
            "http://<",
            "a@b",
            "a@b.c",
            "-.me/ ",
            "( ",
        ),
        "a.",
        "In",
    ],
)
def test_folding_takes_time_in_proportion_to_the_text(piece):
    start = time.perf_counter()
    fold(piece * (1_000_000 // len(piece)))
    assert time.perf_counter() - start < 5
