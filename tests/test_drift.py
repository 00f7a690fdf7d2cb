"""Drift reports: counted again in plain Python, G2 against scipy, and a gate that refuses."""

import json
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.stats import chi2_contingency

from matcher import Matcher, OptionError, Posting, ProfileError
from matcher.changes import Changes
from matcher.drift import Gate, measure_drift
from matcher.drift.report import DriftReport, JudgedDrift, ProbeDrift
from matcher.drift.term_changes import PostingName
from matcher.drift.term_drift import LEAST_G2, LEAST_POSTINGS, compare_block, log_likelihood_ratio
from matcher.evaluate import JudgedCV, ndcg, rank_biased_overlap
from matcher.features import HashtagBlock, TextBlock, TitleBlock, posting_terms
from matcher.sources import Rejected
from tests.strategies import full_boards, postings, sentences

counts = st.integers(0, 40)


@given(st.lists(st.tuples(counts, counts), min_size=1, max_size=6), st.integers(40, 60), st.integers(40, 99))
@example([(0, 0)], 51, 54)
@example([(17, 18)], 51, 54)
def test_g2_is_that_of_scipy_and_signed(pairs, postings_before, postings_after):
    before, after = np.array(pairs, np.int64).T
    ratios = log_likelihood_ratio(before, after, postings_before, postings_after)
    for (was, is_now), ratio in zip(pairs, ratios.tolist(), strict=True):
        table = [[was, postings_before - was], [is_now, postings_after - is_now]]
        if min(np.sum(table, axis=0)) == 0:
            expected = 0.0
        else:
            expected = chi2_contingency(table, correction=False, lambda_="log-likelihood").statistic
        assert abs(ratio) == pytest.approx(expected, abs=1e-9)
        grew = is_now / postings_after - was / postings_before
        assert ratio == 0 or ratio * grew > 0


def test_g2_without_postings_is_0():
    some, none = np.array([3, 0]), np.zeros(2, np.int64)
    assert log_likelihood_ratio(none, some, 0, 5).tolist() == [0, 0]
    assert log_likelihood_ratio(some, none, 5, 0).tolist() == [0, 0]
    assert log_likelihood_ratio(some, some, 5, 5).tolist() == [0, 0]
    # A term that every posting has, or none, says nothing; no sign of a zero either.
    unmoved = log_likelihood_ratio(np.array([5, 0]), np.array([9, 0]), 5, 9)
    assert unmoved.tolist() == [0, 0]
    assert not np.signbit(unmoved).any()


def frequencies(block, board):
    return Counter(term for posting in board for term in set(posting_terms(block, posting)))


@settings(deadline=None)
@given(full_boards, full_boards)
def test_terms_are_those_counted_in_plain_python(first, second):
    for block in (TextBlock(), HashtagBlock(), TitleBlock()):
        matchers = [Matcher.fit(board) for board in (first, second)]
        drift = compare_block(*matchers, block.name, most=1000)
        before, after = frequencies(block, first), frequencies(block, second)
        new = {(block.label(term), 0, after[term]) for term in after.keys() - before.keys()}
        gone = {(block.label(term), before[term], 0) for term in before.keys() - after.keys()}
        assert {(change.term, change.before, change.after) for change in drift.new} == new
        assert {(change.term, change.before, change.after) for change in drift.gone} == gone
        assert (drift.new_count, drift.gone_count) == (len(new), len(gone))
        assert (drift.vocabulary_before, drift.vocabulary_after) == (len(before), len(after))
        assert (drift.postings_before, drift.postings_after) == (len(first), len(second))
        shared = before.keys() & after.keys()
        weights = [
            {term: math.log((1 + len(board)) / (1 + frequency[term])) + 1 for term in shared}
            for board, frequency in ((first, before), (second, after))
        ]
        shifts = {block.label(term): weights[1][term] - weights[0][term] for term in shared}
        assert drift.idf.terms == sum(drift.idf.counts) == len(shared)
        moved = {term: shift for term, shift in shifts.items() if abs(shift) > 1e-12}
        assert {entry.term: entry.shift for entry in drift.idf.largest} == pytest.approx(moved, abs=1e-12)
        if shared:
            assert drift.idf.mean == pytest.approx(sum(shifts.values()) / len(shared), abs=1e-12)
            sizes = [abs(shift) for shift in shifts.values()]
            assert drift.idf.mean_absolute == pytest.approx(sum(sizes) / len(shared), abs=1e-12)
            assert drift.idf.edges[0] == -drift.idf.edges[-1]
        ordered = [round(abs(entry.shift), 12) for entry in drift.idf.largest]
        assert ordered == sorted(ordered, reverse=True)


