"""Pay: what adverts write is read when it is certain, and only then."""

import json
import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from matcher import Posting, PostingError
from matcher.money import write_number
from matcher.pay import LARGEST_PAY, PERIODS_A_YEAR, Pay, is_pay_record, parse_pay
from matcher.sources.entry import RawPosting
from matcher.sources.fields import build_posting

PROPERTY = settings(max_examples=300, deadline=None)

amounts = st.floats(1e-9, LARGEST_PAY) | st.integers(1, 10**12)
pays = st.builds(
    lambda limits, currency, period: Pay(*limits, currency, period),
    st.tuples(amounts, st.none())
    | st.tuples(st.none(), amounts)
    | st.lists(amounts, min_size=2, max_size=2).map(sorted),
    st.sampled_from(["", "EUR", "$", "kr", "£", "eur"]) | st.text(max_size=8).filter(str.isprintable),
    st.sampled_from(["", *PERIODS_A_YEAR, "shift", "pro Monat"])
    | st.text(max_size=8).filter(str.isprintable),
)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("€45.000 - 55.000 per year", (45_000, 55_000, "EUR", "year")),
        ("45k–55k GBP", (45_000, 55_000, "GBP", "")),
        ("45-55k", (45_000, 55_000, "", "")),
        ("$70k-90k", (70_000, 90_000, "$", "")),
        ("£12.50 an hour", (12.5, 12.5, "GBP", "hour")),
        ("$20/hr", (20, 20, "$", "hour")),
        ("12,- €/h", (12, 12, "EUR", "hour")),
        ("Stundenlohn 14,50 €", (14.5, 14.5, "EUR", "hour")),
        ("CHF 80'000", (80_000, 80_000, "CHF", "")),
        ("45 000 €", (45_000, 45_000, "EUR", "")),
        ("45\u202f000 €", (45_000, 45_000, "EUR", "")),
        ("USD 120,000+", (120_000, None, "USD", "")),
        ("US$1,234.56 monthly", (1_234.56, 1_234.56, "USD", "month")),
        ("1.234,56 EUR im Monat", (1_234.56, 1_234.56, "EUR", "month")),
        ("up to 60k", (None, 60_000, "", "")),
        ("bis zu 4.200,00 EUR monatlich", (None, 4_200, "EUR", "month")),
        ("ab 2.800 € brutto/Monat", (2_800, None, "EUR", "month")),
        ("mindestens 15 Euro pro Stunde", (15, None, "EUR", "hour")),
        ("between £30,000 and £35,000", (30_000, 35_000, "GBP", "")),
        ("£30,000 to £35,000 p.a.", (30_000, 35_000, "GBP", "year")),
        ("EUR 50.000,- Jahresgehalt", (50_000, 50_000, "EUR", "year")),
        ("Tagessatz 600 €", (600, 600, "EUR", "day")),
        ("£500 per week", (500, 500, "GBP", "week")),
        ("50000-60000", (50_000, 60_000, "", "")),
        ("45000", (45_000, 45_000, "", "")),
        # Other numbers beside an amount with its currency mean nothing; of two periods the next one counts.
        ("€3,000 gross per month, 40 hours per week", (3_000, 3_000, "EUR", "month")),
        ("£45k plus bonus and 25 days holiday", (45_000, 45_000, "GBP", "")),
        ("A7 (Band 5) £28,407 - £34,581", (28_407, 34_581, "GBP", "")),
        # What comes on top is no pay.
        ("€45,000 + €5,000 bonus", (45_000, 45_000, "EUR", "")),
        ("£39,152 - £47,181 plus £4,000 welcome payment", (39_152, 47_181, "GBP", "")),
        ("£36,000 plus bonus", (36_000, 36_000, "GBP", "")),
        ("$66,000 + service charge share", (66_000, 66_000, "$", "")),
        # A lakh is 100,000; LPA is lakhs per annum.
        ("₹12 LPA", (1_200_000, 1_200_000, "INR", "year")),
        ("₹12LPA", (1_200_000, 1_200_000, "INR", "year")),
        ("12 - 15 LPA", (1_200_000, 1_500_000, "", "year")),
        ("INR 4.5 lakhs per annum", (450_000, 450_000, "INR", "year")),
        ("€45,000 (m/w/d)", (45_000, 45_000, "EUR", "")),
        ("€45,000 m/w/d", (45_000, 45_000, "EUR", "")),
        ("£9.50ph", (9.5, 9.5, "GBP", "hour")),
        ("£30kpa", (30_000, 30_000, "GBP", "year")),
        ("£1,200pcm", (1_200, 1_200, "GBP", "month")),
        ("50-60 TEUR", (50_000, 60_000, "EUR", "")),
        ("55 TEUR p.a.", (55_000, 55_000, "EUR", "year")),
        ("TEUR 50 - 60", (50_000, 60_000, "EUR", "")),
        ("$50,000.00/year - $60,000.00/year", (50_000, 60_000, "$", "year")),
        ("£12.50 per hour to £14 per hour", (12.5, 14, "GBP", "hour")),
        # A sign that several currencies share stays a sign.
        ("kr 500 000", (500_000, 500_000, "kr", "")),
        ("¥5,000,000", (5_000_000, 5_000_000, "¥", "")),
    ],
)
def test_pay_in_text_is_read(text, wanted):
    assert parse_pay(text) == Pay(*wanted)
    assert parse_pay(f"  {text}\n") == Pay(*wanted)
    assert parse_pay([text]) == Pay(*wanted)


