"""python -m benchmarks NAME | all | --table FILE | hand_tuned ..."""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path


def main() -> None:
    """Read the command line; threads are set before torch is imported, which reads them once."""
    if sys.argv[1:2] == ["hand_tuned"]:  # of quality, with a command line of its own
        from benchmarks.hand_tuned import main as hand_tuned

        hand_tuned(sys.argv[2:])
        return
    asked = _asked()
    if asked.table:
        from benchmarks.table import markdown

        print(markdown(asked.table.read_text(encoding="utf-8").splitlines()))
        return
    if asked.name == "all":
        sys.exit(_each_alone())
    os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(asked.threads)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # every model is on this machine; a look at the hub would be timed
    _run(asked)


def _asked() -> argparse.Namespace:
    from benchmarks.registry import JUDGES, NAMES

    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="One JSON line per case, on stdout.")
    names = [*NAMES, *JUDGES, "all"]
    parser.add_argument("name", nargs="?", choices=names, help="all: those of speed, one process after another")
    parser.add_argument("--threads", type=int, default=_cores(), help="the same for both sides (all cores)")
    parser.add_argument("--cycles", type=int, help="L A B rounds (each benchmark has its own number)")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1")
    parser.add_argument("--quick", action="store_true", help="two cycles of little work: does it run?")
    parser.add_argument("--model", help="a model's name or folder in place of the benchmark's own")
    parser.add_argument("--table", type=Path, metavar="FILE", help="print JSON lines as a Markdown table")
    asked = parser.parse_args()
    if not asked.name and not asked.table:
        parser.error(f"name one of: {', '.join(names)}")
    return asked


def _run(asked: argparse.Namespace) -> None:
    import torch

    from benchmarks.harness import Settings
    from benchmarks.registry import benchmark
    from tuneoff.core.errors import TuneoffError

    torch.set_num_threads(asked.threads)
    torch.set_flush_denormal(True)
    settings = Settings(cycles=asked.cycles, device=asked.device, quick=asked.quick, model=asked.model)
    try:
        for line in benchmark(asked.name)(settings):
            print(json.dumps(line), flush=True)
    except TuneoffError as error:
        sys.exit(str(error))


def _each_alone() -> int:
    """Every benchmark of speed in a process of its own: none finds another's memory, a failed one does not end it."""
    from benchmarks.registry import NAMES

    given = [word for word in sys.argv[1:] if word != "all"]
    codes = [subprocess.run([sys.executable, "-m", "benchmarks", name, *given]).returncode for name in NAMES]
    return max(codes)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


if __name__ == "__main__":
    main()
