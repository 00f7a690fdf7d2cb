"""Places: what a location says is read, and nothing else."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from matcher import Posting
from matcher.countries import COUNTRIES, COUNTRY_CODES, REGION_CODES, REGIONS, country_code, fold_name
from matcher.places import MOST_PLACES, Place, is_remote, parse_places

PROPERTY = settings(max_examples=300, deadline=None)

FRAGMENTS = [
    "Berlin",
    "remote",
    "Remote",
    "UK",
    "CA",
    "DE",
    "Bavaria",
    "Georgia",
    "hybrid",
    "no",
    "kein",
    "Homeoffice",
]
FRAGMENTS += [
    ",",
    " / ",
    " or ",
    "(",
    ")",
    " - ",
    ";",
    "Co. Cork",
    "12345",
    "und",
    "EU",
    "\n",
    "ü",
    "work from home",
]
locations = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=4), max_size=10).map(" ".join)


def seen(location):
    return [(p.city, p.region, p.country, *(["remote"] if p.remote else [])) for p in parse_places(location)]


@pytest.mark.parametrize(
    ("location", "wanted"),
    [
        ("", []),
        (" \t", []),
        ("hybrid", []),
        ("kein Homeoffice", []),
        ("UK", [("", "", "GB")]),
        ("U.S.", [("", "", "US")]),
        ("USA", [("", "", "US")]),
        ("The Netherlands", [("", "", "NL")]),
        ("England", [("", "England", "GB")]),
        ("Österreich", [("", "", "AT")]),
        ("NO", [("", "", "NO")]),
        ("Remote (EU)", [("", "EU", "", "remote")]),
        ("Remote - US only", [("", "", "US", "remote")]),
        ("Remote US", [("", "", "US", "remote")]),
        ("Remote, UK or Ireland", [("", "", "GB", "remote"), ("", "", "IE", "remote")]),
        ("Work from home", [("", "", "", "remote")]),
        ("Berlin or remote", [("Berlin", "", ""), ("", "", "", "remote")]),
        ("Regensburg oder Homeoffice", [("Regensburg", "", ""), ("", "", "", "remote")]),
        ("Remote or Madrid", [("", "", "", "remote"), ("Madrid", "", "")]),
        (
            "Basel, CH or remote (DE/AT)",
            [("Basel", "", "CH"), ("", "", "DE", "remote"), ("", "", "AT", "remote")],
        ),
        ("Tulsa, OK or remote (US Central time)", [("Tulsa", "OK", "US"), ("", "", "US", "remote")]),
        ("Berlin (hybrid)", [("Berlin", "", "")]),
        ("Hybrid remote in Austin, TX", [("Austin", "TX", "US")]),
        ("Bern (no remote)", [("Bern", "", "")]),
        ("München, Bayern", [("München", "Bayern", "DE")]),
        ("Villach, Kärnten (AT)", [("Villach", "Kärnten", "AT")]),
        ("Zürich / Basel", [("Zürich", "", ""), ("Basel", "", "")]),
        ("Dundalk / Dublin, Ireland", [("Dundalk", "", "IE"), ("Dublin", "", "IE")]),
        ("Groningen, Netherlands or Bristol, UK", [("Groningen", "", "NL"), ("Bristol", "", "GB")]),
        ("Toronto, ON, Canada", [("Toronto", "ON", "CA")]),
        ("Ontario, Canada", [("", "Ontario", "CA")]),
        ("Newry, Northern Ireland, UK", [("Newry", "Northern Ireland", "GB")]),
        ("Mallow, Co. Cork", [("Mallow", "Co. Cork", "")]),
        ("Clonakilty, Co. Cork, Ireland", [("Clonakilty", "Co. Cork", "IE")]),
        ("Spiez, Kanton Bern", [("Spiez", "Kanton Bern", "CH")]),
        ("Visp (VS)", [("Visp", "VS", "CH")]),
        ("Rietwil ZH, CH", [("Rietwil", "ZH", "CH")]),
        ("Münster (Westf.), Deutschland", [("Münster (Westf.)", "", "DE")]),
        ("Frankfurt (Oder)", [("Frankfurt (Oder)", "", "")]),
        ("Frankfurt/Main", [("Frankfurt/Main", "", "")]),
        ("73430 Aalen", [("Aalen", "", "")]),
        ("D-10115 Berlin", [("Berlin", "", "")]),
        ("London UK", [("London", "", "GB")]),
        ("London, SW1A 1AA", [("London", "", "")]),
        ("South Wales", [("South Wales", "", "")]),
        ("Winston-Salem, NC", [("Winston-Salem", "NC", "US")]),
        ("500 Castro Street , Mountain View, CA 94041, US", [("Mountain View", "CA", "US")]),
        ("1070 E Meadow Circle , Palo Alto, CA 94303, US", [("Palo Alto", "CA", "US")]),
        ("Los Angeles, CA (Headquarters)", [("Los Angeles", "CA", "US")]),
        ("Sacramento, California Area", [("Sacramento", "California", "US")]),
        ("San Francisco Bay Area", [("San Francisco Bay Area", "", "")]),
        ("Community Team (MH), Leyland", [("Community Team", "MH, Leyland", "")]),
        ("Aalen (Landkreis Ostalb), Deutschland", [("Aalen", "Landkreis Ostalb", "DE")]),
        ("England, Wales", [("", "England", "GB"), ("", "Wales", "GB")]),
        ("Home Based Treatment Team, Bolton", [("Home Based Treatment Team", "Bolton", "")]),
        ("73430 Aalen, Baden-Württemberg, DE", [("Aalen", "Baden-Württemberg", "DE")]),
        ("Sunnyvale, US-CA", [("Sunnyvale", "CA", "US")]),
        ("Germany - Berlin", [("Berlin", "", "DE")]),
        ("Germany and Austria", [("", "", "DE"), ("", "", "AT")]),
        ("Trinidad and Tobago", [("", "", "TT")]),
        ("New York", [("New York", "", "")]),
        ("New York, NY", [("New York", "NY", "US")]),
        ("Guy&#39;s Hospital, Southwark", [("Guy's Hospital", "Southwark", "")]),
        # Capitals that are a country and a state or province: after a city the state, alone neither.
        ("San Francisco, CA", [("San Francisco", "CA", "US")]),
        ("Indianapolis, IN", [("Indianapolis", "IN", "US")]),
        ("Atlanta, GA", [("Atlanta", "GA", "US")]),
        ("Aalen, DE", [("Aalen", "", "DE")]),
        ("Utrecht, NL", [("Utrecht", "", "NL")]),
        ("Bratislava, SK", [("Bratislava", "SK", "")]),
        ("CA", [("", "CA", "")]),
        ("IN", [("", "IN", "")]),
        ("Remote (CA)", [("", "CA", "", "remote")]),
        ("DE", [("", "", "DE")]),
        ("TX", [("", "TX", "US")]),
        ("Atlanta, Georgia", [("Atlanta", "Georgia", "")]),
        ("Atlanta, Georgia, United States", [("Atlanta", "Georgia", "US")]),
        # Behind a region they are the country.
        ("Bengaluru, KA, IN", [("Bengaluru", "KA", "IN")]),
        ("Bengaluru, Karnataka, IN", [("Bengaluru", "Karnataka", "IN")]),
        ("Mumbai, MH, IN", [("Mumbai", "MH", "IN")]),
        ("Toronto, ON, CA", [("Toronto", "ON", "CA")]),
        ("Toronto, Ontario, CA", [("Toronto", "Ontario", "CA")]),
        ("Bogotá, DC, CO", [("Bogotá", "DC", "CO")]),
        ("Munich, BY, DE", [("Munich", "BY", "DE")]),
        ("Remote, Bengaluru, KA, IN", [("Bengaluru", "KA", "IN", "remote")]),
        ("Downtown, LA, CA", [("Downtown", "LA, CA", "US")]),
        ("Downtown, Gary, IN", [("Downtown", "Gary, IN", "US")]),
        # Cities that are a part of a country, too.
        ("Berlin, Hamburg", [("Berlin", "", ""), ("Hamburg", "", "")]),
        ("Berlin, Hamburg, DE", [("Berlin", "", "DE"), ("Hamburg", "", "DE")]),
        ("Berlin, Hamburg, München", [("Berlin", "", ""), ("Hamburg", "", ""), ("München", "", "")]),
        ("Berlin, Berlin", [("Berlin", "Berlin", "DE")]),
        ("New York, New York", [("New York", "New York", "US")]),
        ("Winterthur, Zürich", [("Winterthur", "Zürich", "CH")]),
        # No place at all.
        ("bundesweit", []),
        ("Nationwide", []),
        ("München, bundesweit", [("München", "", "")]),
        ("Remote (bundesweit)", [("", "", "", "remote")]),
        ("deutschlandweit", [("", "", "DE")]),
        # Some days at home.
        ("Homeoffice möglich", []),
        ("Berlin, Home-Office teilweise möglich", [("Berlin", "", "")]),
        ("Köln (Homeoffice möglich)", [("Köln", "", "")]),
        ("Berlin, 100% Homeoffice möglich", [("Berlin", "", "", "remote")]),
        ("Berlin (Homeoffice möglich) or remote", [("Berlin", "", ""), ("", "", "", "remote")]),
        # Lower case is no code.
        ("berlin, de", [("berlin", "de", "")]),
    ],
)
def test_what_a_location_says_is_read(location, wanted):
    assert seen(location) == wanted


@PROPERTY
@given(locations)
@example("work / from home")
@example("remote (")
def test_any_text_is_read_and_remote_is_one_answer(location):
    places = parse_places(location)
    assert len(places) <= MOST_PLACES
    assert (
        any(place.remote for place in places)
        == is_remote(location)
        == Posting(id="1", location=location).remote
    )
    assert all(place.country in COUNTRY_CODES | {""} for place in places)
    assert Posting(id="1", location=location).places == places
    assert all(place != Place() for place in places)


@pytest.mark.parametrize("code", sorted(COUNTRY_CODES))
def test_every_country_is_found_by_its_names_after_a_city(code):
    names = [name for name, owner in COUNTRIES.items() if owner == code]
    assert names
    for name in names:
        assert country_code(name) == code
        assert [place.country for place in parse_places(f"Sometown, {name}")] == [code], name


def test_the_table_has_every_code_once_and_no_name_of_two():
    assert len(COUNTRY_CODES) == 249
    assert all(len(code) == 2 and code.isupper() for code in COUNTRY_CODES)
    both = set(COUNTRIES) & set(REGIONS)
    assert both == set(), both
    assert len([code for code, owners in REGION_CODES.items() if "US" in owners]) == 51
    assert [
        len([c for c, owners in REGION_CODES.items() if country in owners])
        for country in ("CA", "AU", "GB", "DE", "AT", "CH")
    ] == [13, 8, 4, 16, 9, 26]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("Deutschland", "DE"),
        ("germany", "DE"),
        ("gb", "GB"),
        ("u.k.", "GB"),
        ("Schweiz", "CH"),
        ("Georgia", ""),
        ("", ""),
        ("XX", ""),
        ("Bavaria", ""),
    ],
)
def test_a_country_is_found_by_name_or_code(name, code):
    assert country_code(name) == code


@PROPERTY
@given(st.text(max_size=20))
def test_a_folded_name_stays_as_it_is(name):
    folded = fold_name(name)
    assert fold_name(folded) in (folded, folded.removeprefix("the "))