def board(*groups):
    """Return postings: (how many, text, hashtags) for each group."""
    made = []
    for number, (many, text, tags) in enumerate(groups):
        made += [Posting(id=f"{number}-{i:03}", title=f"{text} {i}", hashtags=tags) for i in range(many)]
    return made


def test_rising_and_dying_terms_come_with_g2_and_evidence():
    before = Matcher.fit(board((80, "nurse", []), (20, "cook", ["bread"])))
    after = Matcher.fit(board((50, "nurse", []), (60, "cook", ["bread"])))
    text, tags = (compare_block(before, after, name) for name in ("text", "hashtags"))
    [rising], [dying] = text.rising, text.dying
    assert (rising.term, rising.before, rising.after) == ("cook", 20, 60)
    assert (dying.term, dying.before, dying.after) == ("nurse", 80, 50)
    assert (
        rising.g2
        == -dying.g2
        == pytest.approx(
            chi2_contingency([[20, 80], [60, 50]], correction=False, lambda_="log-likelihood").statistic
        )
    )
    assert rising.evidence == tuple(PostingName(f"1-{i:03}", f"cook {i}") for i in range(3))
    assert [name.id for name in dying.evidence] == ["0-000", "0-001", "0-002"]
    assert [(change.term, change.before) for change in tags.rising] == [("#bread", 20)]
    assert (text.rising_count, text.dying_count, tags.rising_count, tags.dying_count) == (1, 1, 1, 0)


def test_weak_and_rare_changes_are_neither_rising_nor_dying():
    def strongest(was, is_now, postings):
        sides = [board((count, "cook", []), (postings - count, "nurse", [])) for count in (was, is_now)]
        return compare_block(*map(Matcher.fit, sides), "text")

    cell = np.array([20]), np.array([40]), 100, 100
    assert log_likelihood_ratio(*cell)[0] < LEAST_G2 < log_likelihood_ratio(cell[0], cell[1] + 2, 100, 100)[0]
    assert strongest(20, 40, 100).rising == strongest(40, 20, 100).dying == ()
    assert [change.term for change in strongest(20, 42, 100).rising] == ["cook"]
    assert [change.term for change in strongest(42, 20, 100).dying] == ["cook"]
    # From 1 of 1,000 to 4 of 5: strong, but four postings are an accident.
    rare = [board((1, "cook", []), (999, "nurse", [])), board((4, "cook", []), (1, "nurse", []))]
    assert LEAST_POSTINGS == 5
    assert log_likelihood_ratio(np.array([1]), np.array([4]), 1000, 5)[0] > LEAST_G2
    assert compare_block(*map(Matcher.fit, rare), "text").rising == ()


