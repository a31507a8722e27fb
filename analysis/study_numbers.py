"""Measures and their values as a study writes them: shares in percent, differences in points."""

from analysis.study_statistics import Summary
from analysis.words import readable

SHARES = (
    "accuracy",
    "f1",
    "precision",
    "recall",
    "coverage",
    "label_recovery",
    "train_on_fake",
    "test_on_fake",
    "augmentation",
    "two_sample",
    "share",
    "rate",
)
NAMES = {
    "frechet_distance": "Fréchet distance",
    "kernel_distance": "kernel distance",
    "frechet_floor": "Fréchet distance, real against real",
    "pearson": "Pearson's r",
    "train_on_fake": "trained on fakes",
    "test_on_fake": "tested on fakes",
    "augmentation": "gain by fakes",
    "two_sample": "told from real",
}


def measure_words(measure: str) -> str:
    """Return a measure's name for people.

    Example:
        >>> measure_words("frechet_distance"), measure_words("macro_f1")
        ('Fréchet distance', 'macro F1')
    """
    return NAMES.get(measure) or readable(measure).replace(".", " ")


def is_share(measure: str) -> bool:
    """Tell whether a measure is a share of one, written in percent."""
    return any(measure.endswith(word) for word in SHARES) or measure.startswith("baseline")


def value_words(measure: str, value: float) -> str:
    """Return a value with the digits that its measure deserves.

    Example:
        >>> value_words("accuracy", 0.61234), value_words("frechet_distance", 1.23456)
        ('61.2%', '1.235')
    """
    if is_share(measure):
        return f"{value:.1%}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def difference_words(measure: str, value: float) -> str:
    """Return a signed difference, of shares in points.

    Example:
        >>> difference_words("accuracy", 0.0123), difference_words("frechet_distance", -0.5)
        ('+1.2 points', '-0.5')
    """
    return (
        f"{signed_words(measure, value)} points"
        if is_share(measure)
        else signed_words(measure, value)
    )


def p_words(value: float | None) -> str:
    """Return a p-value as it is quoted.

    Example:
        >>> p_words(0.0001), p_words(0.042), p_words(None)
        ('p < 0.001', 'p = 0.042', 'untested')
    """
    if value is None:
        return "untested"
    if value < 0.001 or value > 0.99:
        return "p < 0.001" if value < 0.5 else "p > 0.99"
    return f"p = {value:.3f}"


def interval_words(measure: str, summary: Summary | None, *, signed: bool = False) -> str:
    """Return "95% interval a to b", or why there is none."""
    if summary is None:
        return "no seeds in common"
    if summary.interval is None:
        return summary.reason
    low, high = summary.interval.low, summary.interval.high
    if signed:
        unit = " points" if is_share(measure) else ""
        return f"95% interval {signed_words(measure, low)} to {signed_words(measure, high)}{unit}"
    return f"95% interval {value_words(measure, low)} to {value_words(measure, high)}"


def signed_words(measure: str, value: float) -> str:
    """Return a signed number, of shares in points; what rounds to nothing has no minus."""
    if is_share(measure):
        return f"{round(100 * value, 1) + 0.0:+.1f}"
    return f"{value:+.3g}"


def size_words(measure: str, value: float) -> str:
    """Return a difference without its sign."""
    return f"{100 * value:.1f} points" if is_share(measure) else f"{value:.3g}"
