"""The training loop learns, repeats itself to the bit, goes on where it was killed, and keeps its best check."""

import pytest
import torch
from safetensors.torch import load_file

from tiny_arms import TASK, CountingCache, made_method, short_rows, tiny_base
from tiny_training import FLOAT32, Killed, Run, curve, killed_after, many_rows, same
from tuneoff.core.rungs import LAST
from tuneoff.engine.attach import Worn, new_adapter
from tuneoff.engine.context import Contexts
from tuneoff.engine.fit import Fit
from tuneoff.engine.learner import Check, Group
from tuneoff.engine.loss import answer_loss, plain_loss
from tuneoff.engine.schedule import Schedule
from tuneoff.engine.train import Trainee, Training, learn, train

KINDS = [("lora",), ("soft_prompt",), ("soft_prompt_after",), ("lora", "soft_prompt")]


@pytest.mark.parametrize("names", KINDS)
def test_the_loss_goes_down(names):
    run = Run(names, lr=0.1)
    assert run.done.points[-1].train_loss < 0.9 * run.done.points[0].train_loss
    assert run.done.tokens == 2 * sum(len(row.ids.ids) for row in run.rows)
    assert [point.step for point in run.done.points] == [1, 3, 5, 8]
    assert run.done.peak_bytes is not None


@pytest.mark.parametrize("names", KINDS)
def test_same_seed_same_bits_and_another_seed_others(names):
    one = Run(names)
    torch.manual_seed(12345)
    two = Run(names)
    assert same(one.tensors, two.tensors)
    assert curve(one.done) == curve(two.done)
    assert not same(one.tensors, Run(names, seed=4).tensors)


@pytest.mark.parametrize("names", KINDS)
@pytest.mark.parametrize("killed", [4, 6])
def test_a_killed_run_goes_on_and_ends_with_the_same_bits(names, killed, tmp_path):
    whole = Run(names, cache=CountingCache())
    fresh = CountingCache()  # a new process has kept nothing yet
    aside = tmp_path / "aside.safetensors"
    with pytest.raises(Killed):
        Run(names, aside=aside, tick=killed_after(killed), cache=CountingCache())
    seen = []
    resumed = Run(names, aside=aside, cache=fresh, tick=lambda step, steps, value: seen.append(step))
    assert seen[0] == killed  # the step behind the last check
    assert same(whole.tensors, resumed.tensors)
    assert curve(whole.done) == curve(resumed.done)


def test_killed_before_the_first_check_starts_again(tmp_path):
    aside = tmp_path / "aside.safetensors"
    with pytest.raises(Killed):
        Run(aside=aside, tick=killed_after(0))
    assert not aside.exists()
    assert same(Run(aside=aside).tensors, Run().tensors)


def test_killed_twice(tmp_path):
    aside = tmp_path / "aside.safetensors"
    for steps in (2, 5):
        with pytest.raises(Killed):
            Run(aside=aside, tick=killed_after(steps))
    assert same(Run(aside=aside).tensors, Run().tensors)


def test_a_finished_run_taken_up_again_learns_nothing_more(tmp_path):
    aside = tmp_path / "aside.safetensors"
    one = Run(aside=aside)
    again = Run(aside=aside)
    assert same(one.tensors, again.tensors)
    assert curve(one.done) == curve(again.done)
    assert again.checks == []


def test_a_run_that_stopped_early_and_was_killed_stays_stopped(tmp_path):
    figures = iter([0.9, 0.8, 0.5, 0.4, 0.3, 0.9, 0.9, 0.9])
    schedule = Schedule(epochs=4, batch_size=4, checks=8, patience=2)
    aside = tmp_path / "aside.safetensors"
    one = Run(schedule=schedule, aside=aside, check=lambda: Check(next(figures), 0.0))
    again = Run(schedule=schedule, aside=aside, check=lambda: Check(next(figures), 0.0))
    assert len(one.done.points) == 5
    assert curve(one.done) == curve(again.done)
    assert same(one.tensors, again.tensors)


def test_the_state_put_aside_is_whole(tmp_path):
    aside = tmp_path / "aside.safetensors"
    run = Run(aside=aside)
    held = load_file(aside)
    names = {name.partition("/")[2] for name in held}
    assert {name.partition("/")[0] for name in held} == {"now", "best", "m", "v"}
    assert names == set(run.groups[0].parameters)
    assert [path.name for path in tmp_path.iterdir()] == ["aside.safetensors"]


def test_the_best_check_comes_back():
    figures = iter([0.2, 0.3, 0.9, 0.4])
    run = Run(check=lambda: Check(next(figures), 0.0))
    full = Run()  # the same steps, its tensors noted at every check
    assert run.done.best.step == 5
    assert same(run.tensors, full.checks[2])
    assert not same(run.tensors, full.checks[3])


