"""Benchmarks of speed, each compared with a baseline in the same run on the same machine.

`python -m rewriting bench` prints the table.  Quote ratios, because machines differ and are shared.
"""

from rewriting.bench.measure import OUTSIDE, SUBJECTS, run
from rewriting.bench.report import Row, as_json, as_table

__all__ = ["OUTSIDE", "SUBJECTS", "Row", "as_json", "as_table", "run"]