@pytest.mark.parametrize(
    "value",
    [
        *(
            "",
            " ",
            "negotiable",
            "competitive",
            "13. Monatsgehalt",
            "30 days",
            "100% remote",
            "40 hours per week",
        ),
        *(
            "2020-01-01",
            "TVöD E9",
            "010",
            "12",
            "-500",
            "€-500",
            "1e30",
            "NaN",
            "€60k - 50k",
            "€0",
            "$1.5M",
            "$1.5 million",
            "₹1.2 crore",
            "₹2 Cr",
            "$20/hour - $60,000/year",
            "€9.50phx",
            "1.2.3",
        ),
        *(
            "recruitment allowance £2,500",
            "£12.50 per hour (£24,000 a year)",
            "€45k - $50k",
            "call +49 30 123456",
        ),
        *("9" * 400 + " €", "€ " + "9 " * 5_000, "€9999999999999999"),
        *(
            None,
            True,
            [],
            ["£40k", "£50k"],
            [["£40k"]],
            12,
            0,
            -1,
            1e30,
            math.nan,
            math.inf,
            10**400,
            b"45k",
            {},
        ),
        {"min": 3, "max": 2},
        {"min": -1},
        {"minimum": math.nan},
        {"minimum": 1e30},
        {"minimum": 10**400},
        {"minimum": True},
        {"minimum": [1]},
        {"minimum": 1, "min": 2},
        {"minimum": 1, "value": 5},
        {"currency": "EUR"},
        {"currency": "EUR", "value": {"minValue": 0, "maxValue": 0}},
        {"currency": 5, "value": 45_000},
        {"currency": "x" * 100, "value": 45_000},
        {"value": {"value": {"value": 45_000}}},
        {"value": "negotiable"},
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_is_no_certain_pay_is_none(value):
    assert parse_pay(value) is None


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ({"minimum": 1, "maximum": 2.5, "currency": "eur", "period": "YEAR"}, (1, 2.5, "EUR", "year")),
        ({"minimum": "45.000", "maximum": "55,000.50"}, (45_000, 55_000.5, "", "")),
        ({"min": 50, "currency": "gbp", "interval": "per-year-salary"}, (50, None, "GBP", "year")),
        ({"currency": "EUR", "value": 45_000, "unitText": "MONTH"}, (45_000, 45_000, "EUR", "month")),
        ({"value": "€45k - 50k", "unitText": "YEAR"}, (45_000, 50_000, "EUR", "year")),
        ({"currency": "$", "value": {"value": 20, "unitText": "hour"}}, (20, 20, "$", "hour")),
        (
            {
                "@type": "MonetaryAmount",
                "currency": "USD",
                "value": {"@type": "QuantitativeValue", "minValue": "20", "maxValue": 30, "unitText": "HOUR"},
            },
            (20, 30, "USD", "hour"),
        ),
        ({"minimum": 0, "maximum": 9, "period": "per project"}, (0, 9, "", "per project")),
        (45_000, (45_000, 45_000, "", "")),
    ],
)
def test_pay_in_a_mapping_is_read(value, wanted):
    assert parse_pay(value) == Pay(*wanted)


@pytest.mark.parametrize(
    ("period", "times"), [("hour", 2080), ("day", 260), ("week", 52), ("month", 12), ("year", 1)]
)
def test_a_year_is_so_many_of_a_period(period, times):
    assert Pay(10, 20, "EUR", period).yearly == (10 * times, 20 * times)
    assert Pay(None, 20, "EUR", period).yearly == (None, 20 * times)


@pytest.mark.parametrize("period", ["", "shift", "fortnight", "project"])
def test_a_period_that_is_not_known_has_no_year(period):
    assert Pay(10, 20, "EUR", period).yearly is None


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        (0, 0),
        (0,),
        (2, 1),
        (-1,),
        (math.nan,),
        (math.inf,),
        (1e13,),
        ("1",),
        (True,),
        (1, 2, None),
        (1, 2, "a\nb"),
        (1, 2, "", 5),
        (1, 2, "", "x" * 41),
    ],
)
def test_pay_that_is_none_is_refused(arguments):
    with pytest.raises(PostingError):
        Pay(*arguments)


