"""tuneoff stats: the same comparison as a verdict's, on anybody's table of scores."""

import numpy as np
import pytest
from typer.testing import CliRunner

from tuneoff.cli.main import app
from tuneoff.cli.stats import read_scores
from tuneoff.stats import compare


def table(path, arms, skip=()):
    rows = ["arm,seed,record,score"]
    rows += [
        f"{arm},{seed},r{record},{x_RS[record, seed]:g}"
        for arm, x_RS in arms.items()
        for record in range(len(x_RS))
        for seed in range(x_RS.shape[1])
        if (arm, seed, record) not in skip
    ]
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture
def arms():
    rng = np.random.default_rng(0)
    return {
        name: (rng.random((120, seeds)) < share).astype(float)
        for name, share, seeds in (("lora", 0.9, 3), ("soft_prompt", 0.86, 3), ("zero_shot", 0.5, 1))
    }


def test_the_table_is_compared_as_the_function_does(tmp_path, arms):
    file = table(tmp_path / "scores.csv", arms)
    read = read_scores(file)
    assert {name: x_RS.shape for name, x_RS in read.items()} == {name: x_RS.shape for name, x_RS in arms.items()}
    assert {name: x_RS.mean() for name, x_RS in read.items()} == pytest.approx(
        {name: x_RS.mean() for name, x_RS in arms.items()}
    )
    found = compare(read, deterministic=["zero_shot"])
    done = CliRunner().invoke(app, ["stats", str(file), "--deterministic", "zero_shot"])
    assert done.exit_code == 0
    assert f"may be the best (*): {', '.join(found.winners)}" in done.output
    row = found.contrasts[-1]
    assert f"{row.a} minus {row.b}: {row.diff:+.4f}  95 % from {row.low:+.4f} to {row.high:+.4f}" in done.output
    second = found.winners[1]
    assert f"{second} minus zero_shot" not in done.output
    every = CliRunner().invoke(app, ["stats", str(file), "--deterministic", "zero_shot", "--all"])
    assert f"{second} minus zero_shot" in every.output


def test_a_table_that_leaves_a_cell_open_is_told_with_its_place(tmp_path, arms):
    file = table(tmp_path / "scores.csv", arms, skip={("lora", 1, 7)})
    done = CliRunner().invoke(app, ["stats", str(file)])
    assert done.exit_code == 2
    assert "'lora' lacks 1 scores, the first of record 'r7' and seed '1'" in done.output


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("arm,seed,record,score\na,0,r1,good\n", "a score is not a number"),
        ("arm,seed,record,score\na,0,r1,1\na,0,r1,0\n", "two scores for record 'r1'"),
        ("arm,seed,record\na,0,r1\n", "nothing under score"),
        ("arm,seed,record,score\n", "no records in it"),
        ("arm,seed,record,score\na,0,r1,70\na,0,r2,80\nb,0,r1,1\nb,0,r2,1\n", "outside bounds"),
    ],
)
def test_bad_tables_are_told(tmp_path, rows, said):
    file = tmp_path / "scores.csv"
    file.write_text(rows)
    done = CliRunner().invoke(app, ["stats", str(file)])
    assert done.exit_code == 2
    assert said in done.output
