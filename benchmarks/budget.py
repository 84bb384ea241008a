"""Whether a study keeps its budget: ten real studies of different sizes, forecast against fact by the clock.

    {"name": "budget_kept", "case": "lora, 2 of 3 seeds ...", "budget_s": 150, "best_s": 61, "worst_s": 133,
     "took_s": 118.2, "ratio": 0.788, "kept": true}

A run's time is from the call to the verdict, loading and measuring included. `kept`: it ended within 110 % of the
budget. A study that is told that its budget is too small here is run with the smallest that it is told; `said` has that
sentence, and what a run said that had to leave something out on its way. The last line counts.
"""

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import texts
from benchmarks.harness import Settings
from tuneoff.core.budget import parse_budget
from tuneoff.core.errors import StudyError
from tuneoff.data.record import Record
from tuneoff.study.budget.correction import CORRECTION
from tuneoff.study.budget.forecast import Forecast
from tuneoff.study.budget.spending import FORECAST
from tuneoff.study.conduct import conduct, open_base
from tuneoff.study.plan import make_plan
from tuneoff.study.spec import StudySpec
from tuneoff.study.store import Ledger

__all__ = ["STUDIES", "Small", "budget_kept"]

MODEL = "smollm2-135m-instruct"
LATE = 1.1
SMALLEST = re.compile("this study needs at least (.+?) here")
SPARE = 1.5  # records written for each that is asked for: a split takes its share by hash


@dataclass(frozen=True, kw_only=True, slots=True)
class Small:
    """One study. source: a function of texts.py. records: to train, choose and test on."""

    budget: str
    arms: tuple[str, ...]
    records: tuple[int, int, int] = (48, 16, 32)
    source: str = "feelings"
    trials: int | None = None
    seeds: int = 2
    race: str = "rungs"

    @property
    def case(self) -> str:
        asked = f"{self.trials or 'free'} trials, {self.seeds} seeds"
        return f"{', '.join(self.arms)}: {asked}, {'/'.join(map(str, self.records))} records of {self.source}"


STUDIES = (
    Small(budget="60s", arms=("zero_shot", "few_shot"), records=(16, 16, 64)),
    Small(budget="75s", arms=("soft_prompt_after",), seeds=3),
    Small(budget="90s", arms=("zero_shot", "ia3"), records=(32, 16, 24), trials=3),
    Small(budget="2m", arms=("lora",), trials=4, seeds=3),
    Small(budget="2m", arms=("zero_shot", "soft_prompt_after", "lora"), records=(32, 16, 24), source="news"),
    Small(budget="150s", arms=("soft_prompt", "soft_prompt_after"), trials=4),
    Small(budget="3m", arms=("few_shot", "lora", "ia3"), trials=2, source="news"),
    Small(budget="3m", arms=("lora", "norm_tuning", "soft_prompt_after"), records=(64, 24, 48), seeds=3),
    Small(budget="4m", arms=("zero_shot", "lora -> soft_prompt"), records=(40, 16, 32), race="full"),
    Small(budget="4m, 60k tokens", arms=("lora", "bitfit", "prefix", "soft_prompt_after"), trials=4, seeds=3),
)


def budget_kept(settings: Settings) -> Iterator[dict]:
    """A line for each study, then one for all of them."""
    kept = []
    for study in STUDIES[:2] if settings.quick else STUDIES:
        with TemporaryDirectory() as folder:
            line = _line(study, Path(folder), settings)
        kept.append(line["kept"])
        yield line
    yield {"name": "budget_kept", "case": "all", "kept": sum(kept), "of": len(kept), "passed": all(kept)}


def _line(study: Small, folder: Path, settings: Settings) -> dict:
    spec = _spec(study, folder, settings)
    took_s, broke = _timed(spec, folder / "run")
    said = [broke] if broke else []
    if smallest := SMALLEST.match(broke):
        spec = spec.model_copy(update={"budget": smallest[1]})
        took_s, broke = _timed(spec, folder / "smallest")
        said += [broke] if broke else []
    budget_s = parse_budget(spec.budget).seconds
    told, corrections = _events(folder / ("smallest" if smallest else "run"))
    return {
        "name": "budget_kept",
        "case": study.case,
        "budget_s": budget_s,
        "best_s": told and round(told.best.all_s, 1),
        "worst_s": told and round(told.worst.all_s, 1),
        "took_s": round(took_s, 1),
        "ratio": round(took_s / budget_s, 3),
        "kept": not broke and took_s <= LATE * budget_s,
        "said": [*said, *corrections],
    }


def _timed(spec: StudySpec, run: Path) -> tuple[float, str]:
    """Seconds of a run, and why there was none."""
    began = time.perf_counter()
    try:
        conduct(make_plan(spec), run, lambda: open_base(spec))
    except StudyError as error:
        return time.perf_counter() - began, error.problem
    return time.perf_counter() - began, ""


def _events(run: Path) -> tuple[Forecast | None, list[str]]:
    ledger = Ledger(run / "ledger.sqlite")
    events = [(event["what"], event["detail"]) for event in ledger.events()]
    ledger.close()
    told = [Forecast.read(detail) for what, detail in events if what == FORECAST]
    return (told[-1] if told else None), [json.loads(detail)["why"] for what, detail in events if what == CORRECTION]


def _spec(study: Small, folder: Path, settings: Settings) -> StudySpec:
    _, records = getattr(texts, study.source)()
    _write(records[: int(SPARE * 2 * sum(study.records))], folder / "data.jsonl")
    train, validation, test = study.records
    data = {"train_records": train, "validation_records": validation, "test_records": test}
    table = {
        "folder": str(folder),
        "arms": list(study.arms),
        "seeds": study.seeds,
        "budget": study.budget,
        "race": study.race,
        "model": {"name": settings.model or MODEL, "device": settings.device},
        "data": {"path": "data.jsonl", "input": ["text"], "answer": "label", **data},
        "train": {"epochs": 1.0},
        "measure": {"records": 16},
    }
    return StudySpec.build(table | ({} if study.trials is None else {"trials": study.trials}), "benchmark")


def _write(records: list[Record], path: Path) -> None:
    rows = [{"text": each.fields["text"], "label": each.target} for each in records]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
