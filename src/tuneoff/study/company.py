"""Which jobs train in one pass. The plan alone settles it, so that a restart finds every job in the same company,
and a matmul's last bits come out as they did.
"""

from collections.abc import Sequence

from tuneoff.study.arm import Job
from tuneoff.study.plan import Plan

__all__ = ["group_label", "groups"]

MOST_ROWS = 64  # of all arms in a pass: beyond, a processor gains nothing and only memory is taken


def groups(plan: Plan, jobs: Sequence[Job]) -> list[list[Job]]:
    """Jobs of one step of the race, in their order, those that train in one pass together."""
    size = max(1, MOST_ROWS // plan.schedule.batch_size)
    trials = [(arm.name, at) for arm in plan.arms if arm.in_company for at in range(len(plan.settings[arm.name]))]
    seeds = [(arm.name, seed) for arm in plan.arms if arm.in_company for seed in range(1, plan.seeds(arm))]
    made: dict[tuple, list[Job]] = {}
    for job in jobs:
        if not job.arm.in_company or job.size:
            made[job.key,] = [job]
        elif job.seed == 0:
            made.setdefault(("trials", trials.index((job.arm.name, job.trial)) // size), []).append(job)
        else:
            made.setdefault(("seeds", seeds.index((job.arm.name, job.seed)) // size), []).append(job)
    return list(made.values())


def group_label(group: Sequence[Job]) -> str:
    """How progress calls it."""
    return group[0].label if len(group) == 1 else f"{group[0].label} and {len(group) - 1} more"
