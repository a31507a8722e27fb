"""A classifier that is fitted in a moment, and the rows that it is fitted to."""

import numpy as np

from acgan_bert.estimator import ACGANBertClassifier
from tests.toy import blobs

X, TRUTH, LABELS = blobs(rows=20, distance=3.0)
NAMES = np.array(["down", "up"])[TRUTH]
TEXTS = [f"a {('dull', 'funny')[label]} film number {row}" for row, label in enumerate(TRUTH)]


def classifier(**changes):
    return ACGANBertClassifier(**{"members": 1, "steps": 5, "random_state": 0, **changes})
