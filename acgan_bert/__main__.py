"""``python -m acgan_bert`` is the same as ``acgan-bert``."""

import sys

from acgan_bert.cli import main

if __name__ == "__main__":
    sys.exit(main())
