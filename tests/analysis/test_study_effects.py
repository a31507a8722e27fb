"""Main effects and interaction of two factors over seeds, against closed forms and their null."""

import numpy as np
import pytest
from scipy import stats

from analysis.study_effects import two_way_effects

NAMES, LEVELS = ("generator depth", "discriminator depth"), ([1, 2, 4], [1, 2, 3])
RNG = np.random.default_rng


def effects(values, levels=LEVELS, **options):
    return two_way_effects(
        values, NAMES, levels, resamples=options.pop("resamples", 499), **options
    )


def additive(seeds=5, shape=(3, 3), rng=0, scale=0.01):
    """Return values in which the second factor costs 0.1 a step and the first nothing."""
    noise = RNG(rng).normal(scale=scale, size=(seeds, *shape))
    blocks = RNG(rng + 1).normal(size=(seeds, 1, 1))
    return noise + blocks - 0.1 * np.arange(shape[1])[None, None, :]


def test_an_effect_is_found_where_it_is_and_nowhere_else():
    first, second, crossed = effects(additive())
    assert second.test.p_value < 0.01
    assert first.test.p_value > 0.05
    assert crossed.test.p_value > 0.05
    assert second.share > 0.9
    assert second.spread == pytest.approx(0.2, abs=0.02)
    assert crossed.name == "generator depth \N{MULTIPLICATION SIGN} discriminator depth"


def test_a_slope_is_the_regression_of_every_seed():
    values = additive(scale=0.05)
    slope = effects(values)[0].slope
    by_seed = [stats.linregress(LEVELS[0], sheet.mean(axis=1)).slope for sheet in values]
    assert slope.mean == pytest.approx(np.mean(by_seed))
    assert slope.deviation == pytest.approx(np.std(by_seed, ddof=1))
    assert slope.interval.low < slope.mean < slope.interval.high


def test_a_slope_of_slopes_is_the_interaction():
    values = additive() + 0.02 * np.multiply.outer(LEVELS[0], LEVELS[1])
    slope = effects(values)[2].slope
    assert slope.mean == pytest.approx(0.02, abs=0.005)
    assert effects(values)[2].test.p_value < 0.01


def test_levels_that_are_no_numbers_have_no_slope():
    found = effects(additive(), levels=([None, None, None], [1, 2, 3]))
    assert [effect.slope is None for effect in found] == [True, False, True]


def test_two_levels_of_few_seeds_are_the_paired_t_test():
    values = RNG(3).normal(size=(6, 2, 2))
    first, _, crossed = effects(values, levels=([1, 2], [1, 2]))
    by_seed = values.mean(axis=2)
    assert first.test.method == "F"
    assert first.test.p_value == pytest.approx(stats.ttest_rel(*by_seed.T).pvalue)
    contrast = values[:, 0, 0] - values[:, 0, 1] - values[:, 1, 0] + values[:, 1, 1]
    assert crossed.test.p_value == pytest.approx(stats.ttest_1samp(contrast, 0).pvalue)


def test_share_and_chance():
    """Without an effect the share of S seeds is 1 / S on average."""
    shares = [
        effects(RNG(seed).normal(size=(5, 3, 3)), resamples=1)[2].share for seed in range(300)
    ]
    found = effects(RNG(0).normal(size=(5, 3, 3)), resamples=1)[2]
    assert found.chance_share == 0.2
    assert np.mean(shares) == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize("which", [0, 2])
def test_p_values_are_uniform_without_an_effect(which):
    """The other main effect is there, and must not leak in."""
    found = [effects(additive(rng=7 * seed), resamples=199)[which] for seed in range(200)]
    p_values = [effect.test.p_value for effect in found]
    assert {effect.test.method for effect in found} == {"permutation"}
    assert stats.kstest(p_values, "uniform").pvalue > 0.01


def test_what_cannot_be_known_is_refused():
    values = additive()
    values[1:, 0, 0] = np.nan
    assert "1 of 5 seeds have all 9 cells" in effects(values)
    assert "1 by 3 levels" in effects(additive(shape=(1, 3)), levels=([1], [1, 2, 3]))
    few = effects(RNG(0).normal(size=(3, 2, 2)), levels=([1, 2], [1, 2]))
    assert few[0].test.p_value is None
    assert few[0].test.reason == "3 complete seeds, and a test needs at least 5"


def test_equal_values_have_no_effect():
    found = effects(np.full((5, 3, 3), 0.1))
    assert [effect.test.p_value for effect in found] == [1.0, 1.0, 1.0]
    assert [effect.share for effect in found] == [0.0, 0.0, 0.0]