def test_a_check_at_an_early_rung_serves_the_race_alone():
    figures = iter([0.2, 0.9, 0.5, 0.4])
    assert Run(check=lambda: Check(next(figures), 0.0)).done.best.step == 5
    figures = iter([0.2, 0.9])
    assert Run(check=lambda: Check(next(figures), 0.0), rung=2).done.best.step == 3, "until there is a later one"


def test_what_does_not_race_is_checked_late_alone_and_ends_with_the_same_bits(tmp_path):
    whole, late = Run(), Run(raced=False)
    assert [point.step for point in late.done.points] == [5, 8]
    assert same(whole.tensors, late.tensors)
    assert late.done.points[0].train_loss == pytest.approx(
        sum(mean * steps for mean, steps in zip([p.train_loss for p in whole.done.points], (1, 2, 2))) / 5
    )
    aside = tmp_path / "aside.safetensors"
    with pytest.raises(Killed):
        Run(raced=False, aside=aside, tick=killed_after(4))
    seen = []
    resumed = Run(raced=False, aside=aside, tick=lambda step, steps, value: seen.append(step))
    assert seen[0] == 4, "it goes on from the last step that a check may stand at"
    assert same(resumed.tensors, late.tensors)
    assert curve(resumed.done) == curve(late.done)


def test_equal_figures_go_to_the_better_tie_and_then_to_the_first():
    ties = iter([Check(0.4, 0.0), Check(0.5, -3.0), Check(0.5, -1.0), Check(0.5, -1.0), Check(0.4, 0.0)])
    schedule = Schedule(epochs=4, batch_size=4, checks=5)
    done = Run(schedule=schedule, check=lambda: next(ties)).done
    assert [point.step for point in done.points] == [2, 5, 9, 12, 16]
    assert done.best.step == 9


def test_patience_stops_early_and_zero_never_does():
    def figures():
        rest = iter([0.9, 0.8, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0])
        return lambda: Check(next(rest), 0.0)

    schedule = {"epochs": 4, "batch_size": 4, "checks": 8}
    assert len(Run(schedule=Schedule(**schedule, patience=2), check=figures()).done.points) == 5
    assert len(Run(schedule=Schedule(**schedule, patience=0), check=figures()).done.points) == 8


def test_each_group_has_its_own_rate_and_the_schedule_moves_both():
    base = tiny_base("llama", dtype=FLOAT32)
    adapters = [new_adapter(base, made_method(name), TASK, 1) for name in ("lora", "soft_prompt")]
    groups = [
        Group({f"{lr}/{at}/{n}": t for at, own in adapter.tensors.items() for n, t in own.items()}, lr)
        for adapter, lr in zip(adapters, (1e-3, 4e-2))
    ]
    schedule = Schedule(epochs=4, batch_size=4, warmup=0.5)
    trainee = Trainee(
        worn=Worn(base, adapters), groups=groups, examples=many_rows()[:4], seed=0, check=lambda: Check(0.0, 0.0)
    )
    training, rates = Training(trainee, schedule, None), []
    for _ in range(4):
        learn([training], Fit(base.device))
        rates.append([group["lr"] for group in training.learner.optimiser.param_groups])
    assert rates[0] == pytest.approx([0.5e-3, 2e-2])
    assert rates[1] == pytest.approx([1e-3, 4e-2])
    assert rates[3] == pytest.approx([(0.1 + 0.45) * 1e-3, (0.1 + 0.45) * 4e-2])


def test_one_step_is_the_mean_over_trained_tokens_clipped_and_handed_to_adamw():
    """Against AdamW driven by hand with the plain path's gradient; float64, 1e-8."""
    base, rows = tiny_base("llama"), short_rows()
    made = []
    for _ in range(2):
        adapter = new_adapter(base, made_method("lora"), TASK, 1)
        for own in adapter.tensors.values():
            own.update({name: t.detach().double().requires_grad_() for name, t in own.items()})
        made.append(adapter)
    ours, hand = made
    schedule = Schedule(epochs=1, clip=0.01, weight_decay=0.1)
    groups = [Group({str(at): p for at, p in enumerate(ours.parameters())}, 1e-2)]
    trainee = Trainee(worn=Worn(base, [ours]), groups=groups, examples=rows, seed=0, check=lambda: Check(0.0, 0.0))
    training = Training(trainee, schedule, None)
    learn([training], Fit(base.device))
    learner = training.learner
    assert learner.done.tokens == sum(len(row.ids.ids) for row in rows)
    optimiser = torch.optim.AdamW(hand.parameters(), lr=1e-2, weight_decay=0.1)
    with Worn(base, [hand]) as worn:
        loss = plain_loss(worn, rows)
        (loss.per_record.sum() / loss.tokens).backward()
    norm = torch.nn.utils.clip_grad_norm_(hand.parameters(), 0.01)
    optimiser.step()
    assert norm > 0.01
    assert learner.losses == pytest.approx([float(loss.per_record.detach().sum()) / loss.tokens])
    for one, other in zip(ours.parameters(), hand.parameters()):
        assert float(one.grad.norm()) < 0.01 + 1e-9
        assert (one.grad - other.grad).abs().max() < 1e-8
        assert (one - other).abs().max() < 1e-4  # Adam's first step divides a gradient by its own size


