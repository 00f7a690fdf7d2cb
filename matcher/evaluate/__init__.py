"""How good rankings are: measures, intervals and tests over queries, and files of judgements or events."""

from typing import Final

from matcher.evaluate.events import EVENTS, Events, RejectedEvent, read_events
from matcher.evaluate.intervals import Interval, bootstrap_interval, paired_interval, randomisation_test
from matcher.evaluate.judgements import LARGEST_FILE, JudgedCV, read_judgements
from matcher.evaluate.measures import (
    HIGHEST_GRADE,
    average_precision,
    ndcg,
    precision,
    r_precision,
    rank_biased_overlap,
    recall,
    reciprocal_rank,
)
from matcher.evaluate.names import MEASURES, Measure, parse_measure
from matcher.evaluate.qrels import find_cvs, read_qrels, read_queries

__all__: Final = [
    "EVENTS",
    "HIGHEST_GRADE",
    "LARGEST_FILE",
    "MEASURES",
    "Events",
    "Interval",
    "JudgedCV",
    "Measure",
    "RejectedEvent",
    "average_precision",
    "bootstrap_interval",
    "find_cvs",
    "ndcg",
    "paired_interval",
    "parse_measure",
    "precision",
    "r_precision",
    "randomisation_test",
    "rank_biased_overlap",
    "read_events",
    "read_judgements",
    "read_qrels",
    "read_queries",
    "recall",
    "reciprocal_rank",
]