@PROPERTY
@given(pays)
@example(Pay(45.125, 1e12))
def test_a_record_of_pay_is_read_as_the_same_pay(pay):
    record = json.loads(json.dumps(pay.to_record()))
    assert is_pay_record(record)
    assert Pay.from_record(record) == pay
    assert parse_pay(record) == pay
    assert Pay(pay.minimum, pay.maximum, pay.currency, pay.period) == pay
    posting = Posting(id="1", pay=pay)
    assert Posting.from_record(posting.to_record()) == posting


@PROPERTY
@given(amounts.map(float))
def test_a_number_is_written_so_that_it_is_read_as_that_number(number):
    assert parse_pay({"minimum": write_number(number)}).minimum == number


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["minimum", "max", "value", "currency", "unitText", "x"]), inner, max_size=4
        )
    ),
    max_leaves=8,
)


@PROPERTY
@given(
    values
    | st.lists(
        st.sampled_from(["€", "45", ".000", "k", "-", " ", "per", "year", "EUR", "bis", "13", "+"])
    ).map("".join)
)
def test_any_value_is_pay_or_none(value):
    pay = parse_pay(value)
    assert pay is None or (pay == Pay(pay.minimum, pay.maximum, pay.currency, pay.period))


# --- fields ---


def build(**fields):
    return build_posting(RawPosting({"id": "1", "title": "Cook"} | fields, 1, "a.md"))


def test_pay_in_text_is_kept_as_it_was_written_too():
    posting, changes = build(pay="€45k plus car")
    assert posting.pay == Pay(45_000, 45_000, "EUR")
    assert posting.extra == {"payAsWritten": "€45k plus car"}
    assert changes == []


def test_pay_that_holds_all_that_was_written_is_not_kept_twice():
    for pay in ({"minimum": 1, "currency": "EUR"}, 45_000):
        posting, changes = build(pay=pay)
        assert posting.pay is not None
        assert posting.extra == {}
        assert changes == []


@pytest.mark.parametrize(
    "pay", ["negotiable", {"minimum": 3, "maximum": 2}, -5, {"min": 1, "note": ["x"], "max": 0}]
)
def test_pay_that_is_none_is_reported_and_kept(pay):
    posting, changes = build(pay=pay)
    assert posting.pay is None
    assert posting.extra == {"payAsWritten": pay}
    assert len(changes) == 1
    assert "payAsWritten" in changes[0]


def test_pay_is_read_from_salary_which_stays():
    for name in ("salary", "baseSalary"):
        posting, changes = build(**{name: "£12.50 an hour"})
        assert posting.pay == Pay(12.5, 12.5, "GBP", "hour")
        assert posting.extra == {name: "£12.50 an hour"}
        assert changes == []
    assert build(pay=45_000, salary="£12.50 an hour")[0].pay == Pay(45_000, 45_000)
    assert build(salary="negotiable")[1] == []
    assert build(baseSalary={"currency": "EUR", "value": {"minValue": 3, "maxValue": 2}})[1] != []


def test_the_end_of_an_advert_is_read_like_its_date():
    posting, changes = build(validThrough="Mon, 07 Dec 2020 00:00:00 GMT")
    assert posting.to_record()["validThrough"] == 1607299200000
    assert changes == []
    posting, changes = build(validThrough="soon")
    assert posting.valid_through is None
    assert posting.extra == {"validThroughAsWritten": "soon"}
    assert changes == ["validThrough 'soon' is no date: left empty"]


@pytest.mark.parametrize(
    ("record", "extra"),
    [
        ({"pay": "12"}, {"payAsWritten": "12"}),
        ({"pay": {"min": 12}}, {"payAsWritten": {"min": 12}}),
        (
            {"validThrough": "soon", "validThroughAsWritten": 1},
            {"validThroughAsWritten": 1, "validThroughAsWritten_": "soon"},
        ),
        ({"pay": None, "validThrough": None}, {}),
    ],
)
def test_what_was_an_unknown_field_in_a_stored_record_stays_one(record, extra):
    posting = Posting.from_record({"id": "1"} | record)
    assert (posting.pay, posting.valid_through) == (None, None)
    assert posting.extra == extra
    assert Posting.from_record(posting.to_record()) == posting


@pytest.mark.parametrize(
    "record",
    [
        {"pay": {"minimum": "x"}},
        {"pay": {}},
        {"pay": {"minimum": 2, "maximum": 1}},
        {"validThrough": True},
        {"validThrough": 10**30},
    ],
)
def test_a_stored_record_with_wrong_pay_or_end_is_refused(record):
    with pytest.raises(PostingError):
        Posting.from_record({"id": "1"} | record)
