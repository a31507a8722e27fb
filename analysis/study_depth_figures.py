"""What a study of depths shows: every measure over both depths, along either, and fakes on maps."""

from matplotlib.figure import Figure

from analysis.study_depth_plots import depth_lines, depth_maps
from analysis.study_findings import Findings
from analysis.study_maps import depth_series
from analysis.study_numbers import measure_words
from analysis.words import capital

DISTANCES = ("frechet_distance", "kernel_distance", "label_recovery")
NEIGHBORHOODS = ("precision", "recall", "density", "coverage")
USE = ("train_on_fake", "test_on_fake", "augmentation", "two_sample")


def depth_figures(findings: Findings) -> list[tuple[str, Figure | None, str]]:
    """Return the figures of a study of depths, None where it lacks the numbers; name and caption.

    Raises:
        ValueError: A file of fakes is damaged.
    """
    made: list[tuple[str, Figure | None, str]] = []
    for measure in findings.measures:
        caption = (
            f"{capital(measure_words(measure))} over both depths. Framed is the best mean; a dot "
            "marks cells that are not told apart from it, corrected for the cells of the map."
        )
        made.append((f"depth-{measure}", depth_maps(findings, measure), caption))
    bands = (
        "Along either depth, averaged over the other. Bands are 95% intervals over seeds; where "
        "seeds differ alike in all cells, cells are told apart better than bands suggest."
    )
    neighborhoods = (
        "Fakes among the neighbors of real rows, and real rows among those of fakes, along either "
        "depth. Real rows in the place of fakes give what is dotted."
    )
    use = (
        "What fakes are good for, along either depth: the accuracy on real rows of a classifier "
        "that is trained on fakes, that on fakes of one that is trained on real rows, what the "
        "labelled rows gain by fakes beside them, and how often a classifier tells fakes from real "
        "rows (half of the time, if nothing can). Real rows in the place of fakes give what is "
        "dotted."
    )
    study = findings.study
    made += [
        ("depth-lines", depth_lines(study, (*findings.measures, *DISTANCES)), bands),
        ("depth-neighborhoods", depth_lines(study, NEIGHBORHOODS), neighborhoods),
        ("depth-use", depth_lines(study, USE), use),
    ]
    caption = (
        "Fakes of the first seed by depth, the generator's named first, on one t-SNE map that is "
        "fitted to the real rows alone: as many fakes as real rows, asked for the same classes, "
        "and the same noise at every depth."
    )
    return [*made, ("depth-fakes", depth_series(study), caption)]
