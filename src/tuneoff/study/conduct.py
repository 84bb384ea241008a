"""A study from its plan to its verdict: start, resume, or find that all is done.

runs/tickets/study.toml        the study as it was run
runs/tickets/ledger.sqlite     the truth (study/store.py)
runs/tickets/jobs/KEY/         one bundle a job
runs/tickets/aside/            the state of an unfinished job, and contexts/ that memory had no room for
runs/tickets/advice.json       the first opinion, of before anything was trained
runs/tickets/verdict.json      the verdict
runs/tickets/best/             the recommended arm's bundle
"""

import json
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path

import torch

from tuneoff.core.budget import Budget
from tuneoff.core.files import disk_guard
from tuneoff.data.prompt import Prompt
from tuneoff.engine.attach import Worn
from tuneoff.engine.rounding import VIRTUAL, measure_rounding
from tuneoff.evaluation.run import metric_named
from tuneoff.models.base import Base
from tuneoff.models.device import measure_machine
from tuneoff.models.int8 import check_int8
from tuneoff.study.advice.advice import ADVICE, read_advice
from tuneoff.study.advice.adviser import effort_in, keep_advice
from tuneoff.study.advice.alignment import affordable
from tuneoff.study.arm import Job
from tuneoff.study.axes.artifact import GROUPS
from tuneoff.study.axes.sizes import needed
from tuneoff.study.axes.take import due, settle_figures, take_axes
from tuneoff.study.budget.budgeted import Budgeted
from tuneoff.study.budget.share import MEASURING, OPINION, beside_s, rough_race_s
from tuneoff.study.budget.spending import known_rates
from tuneoff.study.continuation import current, go_on_with, place_of, places
from tuneoff.study.curve import crossings, curve_jobs, family_curves
from tuneoff.study.faults import ENDS, Faults, fault_sentences, paths_taken
from tuneoff.study.ground import alone, keep_study, make_folder, same_base, same_study
from tuneoff.study.lengths import check_lengths
from tuneoff.study.plan import Plan
from tuneoff.study.race import Step, next_step
from tuneoff.study.seen import seen_of
from tuneoff.study.spec import StudySpec
from tuneoff.study.steps import Steps, Watch
from tuneoff.study.store import Ledger
from tuneoff.study.verdict.judge import judge, read_verdict, write_verdict
from tuneoff.study.verdict.judgement import Verdict
from tuneoff.study.work import Worker

__all__ = ["conduct", "open_base", "open_checked"]

MACHINE = ("device", "threads", "forward_tokens_per_s", "int8")
ROUNDED = 16
"records at most that what 8 bits change is measured on"
MARGIN = 0.8
"of the time that figures beside quality may take is planned for"


