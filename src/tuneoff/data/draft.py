"""A guess as a study file: TOML with a comment on every line that a person may want to change.

    input = ["text"]      # input columns, in the order they are shown
    answer = "label"      # also possible: "category" (11 values)

Values go through tomli_w, so quotes, backslashes and line ends in names stay what they are.
"""

from collections.abc import Sequence

import tomli_w

from tuneoff.data.guess import Guess

__all__ = ["draft"]

FIRST_LOOK = {"train": 500, "validation": 150, "test": 400}
BASELINES = ("majority", "tfidf")
ARMS = ("zero_shot", "few_shot", "soft_prompt_after", "lora")
MOST_LABELS_SHOWN = 10
DECIDES = {"strict_match": "decides the race; exact_match would take different answers of the data for equal"}


def draft(guess: Guess, name: str) -> str:
    """The text of a study file. name: what the reports call the study."""
    parts = [_head(guess, name), _model(), _data(guess), _labels(guess), _prompt(guess), _train()]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _head(guess: Guess, name: str) -> list[str]:
    arms = (*BASELINES, *ARMS) if guess.kind == "choice" else ARMS
    return [
        "# Written by `tuneoff new` from a look at the data: every line is a guess, change what is wrong.",
        "# Then: tuneoff plan study.toml (what would run), tuneoff run study.toml (runs it).",
        "version = 1",
        _line("name", name, "what the reports call it"),
        '# Who races; "lora -> soft_prompt" runs two in sequence, "lora + soft_prompt" together.',
        _line("arms", arms, ""),
        _line("seeds", 3, "runs of each finalist; with one, the spread between runs is unknown"),
        _line("trials", 1, "settings tried per method"),
        _line("metric", guess.metric, DECIDES.get(guess.metric, "decides the race")),
        _line("metrics", guess.metrics, "reported as well"),
    ]


def _model() -> list[str]:
    help = "or a Hugging Face id, a folder, or a .gguf file"
    return ["[model]", _line("name", "smollm2-135m-instruct", help)]


def _data(guess: Guess) -> list[str]:
    lines = ["[data]", f"# {guess.rows:,} rows, shape: {guess.shape}; columns: {', '.join(map(_value, guess.columns))}"]
    helps = {"path": "tuneoff splits it", "validation": "chooses settings", "test": "sealed until the end"}
    lines += [_line(key, file, helps.get(key, "")) for key, file in guess.files.items()]
    if guess.named:
        also = ", ".join(f"{_value(column)} ({count} values)" for column, count in guess.others.items())
        lines.append(_line("input", guess.input, "input columns, in the order they are shown"))
        lines.append(_line("answer", guess.answer, f"also possible: {also}" if also else "the wanted answer"))
    lines.append(_line("kind", guess.kind, "choice: one of a few labels; text: written out"))
    if "test" not in guess.files:
        lines.append(_line("shares", (0.6, 0.15, 0.25), "train, validation, test, by the hash of each record"))
    lines.append('# group = "customer"  # a column whose equal values must not part in a split')
    return lines + _limits(guess)


def _limits(guess: Guess) -> list[str]:
    if guess.rows <= sum(FIRST_LOOK.values()):
        return []
    lines = [_line(f"{split}_records", count, "at most") for split, count in FIRST_LOOK.items()]
    return ["# enough for a first look; 0 uses all", *lines]


def _labels(guess: Guess) -> list[str]:
    if guess.codes:
        lines = ["# The answers are codes. Write what each one means, and take the # of these lines away:"]
        return [*lines, "# [data.labels]", *(f'# {_key(label)} = "..."' for label in guess.labels)]
    if not guess.labels:
        return []
    shown = ", ".join(map(_value, guess.labels[:MOST_LABELS_SHOWN]))
    more = len(guess.labels) - MOST_LABELS_SHOWN
    return [f"# {len(guess.labels)} labels: {shown}{f' and {more} more' if more > 0 else ''}"]


def _prompt(guess: Guess) -> list[str]:
    own = "each record has its own; this would stand before it" if not guess.instruction else "say what the task is"
    names = ", and the labels are added to it" if guess.kind == "choice" else ""
    return ["[prompt]", _line("instruction", guess.instruction, own + names)]


def _train() -> list[str]:
    return ["[train]", _line("epochs", 2.0, "passes over the training records"), _line("batch_size", 8, "")]


def _line(key: str, value: object, comment: str) -> str:
    text = f"{key} = {_value(value)}"
    return f"{text}  # {comment}" if comment else text


def _value(value: object) -> str:
    """One TOML value on one line."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(map(_value, value))}]"
    return tomli_w.dumps({"x": value}).removeprefix("x = ").rstrip("\n")


def _key(name: str) -> str:
    return tomli_w.dumps({name: 0}).removesuffix(" = 0\n")
