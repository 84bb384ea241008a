"""tuneoff replay RECORDING: the race, run over recorded curves many times."""

from pathlib import Path
from typing import Annotated

import typer

from tuneoff.core.rungs import RaceKind

__all__ = ["replay"]


def replay(
    recording: Annotated[Path, typer.Argument(help="a folder of recorded curves (part-*.parquet)")],
    replays: Annotated[int, typer.Option(help="how often records and seeds are drawn anew", min=1)] = 1000,
    race: Annotated[RaceKind, typer.Option(help="as `race` in a study file")] = "rungs",
    margin: Annotated[float, typer.Option(help="as good as the grid's choice, as a share of right answers")] = 0.01,
) -> None:
    """Count what the race saves and what it misses, against training every setting with every seed to its end."""
    import json

    from rich.progress import track

    from tuneoff.study.replay import read_recording
    from tuneoff.study.replay import replay as run

    held = read_recording(recording)
    runs = [run(held, number, race) for number in track(range(replays), "replaying", transient=True)]
    shares = sorted(run.share for run in runs)
    told = {
        "recording": recording.name,
        "jobs": len(held.curves),
        "race": race,
        "replays": replays,
        "margin": margin,
        "same_setting": sum(run.won == run.best for run in runs) / replays,
        "same_method": sum(run.won[0] == run.best[0] for run in runs) / replays,
        "same_or_within_margin": sum(run.won == run.best or run.loss <= margin for run in runs) / replays,
        "same_or_tied": sum(run.won == run.best or run.tied for run in runs) / replays,
        "grid_again_within_margin": sum(run.again_loss <= margin for run in runs) / replays,
        "mean_loss": sum(run.loss for run in runs) / replays,
        "grid_again_mean_loss": sum(run.again_loss for run in runs) / replays,
        "token_share_mean": sum(shares) / replays,
        "token_share_most": shares[-1],
    }
    typer.echo(json.dumps(told, indent=1))
