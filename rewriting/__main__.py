"""`python -m rewriting COMMAND ...`; see `rewriting.cli`."""

import sys

from rewriting.cli import main

if __name__ == "__main__":
    sys.exit(main())