def test_new_and_gone_terms_come_most_frequent_first_and_only_so_many():
    before = Matcher.fit(board((2, "baker", []), (3, "smith", []), (2, "cooper", [])))
    after = Matcher.fit(board((1, "nurse", []), (4, "driver", []), (1, "cook", []), (1, "welder", [])))
    drift = compare_block(before, after, "text", most=3)
    assert [(change.term, change.after) for change in drift.new] == [("driver", 4), ("cook", 1), ("nurse", 1)]
    assert [(change.term, change.before) for change in drift.gone] == [
        ("smith", 3),
        ("baker", 2),
        ("cooper", 2),
    ]
    assert (drift.new_count, drift.gone_count) == (4, 3)
    # Evidence of what is gone can only be what was held before.
    assert [name.title for name in drift.gone[0].evidence] == ["smith 0", "smith 1", "smith 2"]
    assert [name.title for name in drift.new[1].evidence] == ["cook 0"]


def test_a_few_large_shifts_do_not_flatten_the_histogram():
    usual = [(2, f"word{number:03}", []) for number in range(300)]
    before = Matcher.fit(board(*usual, (1, "rare", [])))
    after = Matcher.fit(board(*usual, (150, "rare", [])))
    idf = compare_block(before, after, "text").idf
    assert idf.largest[0].term == "rare"
    assert abs(idf.largest[0].shift) > 4 * idf.edges[-1]
    assert idf.counts[0] == 1  # beyond the end, counted all the same
    assert sum(idf.counts) == idf.terms == 301


def test_blocks_that_only_one_side_has_are_compared_with_nothing():
    before = Matcher.fit(board((2, "cook", ["bread"])), blocks=[TextBlock(1.0)])
    after = Matcher.fit(board((2, "cook", ["bread"])), blocks=[HashtagBlock(1.0)])
    report = measure_drift(before, after, changes=Changes())
    tags, text = report.blocks
    assert (tags.name, [change.term for change in tags.new], tags.gone) == ("hashtags", ["#bread"], ())
    assert (text.name, text.new, [change.term for change in text.gone]) == ("text", (), ["cook"])
    assert [name.title for name in text.gone[0].evidence] == ["cook 0", "cook 1"]


PROBES = {"chef.md": "Sous chef, cook in a kitchen", "nurse.txt": "Staff nurse on a ward"}
OLD = [Posting(id="1", title="Cook"), Posting(id="2", title="Nurse"), Posting(id="3", title="Kitchen chef")]
NEW = [*OLD[1:], Posting(id="4", title="Chef cook")]


def recommended(matcher, text):
    """Return the ids of postings that share something with a text; the nurse's comes first."""
    ids = [item.posting.id for item in matcher.recommend(text) if item.score > 0]
    assert ids[0] == "2"
    return ids


def test_probes_are_compared_by_what_is_recommended():
    before, after = Matcher.fit(OLD), Matcher.fit(NEW)
    report = measure_drift(before, after, changes=Changes(("4",), (), ("1",)), probes=PROBES, k=2)
    for probe, text in zip(report.probes, PROBES.values(), strict=True):
        was, is_now = (
            [item.posting.id for item in matcher.recommend(text, k=2) if item.score > 0]
            for matcher in (before, after)
        )
        assert probe.overlap == rank_biased_overlap(was, is_now)
    chef, nurse = report.probes
    assert (chef.label, nurse.label) == ("chef.md", "nurse.txt")
    assert chef.entered == (PostingName("4", "Chef cook"),)
    assert chef.left == (PostingName("1", "Cook"),)
    # Other postings fill the ranking up with a score of 0; that they come and go means nothing.
    assert (nurse.overlap, nurse.entered, nurse.left) == (1.0, (), ())
    assert report.overlap == pytest.approx((chef.overlap + 1) / 2)
    assert report.drift == 1 - report.overlap
    assert report.names == {
        "added": (PostingName("4", "Chef cook"),),
        "changed": (),
        "removed": (PostingName("1", "Cook"),),
    }


