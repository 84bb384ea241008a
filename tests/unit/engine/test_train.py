"""The training loop learns, repeats itself to the bit, goes on where it was killed, and keeps its best check."""

import pytest
import torch
from safetensors.torch import load_file

from tiny_arms import TASK, CountingCache, made_method, short_rows, tiny_base
from tiny_training import CHECKS, FLOAT32, Killed, Run, curve, killed_after, looks, many_rows, same
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
    assert [point.step for point in run.done.points] == CHECKS
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
@pytest.mark.parametrize("killed", [4, 7])
def test_a_killed_run_goes_on_and_ends_with_the_same_bits(names, killed, tmp_path):
    whole = Run(names, cache=CountingCache())
    fresh = CountingCache()  # a new process has kept nothing yet
    aside = tmp_path / "aside.safetensors"
    with pytest.raises(Killed):
        Run(names, aside=aside, tick=killed_after(killed), cache=CountingCache())
    seen = []
    resumed = Run(names, aside=aside, cache=fresh, tick=lambda step, steps, value: seen.append(step))
    assert seen[0] == killed + 1 - (killed not in CHECKS)  # the step behind the last check
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


def test_the_state_put_aside_is_whole(tmp_path):
    aside = tmp_path / "aside.safetensors"
    run = Run(aside=aside)
    held = load_file(aside)
    names = {name.partition("/")[2] for name in held}
    assert {name.partition("/")[0] for name in held} == {"now", "average", "best", "m", "v"}
    assert names == set(run.groups[0].parameters)
    assert [path.name for path in tmp_path.iterdir()] == ["aside.safetensors"]


def test_the_likeliest_check_comes_back():
    run = Run(check=looks(0.2, 0.3, 0.4, 0.9, 0.4, 0.8))
    full = Run()  # the same steps, its tensors noted at every check
    assert run.done.kept.step == 4
    assert not run.done.kept_the_last
    assert same(run.tensors, full.checks[3])
    assert not same(run.tensors, full.checks[-1])


def test_of_equal_checks_the_first_is_kept_and_one_that_is_no_number_never():
    assert Run(check=looks(0.2, 0.5, 0.5, 0.5, 0.4, 0.3)).done.kept.step == 2
    nan = float("nan")
    assert Run(check=looks(nan, 0.1, nan, nan, nan, nan)).done.kept.step == 2


def test_answers_are_wanted_at_the_rungs_of_a_race_and_at_the_end():
    def asked(**options):
        seen = []

        def check(answered):
            seen.append(answered)
            return Check([0.5, 0.5])

        run = Run(check=check, **options)
        return [step for step, answered in zip((p.step for p in run.done.points), seen) if answered]

    assert asked() == [1, 3, 8]
    assert asked(raced=False) == [8]


def test_training_ends_where_the_curve_is_flat():
    schedule = Schedule(epochs=10, batch_size=4, checks=20, margin=0.01)  # 40 steps, rungs at 4 and 13
    done = Run(schedule=schedule, check=looks(*[0.2, 0.4, 0.6, 0.7, 0.74, *[0.75] * 40])).done
    assert done.ended
    assert done.trend.flat(0.01)
    assert done.points[-1].step == 18  # from step 11 on 0.75 alone


def test_answers_that_were_not_asked_for_are_given_where_a_check_turns_out_to_be_the_last():
    schedule, asked = Schedule(epochs=10, batch_size=4, checks=20, margin=0.01), []

    def check(answered):
        asked.append(answered)
        return Check([0.7, 0.7], figure=0.5 if answered else None, answers=["said"] if answered else None)

    done = Run(schedule=schedule, check=check).done
    assert done.points[-1].step < 40
    assert asked[-2:] == [False, True]
    assert done.last == ["said"]
    assert done.points[-1].figure == 0.5
    assert done.points[-2].figure is None


def test_a_rising_curve_trains_to_the_cap_and_keeps_its_state(tmp_path):
    kept = tmp_path / "unfinished" / "state.safetensors"
    schedule = Schedule(epochs=10, batch_size=4, checks=20, margin=0.01)
    rising = [0.02 * at for at in range(1, 30)]
    run = Run(schedule=schedule, check=looks(*rising), unfinished=kept)
    assert run.done.points[-1].step == 40
    assert run.done.trend.lower > 0
    longer = Schedule(epochs=20, batch_size=4, checks=40, margin=-1.0, warmup=0.015)  # of the same one step
    on = Run(schedule=longer, check=looks(*[0.9] * 60), aside=kept)
    before = sum(step <= 40 for step in longer.check_steps(len(run.rows)))
    whole = Run(schedule=longer, check=looks(*rising[:before], *[0.9] * 60))
    assert (on.done.kept.step, on.done.points[-1].step, on.done.tokens) == (42, 80, whole.done.tokens)
    assert same(on.tensors, whole.tensors), "as if it had been one training"


