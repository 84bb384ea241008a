"""One arm's figure with its interval, and two arms compared, whichever way the metric pools its records.

A metric that is a mean goes through the analysis of variance on x[record, seed]; any other through the bootstrap on
its rows. Both end in the same interval and test.

R records, S seeds, K statistics of a record.
"""

import numpy as np

from tuneoff.core.seeds import stream
from tuneoff.evaluation.metric import Metric
from tuneoff.stats.bootstrap import Pooled, boot_components, pooled, resamples, subtract
from tuneoff.stats.crossed import UNKNOWN, Components, Seeds, components, raised
from tuneoff.stats.interval import Interval, around, crossed_interval, exact, mean_interval
from tuneoff.stats.paired import Paired, differences, judged, paired

__all__ = ["Sample", "Scale", "compared", "figure", "mean_squares", "scale_of"]

Sample = np.ndarray | Pooled
"x_RS of a mean, or the resampled figures of anything else"


class Scale:
    """How a metric's rows become figures: the resamples that all arms share, and the bounds of a figure.

    A score lies in [0, 1]; a loss has no ceiling, and the largest one seen stands for it.
    """

    def __init__(self, metric: Metric, records: int, largest: float):
        self.metric = metric
        self.bounds = (0.0, 1.0 if metric.up else largest)
        self._draws = None if metric.mean else resamples(records, stream(0, "bootstrap", metric.name))

    def sample(self, rows_RSK: np.ndarray) -> Sample:
        """What figure and compared take."""
        return rows_RSK[:, :, 0] if self.metric.mean else pooled(rows_RSK, self.metric.pool, self._draws)


def scale_of(metric: Metric, arms: list[np.ndarray]) -> Scale:
    """The scale for the rows of all arms, which hold the same records."""
    largest = max(float(rows_RSK[:, :, 0].max()) for rows_RSK in arms)
    return Scale(metric, len(arms[0]), largest)


def figure(sample: Sample, scale: Scale) -> Interval:
    """Mean over records and seeds with its 95 % interval; over records alone where there is one seed."""
    if isinstance(sample, Pooled):
        if sample.records < 2:
            return exact(sample.mean, sample.records, scale.bounds)
        return around(sample.mean, boot_components(sample), scale.bounds)
    return mean_interval(sample[:, 0], scale.bounds) if sample.shape[1] == 1 else crossed_interval(sample, scale.bounds)


def mean_squares(sample: Sample) -> Components:
    """Those of one arm's own figure."""
    return boot_components(sample) if isinstance(sample, Pooled) else components(sample)


def compared(
    a: Sample, b: Sample, seeds_a: list[int], seeds_b: list[int], scale: Scale, floor: Seeds = UNKNOWN
) -> Paired:
    """a minus b, seeds paired by number; by order where the two arms hold different ones.

    floor: what seeds add to the variance of the difference at the least.
    """
    span = scale.bounds[1]
    if len(seeds_a) > 1 and len(seeds_b) > 1:
        left, right = _paired_seeds(seeds_a, seeds_b)
        a, b = _seeds(a, left), _seeds(b, right)
    if isinstance(a, Pooled):
        d = subtract(a, b)
        return judged(d.mean, raised(boot_components(d), floor), span)
    return paired(differences(a, b), span, floor)


def _paired_seeds(a: list[int], b: list[int]) -> tuple[list[int], list[int]]:
    """Columns to put side by side. Seeds of two arms share the data's order, so equal numbers belong together."""
    both = sorted(set(a) & set(b))
    fewest = min(len(a), len(b))
    if len(both) == fewest:
        return [a.index(seed) for seed in both], [b.index(seed) for seed in both]
    return list(range(fewest)), list(range(fewest))


def _seeds(sample: Sample, columns: list[int]) -> Sample:
    if isinstance(sample, Pooled):
        return Pooled(sample.f0_S[columns], sample.f_BS[:, columns], sample.records)
    return sample[:, columns]