def test_what_is_minimised_does_not_depend_on_how_records_are_batched():
    """Sums and counts of any two parts of a batch make those of the whole: gradient to 1e-6 in float64."""
    base, rows = tiny_base("llama"), many_rows(7)
    adapter = new_adapter(base, made_method("lora"), TASK, 1)
    gradients, counts = [], []
    for parts in ([rows], [rows[:2], rows[2:]], [[row] for row in rows]):
        with Worn(base, [adapter]) as worn:
            contexts = Contexts(worn, rows[0].ids.prompt[:3], None)
            losses = [answer_loss(contexts, contexts.start(), part) for part in parts]
        counts.append(sum(loss.tokens for loss in losses))
        mean = sum(loss.per_record.sum() for loss in losses) / counts[-1]
        gradients.append(torch.autograd.grad(mean, adapter.parameters()))
    assert counts == [21, 21, 21]
    for other in gradients[1:]:
        assert max(float((a - b).abs().max()) for a, b in zip(gradients[0], other)) < 1e-6


def test_kept_contexts_change_nothing_but_time():
    one = Run(("soft_prompt_after",), base=tiny_base("llama"), cache=None)
    cache = CountingCache()
    two = Run(("soft_prompt_after",), base=tiny_base("llama"), cache=cache)
    assert cache.hits > 0
    assert all((a - b).abs().max() < 1e-4 for a, b in zip(one.tensors, two.tensors))
    assert [p.train_loss for p in one.done.points] == pytest.approx([p.train_loss for p in two.done.points], abs=1e-5)


TOGETHER = [("lora",), ("soft_prompt",), ("lora", "soft_prompt"), ("lora",)]


def side_by_side(**options):
    runs = [Run(names, seed=seed, alone=False) for seed, names in enumerate(TOGETHER)]
    return runs, train([run.trainee for run in runs], runs[0].schedule, **options)


def test_arms_that_train_together_end_as_alone():
    """float32 on both sides: the frozen matmuls have other sizes, and round otherwise."""
    runs, together = side_by_side()
    for run, done, names, seed in zip(runs, together, TOGETHER, range(4)):
        alone = Run(names, seed=seed)
        assert done.tokens == alone.done.tokens
        assert [point.step for point in done.points] == [point.step for point in alone.done.points]
        losses = [[point.train_loss for point in one.points] for one in (done, alone.done)]
        assert losses[0] == pytest.approx(losses[1], abs=1e-4)
        assert max(float((a - b).abs().max()) for a, b in zip(run.tensors, alone.tensors)) < 1e-3
    assert max(float((a - b).abs().max()) for a, b in zip(runs[0].tensors, runs[3].tensors)) > 1e-2, "the control"


def test_seconds_of_a_pass_are_shared_and_memory_is_each_arms_own():
    _, together = side_by_side()
    assert all(done.peak_bytes is not None and done.seconds > 0 for done in together)
    assert all(done.seconds == pytest.approx(done.points[-1].seconds) for done in together)


def test_an_arm_that_stops_leaves_the_others_to_go_on():
    figures = iter([0.9, 0.8, 0.5, 0.4, 0.3])
    schedule = Schedule(epochs=4, batch_size=4, checks=8, patience=2)
    early = Run(schedule=schedule, alone=False, check=lambda: Check(next(figures), 0.0))
    rising = iter(range(20))
    late = Run(schedule=schedule, alone=False, check=lambda: Check(float(next(rising)), 0.0))
    one, two = train([early.trainee, late.trainee], schedule)
    assert (len(one.points), len(two.points)) == (5, 8)


def test_a_group_that_is_killed_ends_with_the_same_bits(tmp_path):
    asides = [tmp_path / f"{at}.safetensors" for at in range(4)]

    def runs():
        made = [Run(names, seed=seed, alone=False) for seed, names in enumerate(TOGETHER)]
        for run, aside in zip(made, asides):
            run.trainee.aside = aside
        return made

    def tick(step, total, value):
        if step > total // 2 + 3:
            raise Killed

    whole, _ = side_by_side()
    with pytest.raises(Killed):
        train([run.trainee for run in runs()], whole[0].schedule, tick=tick)
    assert all(aside.is_file() for aside in asides)
    again = runs()
    train([run.trainee for run in again], whole[0].schedule)
    for run, other in zip(whole, again):
        assert same(run.tensors, other.tensors)


