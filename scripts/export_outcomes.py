"""Write a run's outcomes as one Parquet file, without any text of its records.

    python scripts/export_outcomes.py runs/bitext studies/bitext

One row per (arm, trial, seed, split, record, metric): the record's content hash, the statistics, and for a choice
the label that was answered. verdict.json is copied beside it. What a model wrote freely is left out.
"""

import json
import shutil
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tuneoff.study.store import Ledger


def main(run: Path, out: Path) -> None:
    ledger = Ledger(run / "ledger.sqlite")
    jobs = {job.key: job for job in ledger.jobs()}
    choice = json.loads((run / "verdict.json").read_text())["facts"]["kind"] == "choice"
    rows = [
        {
            "arm": jobs[o.job].arm,
            "trial": jobs[o.job].trial,
            "seed": jobs[o.job].seed,
            "split": o.split,
            "record": o.record,
            "metric": o.metric,
            "stats": o.stats,
            "answer": o.answer if choice else "",
        }
        for split in ("validation", "test")
        for o in ledger.outcomes(split=split)
        if o.job in jobs
    ]
    out.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), out / "outcomes.parquet", compression="zstd")
    shutil.copyfile(run / "verdict.json", out / "verdict.json")
    print(f"{len(rows)} outcomes of {len(jobs)} jobs, {(out / 'outcomes.parquet').stat().st_size} bytes")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
