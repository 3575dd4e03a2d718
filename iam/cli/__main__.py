"""``python -m iam.cli``: the command without its script."""

import sys

from iam.cli import main

if __name__ == "__main__":
    sys.exit(main())