def test_nothing_to_compare_is_no_overlap():
    before, after = Matcher.fit(OLD), Matcher.fit(NEW)
    report = measure_drift(before, after, changes=Changes(), probes={"none.md": "zzyzx", **PROBES})
    assert report.probes[0] == ProbeDrift("none.md", None)
    assert report.overlap == pytest.approx(sum(probe.overlap for probe in report.probes[1:]) / 2)
    # All that was recommended is gone: that is the largest drift there is.
    emptied = measure_drift(before, Matcher.fit([]), changes=Changes(), probes=PROBES)
    assert emptied.drift == 1
    assert [name.id for name in emptied.probes[1].left] == recommended(before, PROBES["nurse.txt"])


def test_a_first_training_has_no_drift():
    after = Matcher.fit(OLD)
    report = measure_drift(Matcher.fit([]), after, changes=Changes(added=("1", "2", "3")), probes=PROBES)
    assert (report.postings_before, report.postings_after) == (0, 3)
    assert (report.overlap, report.drift) == (None, None)
    assert [probe.overlap for probe in report.probes] == [None, None]
    assert [name.id for name in report.probes[1].entered] == recommended(after, PROBES["nurse.txt"])
    text = report.blocks[0]
    assert [(change.term, change.g2) for change in text.new] == [
        ("chef", 0.0),
        ("cook", 0.0),
        ("kitchen", 0.0),
        ("nurse", 0.0),
    ]
    assert (text.rising, text.dying, text.gone, text.idf.terms, text.idf.mean) == ((), (), (), 0, None)
    assert Gate(max_drift=0.0).check(report) == []
    json.dumps(report.to_record(), allow_nan=False)
    # Without a ratio, what most postings hold comes first.
    unequal = board((1, "cook", []), (3, "nurse", []))
    text = compare_block(Matcher.fit([]), Matcher.fit(unequal), "text", most=1)
    assert [(change.term, change.after) for change in text.new] == [("nurse", 3)]


@settings(deadline=None, max_examples=30)
@given(full_boards, st.lists(sentences, max_size=3))
def test_retraining_on_the_same_postings_changes_nothing(some, texts):
    probes = {f"{number}.txt": text for number, text in enumerate(texts)}
    one, other = Matcher.fit(some), Matcher.fit(reversed(some))
    report = measure_drift(one, other, changes=Changes(), probes=probes)
    assert report.drift in (None, 0.0)
    for probe in report.probes:
        assert probe.overlap in (None, 1.0)
        assert probe.entered == probe.left == ()
    for block in report.blocks:
        assert block.new == block.gone == block.rising == block.dying == block.idf.largest == ()
        assert block.idf.mean in (None, 0.0)


@settings(deadline=None, max_examples=30)
@given(full_boards, full_boards, st.lists(sentences, max_size=2))
def test_a_report_is_json_and_the_same_every_time(first, second, texts):
    probes = {f"{number}.txt": text for number, text in enumerate(texts)}
    changes = Changes(added=tuple(sorted({posting.id for posting in second})))
    records = []
    for order in (list, reversed):
        sides = [Matcher.fit(order(some)) for some in (first, second)]
        report = measure_drift(*sides, changes=changes, probes=probes)
        records.append(json.dumps(report.to_record(), allow_nan=False))
    assert records[0] == records[1]
    assert json.loads(records[0]) == report.to_record()


@settings(deadline=None, max_examples=30)
@given(full_boards, full_boards, st.lists(sentences, max_size=2))
def test_a_matcher_that_was_changed_and_refitted_drifts_like_two_fitted_ones(first, second, texts):
    probes = {f"{number}.txt": text for number, text in enumerate(texts)}
    matcher = Matcher.fit(first)
    before = matcher.snapshot()
    changes = matcher.add(second) | matcher.remove(sorted({posting.id for posting in first})[:2])
    matcher.refit()
    report = measure_drift(before, matcher, changes=changes, probes=probes)
    fresh = measure_drift(Matcher.fit(first), Matcher.fit(matcher.postings), changes=changes, probes=probes)
    assert report == fresh


