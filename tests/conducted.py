"""A study on a tiny model held in memory: started, gone on with, grown, and what its watch was told."""

from tiny_study import job_rows, put_rows, rows, table
from tuneoff.models.base import Base
from tuneoff.models.tiny import tiny_model
from tuneoff.study.conduct import conduct
from tuneoff.study.plan import make_plan
from tuneoff.study.spec import StudySpec
from tuneoff.study.steps import Watch

ARMS = ("zero_shot", "few_shot", "lora")


class Told(Watch):
    """Keeps what it is told."""

    def __init__(self):
        self.jobs, self.figures, self.failures, self.phases = [], {}, {}, []
        self.steps, self.left, self.notices = [], {}, []

    def phase(self, text):
        self.phases.append(text)

    def notice(self, text):
        self.notices.append(text)

    def job(self, label, work_done, work_left):
        self.jobs.append(label)
        assert work_left >= 0

    def step(self, step, steps, value):
        self.steps.append((step, steps, value))

    def done(self, label, figure, why=""):
        self.figures[label] = figure
        if why:
            self.failures[label] = why

    def dropped(self, label, why):
        assert label not in self.left, "told once"
        self.left[label] = why


class Study:
    """A folder with data, a plan on demand, and one base that counts how often it was opened."""

    def __init__(self, folder, base):
        self.folder, self.run, self.base, self.opened = folder, folder / "run", base, 0
        put_rows(folder / "data.jsonl", rows())

    def plan(self, arms=ARMS, **more):
        return make_plan(StudySpec.build({**table(arms, **more), "folder": str(self.folder)}, "study.toml"))

    def conduct(self, arms=ARMS, *, retry=False, strict=False, quick=False, **more):
        self.told = self.watch()
        asked = {"retry": retry, "strict": strict, "quick": quick}
        return conduct(self.plan(arms, **more), self.run, self.open, self.told, **asked)

    def watch(self):
        return Told()

    def open(self):
        self.opened += 1
        return self.base

    def jobs(self):
        return {(row["arm"], row["trial"], row["seed"]): row for row in job_rows(self.run)}

    def attempts(self):
        return {place: row["attempts"] for place, row in self.jobs().items()}


def tiny(seed=0, fingerprint="tiny"):
    net, tokenizer = tiny_model("llama", seed=seed)
    return Base(net, tokenizer, fingerprint=fingerprint)