def conduct(
    plan: Plan,
    folder: Path,
    open_base: Callable[[], Base],
    watch: Watch | None = None,
    *,
    study_file: Path | None = None,
    retry: bool = False,
    strict: bool = False,
    quick: bool = False,
) -> Verdict:
    """Run what is missing, and judge. open_base: loads the model; called only where something is left to run.
    study_file: where the plan was read from; None: it was made without one, and the run folder gets it.
    retry: whether jobs that failed are tried again; without it a failure is a result. strict: whether the run stops
    where something fails that nobody expected (study/faults.py); without it the verdict is flagged. quick: the race and
    its verdict alone, without a first opinion and without figures that nothing is decided by; a later run takes them.

    Raises StudyError where the folder holds another study or strict stops it, ResourceError where disk or memory run
    out.
    """
    watch = watch or Watch()
    make_folder(folder)
    with alone(folder), closing(Ledger(folder / "ledger.sqlite", create=True)) as ledger:
        same_study(ledger, plan, folder)
        keep_study(ledger, plan.spec, study_file, folder / "study.toml")
        if retry:
            ledger.plan_failed_again()
        if quick:
            plan = _quick(plan, watch)
        held = Budgeted(plan, ledger)
        if ledger.meta("base"):
            ground = plan.ground(ledger.meta("base"))
            _enter(ledger, held.plan, ground, folder, watch)
            if _all_done(ledger, held, ground):
                judged = _judged(folder, ledger)
                return read_verdict(folder / "verdict.json") if judged else _finish(held.plan, ledger, folder)
        held.begin()
        watch.phase(f"loading {plan.spec.model.name}")
        base = open_base()
        same_base(ledger, base, folder)
        worker = Worker(plan, base, folder)
        for remark in (*plan.notes, *check_lengths(plan, base.chat, base.context)):
            watch.notice(remark)
            ledger.note("", "remark", remark)
        faults = Faults(ledger, watch.notice, strict=strict)
        faults.of_paths(Worn(base).capabilities())
        worker.check_given()
        _record_machine(ledger, worker)
        beside = beside_s(plan, rough_race_s(worker, _forward_rate(ledger)))
        if not ledger.begun() and not quick:
            _advise(Worker(plan, base, folder), ledger, watch, faults, OPINION * beside)
        _fit_to_budget(held, base, folder, watch, faults, MEASURING * beside)
        return _race(held, Worker(held.plan, base, folder), watch, faults)


def _quick(plan: Plan, watch: Watch) -> Plan:
    """The same without what stands beside the race, but for figures that [decision] asks for."""
    measure = needed(plan.spec.measure, plan.spec.decision)
    kept = [group for group in GROUPS if getattr(measure, group)]
    told = f", but for {' and '.join(kept)}, which [decision] asks for" if kept else ""
    left_out = "no recommendation before training, and no latency, drift, robustness and memorisation"
    watch.phase(f"quick: {left_out}{told}; a run without --quick takes them")
    return replace(plan, spec=plan.spec.model_copy(update={"measure": measure}))


def _forward_rate(ledger: Ledger) -> float:
    """Tokens per second that the base reads here."""
    return _machine(ledger.events())["forward_tokens_per_s"]


def _fit_to_budget(held: Budgeted, base: Base, folder: Path, watch: Watch, faults: Faults, allowance_s: float) -> None:
    """Measure what the study will take, and leave out what its budget does not hold; nothing where it has none."""
    if held.fitted or not held.asked.spec.budget:
        return
    watch.phase("measuring what it will take")
    fitted = held.measure(base, folder, faults.met, allowance_s)
    best, worst = (Budget(round(total.all_s)) for total in (fitted.forecast.best, fitted.forecast.worst))
    watch.phase(f"forecast: {best} at best, {worst} at worst")
    for sentence in fitted.left_out:
        held.ledger.note("", "left out", sentence)
    for sentence in (*fitted.left_out, *fitted.added):
        watch.phase(f"budget of {fitted.budget}: {sentence}")


def _advise(worker: Worker, ledger: Ledger, watch: Watch, faults: Faults, allowed_s: float) -> None:
    """A first opinion, before anything is trained; one that cannot be had stops no study."""
    effort = effort_in(allowed_s, _forward_rate(ledger))
    if not effort:
        watch.phase("no recommendation before training: the study is too short for it (tuneoff plan gives one)")
        return
    watch.phase("recommendation before training")
    try:
        keep_advice(worker, worker.folder, effort=effort)
    except ENDS:
        raise
    except Exception as error:  # it measures arms, and so meets whatever their plugins raise
        faults.met("the recommendation before training failed, and the study goes on without it", error)