def test_the_record_says_all_that_the_report_says():
    before, after = (
        Matcher.fit(board((80, "nurse", []), (20, "cook", []))),
        Matcher.fit(board((60, "cook", []))),
    )
    changes = Changes(("b",), ("c",), ("d", "e"), ("f", "g", "h"), ("i",))
    rejected = [Rejected("jobs/a.md", 3, "no title")]
    report = measure_drift(
        before, after, changes=changes, probes={"a.md": "cook"}, rejected=rejected, rejected_count=7, k=5
    )
    record = report.to_record()
    assert record["k"] == 5
    assert record["postings"] == {"before": 100, "after": 60}
    assert record["changes"]["removed"] == {
        "count": 2,
        "ids": ["d", "e"],
        "first": [{"id": "d", "title": ""}, {"id": "e", "title": ""}],
    }
    assert record["changes"]["unchanged"] == {"count": 3}
    assert record["changes"]["unknown"] == {"count": 1, "ids": ["i"]}
    assert record["rejected"] == {
        "count": 7,
        "first": [{"path": "jobs/a.md", "line": 3, "reason": "no title"}],
    }
    assert record["probes"][0]["label"] == "a.md"
    assert record["overlap"] == record["probes"][0]["overlap"] == report.overlap
    text = record["blocks"][0]
    assert text["rising"][0]["term"] == "cook"
    assert text["rising"][0]["g2"] == report.blocks[0].rising[0].g2
    assert text["gone"][0]["evidence"][0] == {"id": "0-000", "title": "nurse 0"}
    assert text["idf"]["largest"][0]["term"] == "cook"


def judge(folder, name, text, grades):
    path = Path(folder, name)
    path.write_text(text, encoding="utf-8")
    return JudgedCV(name, path, grades)


def test_quality_is_measured_on_the_postings_that_are_held(tmp_path):
    chef = judge(tmp_path, "chef.txt", "Chef, cook", {"1": 2, "3": 1, "4": 1})
    pilot = judge(tmp_path, "pilot.txt", "Pilot", {"9": 2, "2": 0})
    before, after = Matcher.fit(OLD), Matcher.fit(NEW)
    report = measure_drift(before, after, changes=Changes(), judgements=[chef, pilot], k=3)

    def ranked(matcher):
        return [item.posting.id for item in matcher.recommend("Chef, cook", k=3) if item.score > 0]

    assert report.judged[0].before == ndcg(ranked(before), {"1": 2, "3": 1}, k=3)
    assert report.judged[0].after == ndcg(ranked(after), {"3": 1, "4": 1}, k=3) == 1.0
    assert report.judged[1] == JudgedDrift("pilot.txt", None, None)
    assert (report.quality_before, report.quality_after) == (report.judged[0].before, 1.0)
    assert report.probes == ()
    assert report.drift is None


def test_nothing_of_a_cv_gets_into_the_report(tmp_path):
    secrets = ["Zebediah", "Quillfeather", "zq@quill.example", "+49 171 555 0101", "xylophonist"]
    text = "Zebediah Quillfeather\nzq@quill.example, +49 171 555 0101\n\nCook and xylophonist in a kitchen\n"
    judged = judge(tmp_path, "cv-7.txt", text, {"1": 1})
    report = measure_drift(
        Matcher.fit(OLD), Matcher.fit(NEW), changes=Changes(), probes={"cv-7.txt": text}, judgements=[judged]
    )
    written = json.dumps(report.to_record()) + repr(report)
    assert "cv-7.txt" in written
    assert not [secret for secret in secrets if secret.casefold() in written.casefold()]
    assert str(tmp_path) not in written


def test_senseless_arguments_are_refused(tmp_path):
    matcher = Matcher.fit(OLD)
    for wrong in (0, -1, 2.5, "3", True, None):
        for name in ("k", "most"):
            with pytest.raises(OptionError, match=f"{name} must be a whole number of at least 1"):
                measure_drift(matcher, matcher, changes=Changes(), **{name: wrong})
    with pytest.raises(ProfileError):
        measure_drift(matcher, matcher, changes=Changes(), probes={"a.md": b"cook"})
    gone = JudgedCV("gone.txt", tmp_path / "gone.txt", {})
    with pytest.raises(ProfileError, match=r"gone\.txt: no such file"):
        measure_drift(matcher, matcher, changes=Changes(), judgements=[gone])


