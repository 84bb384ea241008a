"""tuneoff inspect study.toml: records as the model gets them, with the trained tokens coloured."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["inspect"]


def inspect(
    study: Annotated[Path, typer.Argument(help="the study file")],
    arm: Annotated[
        str, typer.Option("--arm", "-a", help="whose prompt to show; default: the first arm with a model")
    ] = "",
    records: Annotated[int, typer.Option("--records", "-n", min=1, help="how many records")] = 3,
) -> None:
    """Show what is sent and which tokens are trained (in green, between ⟦ and ⟧)."""
    from tuneoff.cli.console import open_console
    from tuneoff.core.errors import ConfigError, nearest
    from tuneoff.study.conduct import open_checked
    from tuneoff.study.plan import make_plan
    from tuneoff.study.spec import read_spec
    from tuneoff.study.work import Worker

    spec = read_spec(study)
    made = make_plan(spec)
    asked = [each for each in made.arms if not each.baseline]
    names = [each.name for each in sorted(asked, key=lambda each: each.probe is not None)]  # a probe trains no token
    if arm and arm not in names:
        raise ConfigError(f"no arm {arm!r} with a model", where=study, allowed=names, fix=nearest(arm, names) or None)
    chosen = made.arm(arm or names[0])
    console = open_console()
    base = open_checked(made, lambda remark: console.print(remark, markup=False))
    worker = Worker(made, base, Path(), cache_bytes=0)
    job = made.job(chosen, 0, 0, "")
    for example in worker.encode(worker.prompt(job), made.data.train[:records]):
        _print(console, worker.base, example)


def _print(console, base, example) -> None:
    from rich.text import Text

    ids = example.ids
    console.rule(
        f"{example.record.source}  {len(ids.prompt)} tokens of prompt, {len(ids.answer)} trained", align="left"
    )
    before, behind = "⟦⟧" if console.encoding.startswith("utf") else "[]"
    text = Text(base.chat.show(ids.prompt), style="dim")
    text.append(before, style="bold")
    text.append(base.chat.show(ids.answer), style="bold green")
    text.append(behind, style="bold")
    console.print(text, soft_wrap=True)
    if example.record.alternatives:
        console.print(f"also right: {' | '.join(example.record.alternatives)}", markup=False, soft_wrap=True)
    if example.dropped_demonstrations or example.cut:
        console.print(f"({example.dropped_demonstrations} demonstrations dropped, {example.cut} characters cut to fit)")