def _race(held: Budgeted, worker: Worker, watch: Watch, faults: Faults) -> Verdict:
    ledger, ground = held.ledger, held.plan.ground(worker.base.fingerprint)
    steps = Steps(held.plan, worker, ledger, ground, watch, faults)
    while not (step := _next(ledger, held)).over:
        if step.test and (correction := held.grow(seen_of(ledger, held.plan))):
            watch.phase(correction.why)
            worker = Worker(held.plan, worker.base, worker.folder)
            steps = Steps(held.plan, worker, ledger, ground, watch, faults)
            continue
        steps.do(step)
        if correction := held.look(seen_of(ledger, held.plan)):
            watch.phase(correction.why)
    if held.figures_after_all():
        watch.phase("there is time left to measure latency, drift, robustness and memorisation")
        worker = Worker(held.plan, worker.base, worker.folder)
    _take_figures(held, worker, ground, watch, faults)
    steps.fit_sizes(_sizes_left(ledger, held.plan, ground))
    watch.phase("judging")
    return _finish(held.plan, ledger, worker.folder)


def open_checked(plan: Plan, tell: Callable[[str], None] = lambda remark: None) -> Base:
    """The model of a plan, loaded once its tokenizer has found that it can read every record.

    tell: gets the remarks of check_lengths, whose errors are raised.
    """
    from tuneoff.models.load import load_chat

    model = plan.spec.model
    told = {"template": model.template, "trust_remote_code": model.trust_remote_code}
    for remark in check_lengths(plan, *load_chat(model.name, folder=plan.spec.folder, **told)):
        tell(remark)
    return open_base(plan.spec)


def _take_figures(held: Budgeted, worker: Worker, ground: str, watch: Watch, faults: Faults) -> None:
    """Figures beside quality, as many as their share of the time holds."""
    plan, ledger = worker.plan, held.ledger
    if not due(ledger, plan):
        return
    advice, rates = read_advice(worker.folder / ADVICE), known_rates(ledger.events())
    before_s = (advice.seconds if advice else 0.0) + (rates.took_s if rates else 0.0)
    taken = settle_figures(ledger, plan, 1 / _forward_rate(ledger), MARGIN * held.beside_left_s(before_s))
    if cut := taken.cut(plan.spec.measure):
        share = f"{100 * plan.spec.measure.share:.0f} % of the time"
        watch.phase(f"latency, drift, robustness, memorisation: {cut}, to take at most {share} ([measure] share)")
    label = "latency, drift, robustness, memorisation: {}"
    take_axes(worker, ledger, ground, lambda arm: watch.phase(label.format(arm)), faults.met, taken)


def open_base(spec: StudySpec) -> Base:
    """The model of a study, loaded."""
    from tuneoff.models.load import load_model

    model = spec.model
    return load_model(
        model.name,
        folder=spec.folder,
        device=model.device,
        dtype=model.dtype,
        template=model.template,
        trust_remote_code=model.trust_remote_code,
    ).base()


def _next(ledger: Ledger, held: Budgeted) -> Step:
    """What the race asks for now."""
    seen = seen_of(ledger, held.plan)
    return next_step(held.entries(seen), seen, held.plan.spec.race)


def _sizes_left(ledger: Ledger, plan: Plan, ground: str) -> list[Job]:
    """The points of the learning curves that are not there."""
    settled = {row.key for row in ledger.curve_jobs() if row.status in ("done", "failed")}
    return [job for job in curve_jobs(plan, seen_of(ledger, plan), ground) if job.key not in settled]


def _all_done(ledger: Ledger, held: Budgeted, ground: str) -> bool:
    plan = held.plan
    return _next(ledger, held).over and not due(ledger, plan) and not _sizes_left(ledger, plan, ground)


def _finish(plan: Plan, ledger: Ledger, folder: Path) -> Verdict:
    verdict = judge(
        ledger,
        metric=plan.task.metrics[0],
        others=plan.task.metrics[1:],
        task=plan.task,
        traits=plan.traits,
        margin=plan.spec.margin,
        decision=plan.spec.decision,
        study=plan.spec.name,
        arms=[arm.name for arm in plan.arms],
    )
    events = ledger.events()
    met = {
        "sizes": _sizes(plan, ledger),
        "measured_on": _measured_on(plan),
        "machine": _machine(events),
        "paths": paths_taken(events),
    }
    verdict = replace(verdict, flags=fault_sentences(events), facts=verdict.facts | met)
    _hand_over(verdict, folder)
    write_verdict(verdict, folder / "verdict.json")
    for passing in ("aside", "contexts"):
        shutil.rmtree(folder / passing, ignore_errors=True)
    ledger.set_meta("test_open", "")
    ledger.note("", "verdict")
    return verdict


