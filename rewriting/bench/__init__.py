"""How fast it is, each number beside the straightforward way to do the same, in one run on one machine.

`python -m rewriting bench` prints the table; quote ratios, since machines differ and are shared.
"""

from rewriting.bench.measure import OUTSIDE, SUBJECTS, run
from rewriting.bench.report import Row, as_json, as_table

__all__ = ["OUTSIDE", "SUBJECTS", "Row", "as_json", "as_table", "run"]