def test_a_flat_curve_keeps_no_state_to_go_on_from(tmp_path):
    schedule = Schedule(epochs=10, batch_size=4, checks=20, margin=0.01)
    Run(schedule=schedule, check=looks(*[0.7] * 40), unfinished=tmp_path / "state.safetensors")
    assert not (tmp_path / "state.safetensors").exists()


def test_where_time_is_short_training_ends_earlier():
    schedule = Schedule(epochs=10, batch_size=4, checks=20, margin=-1.0, until=0.5)
    assert Run(schedule=schedule, check=looks(*[0.7] * 40)).done.points[-1].step == 20
    least = Schedule(epochs=10, batch_size=4, checks=20, margin=-1.0, until=0.1)
    assert Run(schedule=least, check=looks(*[0.7] * 40)).done.points[-1].step == 13, "not before the second rung"


def test_each_group_has_its_own_rate_and_the_schedule_moves_both():
    base = tiny_base("llama", dtype=FLOAT32)
    adapters = [new_adapter(base, made_method(name), TASK, 1) for name in ("lora", "soft_prompt")]
    groups = [
        Group({f"{lr}/{at}/{n}": t for at, own in adapter.tensors.items() for n, t in own.items()}, lr)
        for adapter, lr in zip(adapters, (1e-3, 4e-2))
    ]
    schedule = Schedule(epochs=10, batch_size=4, warmup=0.2, margin=-1.0)
    check = lambda answered: Check([0.0])  # noqa: E731
    trainee = Trainee(
        worn=Worn(base, adapters), groups=groups, examples=many_rows()[:4], seed=0, check=check, schedule=schedule
    )
    training, rates = Training(trainee, None), []
    while training.batch:
        learn([training], Fit(base.device))
        rates.append([group["lr"] for group in training.learner.optimiser.param_groups])
        training.go_on()
    assert len(rates) == 10
    assert rates[0] == pytest.approx([0.5e-3, 2e-2])
    assert rates[1] == pytest.approx([1e-3, 4e-2])
    assert rates[9] == pytest.approx([1e-3, 4e-2])


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
    schedule = Schedule(epochs=9, clip=0.01, weight_decay=0.1, warmup=0.0)
    groups = [Group({str(at): p for at, p in enumerate(ours.parameters())}, 1e-2)]
    check = lambda answered: Check([0.0])  # noqa: E731
    trainee = Trainee(worn=Worn(base, [ours]), groups=groups, examples=rows, seed=0, check=check, schedule=schedule)
    training = Training(trainee, None)
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
    return runs, train([run.trainee for run in runs], **options)


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


def test_an_arm_that_ends_leaves_the_others_to_go_on():
    schedule = Schedule(epochs=10, batch_size=4, checks=20, margin=0.01)
    early = Run(schedule=schedule, alone=False, check=looks(*[0.7] * 40))
    late = Run(schedule=schedule, alone=False, check=looks(*[0.02 * at for at in range(40)]))
    one, two = train([early.trainee, late.trainee])
    assert (one.points[-1].step, two.points[-1].step) == (13, 40)


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
        train([run.trainee for run in runs()], tick=tick)
    assert all(aside.is_file() for aside in asides)
    again = runs()
    train([run.trainee for run in again])
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
        done = train([run.trainee for run in runs], rung=rung, cache=CountingCache())
        reached.append((runs, done))
    return reached


@pytest.mark.parametrize("names", KINDS)
def test_a_run_that_waits_at_each_rung_ends_with_the_same_bits(names, tmp_path):
    whole = Run(names, seed=0, cache=CountingCache())
    rungs = in_rungs([names], tmp_path)
    assert [len(runs[0].checks) for runs, _ in rungs] == [1, 2, 3], "no check is made twice"
    for (runs, (done,)), at, points in zip(rungs, (0, 2, None), (1, 3, 6)):
        assert [point.step for point in done.points] == CHECKS[:points]
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
    assert (len(first.checks), again.checks) == (3, [])
    assert curve(first.done) == curve(again.done)
    assert same(first.tensors, again.tensors)


def test_killed_between_two_rungs(tmp_path):
    aside = tmp_path / "aside.safetensors"
    Run(aside=aside, rung=1)
    with pytest.raises(Killed):
        Run(aside=aside, rung=2, tick=killed_after(1))
    Run(aside=aside, rung=2)
    assert same(Run(aside=aside).tensors, Run().tensors)


def test_ticks_count_to_the_rung():
    def figured(answered):
        return Check([0.4, 0.4], figure=0.5)

    seen = []
    Run(rung=2, tick=lambda step, steps, value: seen.append((step, steps, value)), check=figured)
    assert seen == [(1, 3, None), (1, 3, 0.5), (2, 3, None), (2, 3, 0.5), (3, 3, None), (3, 3, 0.5)]