def _measured_on(plan: Plan) -> dict:
    """What the figures are figures of."""
    return {
        "model": plan.spec.model.name,
        "training_records": len(plan.data.train),
        "validation_records": len(plan.data.validation),
        "test_records": len(plan.data.test),
    }


def _machine(events: Iterable[Mapping]) -> dict:
    """Where times were measured last."""
    told = [json.loads(event["detail"]) for event in events if event["what"] == "machine"]
    return {key: told[-1][key] for key in MACHINE if key in told[-1]} if told else {}


def _sizes(plan: Plan, ledger: Ledger) -> dict:
    """What the learning curves over data sizes show; empty where none was asked for."""
    if not plan.spec.curve:
        return {}
    metric = metric_named(plan.task.metrics[0])
    curves = family_curves(plan, seen_of(ledger, plan), ledger, metric, plan.ground(ledger.meta("base")))
    return {
        "curves": [asdict(curve) | {"points": [asdict(point) for point in curve.points]} for curve in curves],
        "crossings": [asdict(crossing) for crossing in crossings(curves, plan.traits, metric.up)],
    }


def _hand_over(verdict: Verdict, folder: Path) -> None:
    """best/ is the bundle of the recommended arm's best seed; absent where the winner needs no model."""
    best = folder / "best"
    standing = next((s for s in verdict.standings if s.arm == verdict.recommended), None)
    source = folder / standing.artifact if standing and standing.artifact else None
    if source is None or not (source / "bundle.json").is_file():
        shutil.rmtree(best, ignore_errors=True)
        return
    fresh = folder / f".best-{time.time_ns()}"
    with disk_guard(folder):
        shutil.copytree(source, fresh)
    shutil.rmtree(best, ignore_errors=True)
    fresh.rename(best)


def _judged(folder: Path, ledger: Ledger) -> bool:
    """Whether the last thing that happened here was a verdict."""
    events = ledger.events()
    return bool(events) and events[-1]["what"] == "verdict" and (folder / "verdict.json").is_file()


def _record_machine(ledger: Ledger, worker: Worker) -> None:
    ledger.note("", "run", f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    told = measure_machine(worker.base)
    if any(worker.plan.in_8_bits(arm) for arm in worker.plan.racing):
        told["int8"] = _machine(ledger.events()).get("int8") or _rounding(worker)
    ledger.note("", "machine", json.dumps(told))


def _rounding(worker: Worker) -> dict[str, float]:
    """What 8 bits change and gain, on training records. Raises ConfigError where they are no gain."""
    check_int8(worker.base)
    prompt = Prompt(instruction=worker.task.instruction, template=worker.plan.spec.prompt.template)
    examples = worker.encode(prompt, worker.plan.data.train[:ROUNDED], VIRTUAL)
    few = affordable([len(example.ids.ids) for example in examples], fewest=1)
    return measure_rounding(worker.base, examples[:few])._asdict()


def _enter(ledger: Ledger, plan: Plan, ground: str, folder: Path, watch: Watch) -> None:
    """Unfinished jobs that may now train longer go on as new ones. Jobs of arms whose knobs are others now, or whose
    trials are no longer asked for, leave the race."""
    for label in go_on_with(plan, ledger, ground, folder):
        watch.phase(f"{label} had not come to its end, and goes on")
    rows = ledger.all_jobs()
    jobs = [current(job, rows) for job in places(plan, ground)]
    ledger.race_with((job.key, *place_of(job)) for job in jobs)
