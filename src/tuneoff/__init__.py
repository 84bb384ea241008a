"""tuneoff: prompt it, prompt-tune it, instruction-tune it or fine-tune it? A fair race on your own data.

    tuneoff.compare("tickets.jsonl")             the race: a verdict with its evidence
    tuneoff.tune("tickets.jsonl", "lora")        one arm, trained
    tuneoff.load("runs/tickets/best")            what a run left behind, ready to answer

Nothing heavy is imported before one of them is called.
"""

__all__ = ["__version__", "compare", "load", "tune"]

__version__ = "0.1.0"


def __getattr__(name: str):
    if name in ("compare", "load", "tune"):
        from tuneoff import api

        return getattr(api, name)
    raise AttributeError(f"module 'tuneoff' has no attribute {name!r}")
