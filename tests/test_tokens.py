"""The compiled pass gives the tokens of the analyzer, whatever the text."""

import random
import unicodedata

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from matcher.analyzer import analyze, fold, select_features, tag_parts, tokenize
from matcher.code_points import LAST, MARK, NUMERIC, PLAIN, UNFOLDED, WORD, code_points
from matcher.hashtags import normalise_hashtag
from matcher.tokens import Tokens, split_compiled, split_in_python

PIECES = [
    *r"""
    cC r R f j J # + ++ +++ / . , ; : - _ * · ( ) @ .net .NET .net. asp.net ASP.NETx node.js Node.JS
    .js js net tcp/ip TCP/IP pl/sql PL/SQL ci/cd CI/CD 24/7 1/2 a/b/c I/O c# C# f#x c++ C++11 g++ 9++
    and the und 2019 ½ Ⅷ ٣ 𝟘 ² www. WWW.a http:// HTTPS://x.y jo@beck.example a@b beck.com/jobs
    Beck.DEV/x .io/ .ıo/ (m/f/d) (M/W/D) m/w/d w/m (mwd) (gn) ( m | w | x ) (männlich/weiblich)
    (div./m) (nb/m) *in *innen :in _in ·in /in /-in /-r /r /n /s *r (r) (in) (innen) In Innen IN IN(
    Lehrer LehrerIn Angestellte Köch e er ﬁ ﬀ ö Ö İ ı Σ ΟΔΟΣ ς ſ K Å ß ẞ Ⱥ Ⱦ Ω कि ทำ กำ ยี่ 한국 ㄱ 각
    👩🏽‍⚕️ 漢字 日本語 שָׁלוֹם العربية 𝔘 ﬅ ǅ ㎏ ⅓ @b.c j@ö.é .a..b a-b@c_d.e-f ö%+@x.y @@
    a@b.c.d.e.f.g.h.i.j.k.l c*r*in straße ward
    """.split(),
    *"\u00ad \u200b o\u0308 O\u0308 i\u0307 é\u0327 \u0301 \u0327 \u20e3 \ufe0f \u1112\u1161\u11ab".split(
        " "
    ),
    *"\ud800 \ud83d \U0001f600 \U000e0101 \U0002f800 \n \t \u00a0 \x1c".split(" "),
    "(all genders)",
    "(m: w)",
    "(female, male)",
    "x" * 63,
    "x" * 64,
    "x" * 65,
    " ",
    "  ",
]
texts = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=12).map("".join)


def described(tokens: Tokens) -> dict[str, object]:
    return {
        "tokens": list(tokens.strings),
        "hashes": tokens.strings.hashes.tolist(),
        "features": tokens.is_feature.tolist(),
        "hashtags": list(tokens.as_hashtags()),
        "bounds": tokens.bounds.tolist(),
    }


@settings(max_examples=1500, deadline=None)
@given(st.lists(texts | st.text(max_size=30), max_size=4))
@example(["c++a c#/b a_/b", "x++ x+++", ".net.net", "a.net.js"])
@example(["e*r" + "x" * 64 + "@b.de", "a@" + "x" * 63 + ".de", "a@b." + "x" * 63 + "in", "a@b." + "x" * 64])
@example(
    ["a@b@c.d a@b.c@d.e", "a@b.c.d.e.f.g.h.i.j.k*in", "a@b.com/jobs m/f@x.y (m@b.c/w)", "ö@b.é|", "a@bwww.a"]
)
@example(["(male/female)", "(\x1cm/w)", "(female/male)", "(weiblich/m)"])
@example(["Dr.io/x", "m/w/dx", "xm/w", "/m/w", "(mm/w)"])
def test_compiled_and_reference_tokens_are_the_same(drawn: list[str]) -> None:
    assert described(split_compiled(drawn)) == described(split_in_python(drawn))


def test_compiled_and_reference_tokens_are_the_same_on_50_000_texts() -> None:
    draw = random.Random(7)
    drawn = []
    for _ in range(50_000):
        if draw.random() < 0.3:  # any characters at all, within one block of Unicode
            start = draw.randrange(0, 0x33480, 64)
            drawn.append(
                "".join(chr(draw.randrange(start, start + 200)) for _ in range(draw.randrange(1, 12)))
            )
        else:
            drawn.append("".join(draw.choices(PIECES, k=draw.randrange(1, 9))))
    assert described(split_compiled(drawn)) == described(split_in_python(drawn))


@settings(max_examples=300, deadline=None)
@given(texts | st.text(max_size=40))
def test_tokens_in_arrays_are_those_of_the_analyzer(text: str) -> None:
    tokens = split_in_python([text])
    assert list(tokens.strings) == tokenize(text)
    assert list(tokens.features()) == analyze(text)
    assert list(tokens.as_hashtags()) == tag_parts(tokenize(text))


def test_every_character_alone_and_between_letters() -> None:
    characters = [chr(code) for code in [*range(LAST + 100), *range(0xE0000, 0xE0200), 0x10FFFF]]
    drawn = [f"{character} a{character}b {character}" for character in characters]
    compiled, reference = split_compiled(drawn), split_in_python(drawn)
    assert np.array_equal(compiled.bounds, reference.bounds)
    assert np.array_equal(compiled.strings.data, reference.strings.data)
    assert np.array_equal(compiled.is_feature, reference.is_feature)


def test_tables_of_code_points_agree_with_python() -> None:
    kinds, lower = code_points()
    for code in range(LAST):
        character = chr(code)
        assert bool(kinds[code] & WORD) == character.isalnum()
        assert bool(kinds[code] & NUMERIC) == character.isnumeric()
        if code < 0x20000:
            assert bool(kinds[code] & MARK) == (unicodedata.category(character)[0] == "M")
        if not kinds[code] & UNFOLDED and not 0xD800 <= code < 0xE000:
            assert chr(lower[code]) == character.lower() == fold(character), code
        if kinds[code] & PLAIN:
            assert normalise_hashtag(character) == chr(lower[code])
    assert not any(chr(code).isalnum() for code in range(LAST, 0x110000))


@pytest.mark.parametrize("split", [split_compiled, split_in_python])
def test_no_texts_and_empty_texts(split) -> None:
    assert described(split([]))["bounds"] == [0]
    assert described(split(["", " ", ""]))["bounds"] == [0, 0, 0, 0]


def test_selected_features_do_not_depend_on_their_neighbours() -> None:
    tokens = split_compiled(["the c r x 12 ½ 24/7 go " + "x" * 64 + " " + "x" * 65])
    assert list(tokens.features()) == select_features(list(tokens.strings)) == ["c", "r", "go", "x" * 64]
