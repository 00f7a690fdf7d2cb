"""What a retraining changed: terms, weights, rankings, quality; and the gate that refuses to publish."""

from typing import Final

from matcher.drift.measurement import Gate, measure_drift
from matcher.drift.report import DriftReport

__all__: Final = ["DriftReport", "Gate", "measure_drift"]