def test_too_little_memory_splits_the_pass_and_changes_nothing(monkeypatch):
    from tuneoff.engine import train as module

    send_back, sizes = module._send_back, []

    def small(rows):
        if len(rows) > 5:
            raise MemoryError("simulated")
        sizes.append(len(rows))
        return send_back(rows)

    _, done = side_by_side()
    monkeypatch.setattr(module, "_send_back", small)
    _, done_split = side_by_side()
    assert max(sizes) <= 5
    for one, two in zip(done, done_split):
        assert [p.train_loss for p in one.points] == pytest.approx([p.train_loss for p in two.points], abs=1e-4)


def in_rungs(kinds, folder, **options):
    """Each rung from a fresh start that finds only what was put aside: [(runs, what came of them)] by rung."""
    reached = []
    for rung in range(1, LAST + 1):
        runs = [Run(names, seed=seed, alone=False, **options) for seed, names in enumerate(kinds)]
        for at, run in enumerate(runs):
            run.trainee.aside = folder / f"{at}.safetensors"
        done = train([run.trainee for run in runs], runs[0].schedule, rung=rung, cache=CountingCache())
        reached.append((runs, done))
    return reached


@pytest.mark.parametrize("names", KINDS)
def test_a_run_that_waits_at_each_rung_ends_with_the_same_bits(names, tmp_path):
    whole = Run(names, seed=0, cache=CountingCache())
    rungs = in_rungs([names], tmp_path)
    assert [len(runs[0].checks) for runs, _ in rungs] == [1, 1, 2], "no check is made twice"
    for (runs, (done,)), at, points in zip(rungs, (0, 1, None), (1, 2, 4)):
        assert [point.step for point in done.points] == [1, 3, 5, 8][:points]
        assert same(runs[0].tensors, whole.tensors if at is None else whole.checks[at])
        assert curve(done)[0] == curve(whole.done)[0][:points]
    assert curve(rungs[-1][1][0]) == curve(whole.done)
    assert not same(whole.checks[0], whole.checks[-1]), "the control"


def test_arms_that_wait_together_end_with_the_same_bits(tmp_path):
    whole, done = side_by_side()
    runs, curves = in_rungs(TOGETHER, tmp_path)[-1]
    for run, other, one, two in zip(runs, whole, curves, done):
        assert same(run.tensors, other.tensors)
        assert curve(one) == curve(two)


def test_a_rung_that_is_reached_is_not_run_again(tmp_path):
    aside = tmp_path / "aside.safetensors"
    first = Run(aside=aside, rung=2)
    again = Run(aside=aside, rung=2)
    assert (len(first.checks), again.checks) == (2, [])
    assert curve(first.done) == curve(again.done)
    assert same(first.tensors, again.tensors)


def test_killed_between_two_rungs(tmp_path):
    aside = tmp_path / "aside.safetensors"
    Run(aside=aside, rung=1)
    with pytest.raises(Killed):
        Run(aside=aside, rung=2, tick=killed_after(1))
    Run(aside=aside, rung=2)
    assert same(Run(aside=aside).tensors, Run().tensors)


def test_worse_checks_at_the_rungs_stop_nothing_and_late_ones_do(tmp_path):
    rest = iter([0.5, 0.4, 0.3, 0.2])
    options = {"check": lambda: Check(next(rest), 0.0), "aside": tmp_path / "aside.safetensors"}
    full = Run(schedule=Schedule(epochs=4, batch_size=4, checks=5))
    runs = [Run(schedule=Schedule(epochs=4, batch_size=4, checks=5, patience=1), rung=rung, **options)
            for rung in range(1, LAST + 1)]  # fmt: skip
    assert [[point.step for point in run.done.points] for run in runs] == [[2], [2, 5], [2, 5, 9, 12]]
    assert same(runs[1].tensors, full.checks[1])
    assert same(runs[2].tensors, full.checks[2])
    again = Run(schedule=Schedule(epochs=4, batch_size=4, checks=5, patience=1), aside=options["aside"])
    assert again.checks == []
    assert same(again.tensors, runs[2].tensors)


def test_ticks_count_to_the_rung():
    seen = []
    Run(rung=2, tick=lambda step, steps, value: seen.append((step, steps, value is not None)))
    assert seen == [(1, 3, False), (1, 3, True), (2, 3, False), (3, 3, False), (3, 3, True)]
