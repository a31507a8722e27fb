"""Which of several processes this is, as torchrun tells each in its environment."""

import os


def process_count() -> int:
    """Return how many processes train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main() -> bool:
    """Say whether this is the process that writes, logs and prints."""
    return int(os.environ.get("RANK", "0")) == 0


def local_rank() -> int:
    """Return the place among the processes of this machine, and so the number of its GPU."""
    return int(os.environ.get("LOCAL_RANK", "0"))