@pytest.mark.parametrize("bound", [-0.01, 1.01, math.nan, math.inf, -math.inf, "0.2", True, [0.2]])
@pytest.mark.parametrize("name", ["max_drift", "min_quality"])
def test_a_gate_refuses_senseless_bounds(name, bound):
    with pytest.raises(OptionError, match=f"{name} must be a number from 0 to 1"):
        Gate(**{name: bound})


def make_report(overlaps=(), qualities=(), postings_before=9):
    probes = tuple(ProbeDrift(f"p{number}.md", overlap) for number, overlap in enumerate(overlaps))
    judged = tuple(JudgedDrift(f"j{number}.md", *pair) for number, pair in enumerate(qualities))
    return DriftReport(k=10, postings_before=postings_before, probes=probes, judged=judged)


def test_a_gate_without_bounds_lets_all_pass():
    assert Gate().check(make_report([0.0], [(1.0, 0.0)])) == []
    assert Gate().check(make_report()) == []


def test_a_gate_names_value_and_bound():
    report = make_report([0.5, 1.0, None], [(0.75, 0.5), (1.0, None)])
    assert Gate(max_drift=0.25, min_quality=0.5).check(report) == []
    assert Gate(max_drift=0.2, min_quality=0.6).check(report) == [
        "drift is 0.25, more than the 0.2 allowed: mean overlap 0.75, lowest 0.5 (p0.md)",
        "quality is 0.5, less than the 0.6 wanted: mean nDCG@10, before 0.875",
    ]
    assert Gate(min_quality=1).check(make_report(qualities=[(None, 0.9999)])) == [
        "quality is 0.9999, less than the 1 wanted: mean nDCG@10"
    ]


def test_a_gate_that_asks_for_what_was_not_measured_is_wrong_use():
    with pytest.raises(OptionError, match="max_drift needs probe CVs"):
        Gate(max_drift=0.2).check(make_report(qualities=[(1.0, 1.0)]))
    with pytest.raises(OptionError, match="max_drift needs probe CVs"):
        Gate(max_drift=0.2).check(make_report(postings_before=0))
    with pytest.raises(OptionError, match="min_quality needs judged CVs"):
        Gate(min_quality=0.2).check(make_report([1.0]))


def test_what_cannot_be_measured_does_not_pass():
    [reason] = Gate(max_drift=0.3).check(make_report([None, None]))
    assert reason.startswith("drift cannot be measured")
    assert "0.3" in reason
    [reason] = Gate(min_quality=0.4).check(make_report(qualities=[(1.0, None)]))
    assert reason.startswith("quality cannot be measured")
    assert "0.4" in reason
    # Unless it is the first training: there is nothing to drift from.
    assert Gate(max_drift=0.0).check(make_report([None], postings_before=0)) == []


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_a_gate_refuses_exactly_beyond_its_bound(overlap, quality, bound):
    report = make_report([overlap], [(None, quality)])
    assert bool(Gate(max_drift=bound).check(report)) == (report.drift > bound)
    assert bool(Gate(min_quality=bound).check(report)) == (quality < bound)


@given(st.lists(postings, min_size=1, max_size=3, unique_by=lambda posting: posting.id))
def test_names_are_ids_and_titles(some):
    matcher = Matcher.fit(some)
    changes = Changes(added=tuple(sorted(posting.id for posting in some)))
    report = measure_drift(Matcher.fit([]), matcher, changes=changes, most=2)
    titles = {posting.id: posting.title for posting in some}
    assert report.names["added"] == tuple(PostingName(name, titles[name]) for name in changes.added[:2])
