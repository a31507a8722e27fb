"""Maps of a run made by hand: what the page's explorer is given."""

import numpy as np

from analysis.map_store import maps_name, write_maps
from analysis.projection import Map

QUALITY = {
    "trustworthiness": 0.875,
    "neighbor_overlap": 0.25,
    "same_kind": 0.75,
    "same_kind_expected": 0.5,
}


def map_of(real, fake, *, seed=0, **changes):
    """Return a map of so many rows of each kind."""
    rng = np.random.default_rng(seed)
    parts = {
        "name": "t-SNE, joint",
        "points_real": rng.normal(size=(real, 2)),
        "points_fake": rng.normal(size=(fake, 2)),
        "real_rows": np.arange(real),
        "fake_rows": np.arange(fake),
        "quality": QUALITY,
        "method": "tsne-joint",
        "perplexity": 30.0,
    }
    return Map(**(parts | changes))


def maps_of(real=40, fake=20):
    """Return the maps of a run: two perplexities, a PCA and a series of three frames."""
    pca = {"name": "PCA of real", "method": "pca", "perplexity": None}
    frames = [
        map_of(
            real,
            fake,
            frame=f"step {step}",
            points_fake=step * np.random.default_rng(step).normal(size=(fake, 2)),
            **pca,
        )
        for step in (10, 20, 30)
    ]
    fine = map_of(real, fake, seed=2, perplexity=5.0, quality=QUALITY | {"trustworthiness": 0.5})
    return [map_of(real, fake), fine, map_of(real, fake, seed=3, **pca), *frames]


def with_maps(root, maps=None, task=""):
    """Write maps into a run directory, and return it."""
    (root / "figures").mkdir(exist_ok=True)
    write_maps(root / "figures" / maps_name(task), maps or maps_of())
    return root
