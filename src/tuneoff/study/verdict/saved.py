"""The saved files where they say something else than the methods that made them: one file is one seed's luck.

As saved, lora's file is better than soft_prompt's by 4.2 points (exact test over the records, p = 0.012), which is
not shown of the methods: another seed may turn it over.
"""

from tuneoff.study.verdict.judgement import Contrast, Verdict
from tuneoff.study.verdict.phrases import gap, more_is_better

__all__ = ["saved_files"]

ALPHA = 0.05


def saved_files(verdict: Verdict) -> list[str]:
    """A sentence for each pair with the leader of which files and methods disagree."""
    leader = verdict.facts["compared"][0]
    pairs = [row for row in verdict.contrasts if row.a == leader and row.artifact_p is not None]
    rivals = [row for row in pairs if row.b in verdict.winners] or pairs[:1]
    return [said for row in rivals if (said := _disagreement(row, more_is_better(verdict), ALPHA / len(rivals)))]


def _disagreement(row: Contrast, up: bool, alpha: float) -> str:
    ahead = (row.artifact_diff > 0) == up
    better, worse = (row.a, row.b) if ahead else (row.b, row.a)
    by = gap(abs(row.artifact_diff), up)
    if row.kind == "open" and row.artifact_p < alpha:
        return (
            f"As saved, {better}'s file is better than {worse}'s by {by} (exact test over the records, "
            f"p = {row.artifact_p:.2g}), which is not shown of the methods: another seed may turn it over."
        )
    if row.different and not ahead and row.artifact_diff:
        return f"The saved files stand the other way round: {better}'s is ahead of {worse}'s by {by}."
    return ""
