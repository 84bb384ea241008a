"""A guess as a study file: TOML with a comment on every line that a person may want to change.

    input = ["text"]      # input columns, in the order they are shown
    answer = "label"      # also possible: "category" (11 values)

Values go through tomli_w, so quotes, backslashes and line ends in names stay what they are.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import tomli_w

from tuneoff.data.guess import Guess
from tuneoff.data.label_tokens import LabelTokens

__all__ = ["BUDGET", "First", "Long", "draft", "limits", "sizes"]

BUDGET = "30m"
FIRST_LOOK = {"train": 500, "validation": 150, "test": 400}
SHARES = {"train": 0.6, "validation": 0.15, "test": 0.25}
BASELINES = ("majority", "tfidf", "linear_probe")  # and the classifier on the model's own states
ARMS = ("zero_shot", "few_shot", "soft_prompt_after", "lora")
MOST_LABELS_SHOWN = 10
DECIDES = {"strict_match": "decides the race; exact_match would take different answers of the data for equal"}
EDIT = "EDIT THIS LINE: say in one sentence what the model should do"


class Long(NamedTuple):
    """Records that a model cannot read: how many of how many, the longest in tokens, and what the model reads."""

    count: int
    of: int
    longest: int
    limit: int

    @property
    def words(self) -> str:
        are = "is" if self.count == 1 else "are"
        return (
            f"{self.count:,} of {self.of:,} {are} longer than the {self.limit:,} tokens that the model reads "
            f"(the longest: {self.longest:,})"
        )


class First(NamedTuple):
    """A first study: how many records of each split it takes at most, and in words what that takes."""

    records: Mapping[str, int] = FIRST_LOOK
    takes: str = "enough for a first look; 0 uses all"


def draft(
    guess: Guess, name: str, long: Long | None = None, first: First | None = None, tokens: LabelTokens | None = None
) -> str:
    """The text of a study file. name: what the reports call the study. long: where some records are. first: what its
    time allows; tokens: how the model reads the labels; None: not known."""
    data = [*_data(guess, long, first), *_labels(guess, tokens)]
    parts = [_head(guess, name), _model(), data, _prompt(guess, tokens), _names(guess, tokens), _train()]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def sizes(first: First, there: Mapping[str, int]) -> dict[str, int]:
    """How many records of each split a first study takes at most; a split that has fewer is not limited.

    there: how many each split has.
    """
    return {split: most for split, most in first.records.items() if there[split] > most}


def _head(guess: Guess, name: str) -> list[str]:
    arms = (*BASELINES, *ARMS) if guess.kind == "choice" else ARMS
    return [
        "# Written by `tuneoff new` from a look at the data: every line is a guess, change what is wrong.",
        "# Then: tuneoff plan study.toml (what would run), tuneoff run study.toml (runs it).",
        "version = 1",
        _line("name", name, "what the reports call it"),
        '# Who races; "lora -> soft_prompt" runs two in sequence, "lora + soft_prompt" together.',
        _line("arms", arms, ""),
        _line("seeds", 3, "runs of each arm's best setting; with one, the spread between runs is unknown"),
        _line("budget", BUDGET, 'what the run may take: "2h" gives it more, "" sets no limit'),
        "# trials = 4  # settings tried of each method; without this line, as many as the budget has time for",
        _line("metric", guess.metric, DECIDES.get(guess.metric, "decides the race")),
        _line("metrics", guess.metrics, "reported as well"),
    ]


def _model() -> list[str]:
    help = "or a Hugging Face id, a folder, or a .gguf file"
    return ["[model]", _line("name", "smollm2-135m-instruct", help)]


def _data(guess: Guess, long: Long | None, first: First | None) -> list[str]:
    columns = ", ".join(map(_value, guess.columns))
    lines = ["[data]", f"# {guess.rows['train']:,} rows, shape: {guess.shape}; columns: {columns}"]
    helps = {"path": "tuneoff splits it", "validation": "chooses settings", "test": "sealed until the end"}
    lines += [_line(key, file, helps.get(key, "")) for key, file in guess.files.items()]
    if guess.format != "auto":
        lines.append(_line("format", guess.format, ""))
    if guess.named:
        lines.append(_line("input", guess.input, "input columns, in the order they are shown"))
        lines.append(_line("answer", guess.answer, _answer_help(guess)))
    lines.append(_line("kind", guess.kind, "choice: one of a few labels; text: written out"))
    if guess.listed:
        lines.append(_line("labels", guess.labels, "the letters of the options in the text"))
    if "test" not in guess.files:
        lines.append(_line("shares", tuple(SHARES.values()), "train, validation, test, by the hash of each record"))
    return [*lines, *_group(guess), *_limits(guess, first), *_too_long(long)]


def _answer_help(guess: Guess) -> str:
    also = ", ".join(f"{_value(column)} ({count} values)" for column, count in guess.others.items())
    if also:
        return f"also possible: {also}"
    return "each row has a list of right answers" if guess.several else "the wanted answer"


def _group(guess: Guess) -> list[str]:
    if guess.group:
        return [_line("group", guess.group, "rows with the same value here stay in one split")]
    lines = [
        f"# {_line('group', name, f'{count:,} values; take the first # away to keep equal ones in one split')}"
        for name, count in guess.groups.items()
    ]
    return lines or ['# group = "customer"  # a column whose equal values must not part in a split']


def limits(guess: Guess, first: First | None = None) -> dict[str, int]:
    """The keys of [data] that keep a first study small: train_records and its like."""
    own = {split: guess.rows[split] for split in SHARES if split in guess.rows}
    rest = sum(share for split, share in SHARES.items() if split == "train" or split not in guess.files)
    cut = {split: int(guess.rows["train"] * share / rest) for split, share in SHARES.items()}
    there = {**cut, **{split: count for split, count in own.items() if split != "train"}}
    return {f"{split}_records": count for split, count in sizes(first or First(), there).items()}


def _limits(guess: Guess, first: First | None) -> list[str]:
    lines = [_line(key, count, "at most") for key, count in limits(guess, first).items()]
    return [f"# {(first or First()).takes}", *lines] if lines or first else []


def _too_long(long: Long | None) -> list[str]:
    if long is None:
        return []
    help = f'{long.words}; the end of their input is cut; "error" stops instead'
    return [_line("too_long", "truncate_right", help)]


def _labels(guess: Guess, tokens: LabelTokens | None) -> list[str]:
    """A comment on labels that stay as they are."""
    if not guess.labels or guess.names.renamed:
        return []
    shown = ", ".join(map(_value, guess.labels[:MOST_LABELS_SHOWN]))
    more = len(guess.labels) - MOST_LABELS_SHOWN
    line = f"# {len(guess.labels)} labels: {shown}{f' and {more} more' if more > 0 else ''}"
    return [line, f"# They are {tokens.words}."] if tokens and tokens.matter else [line]


def _prompt(guess: Guess, tokens: LabelTokens | None) -> list[str]:
    instruction, sure = guess.wording
    own = (
        "each record has its own; this would stand before it"
        if not instruction
        else "what the task is"
        if sure
        else EDIT
    )
    names = ", and the labels are added to it" if guess.kind == "choice" else ""
    lines = ["[prompt]", _line("instruction", instruction, own + names)]
    if tokens and tokens.unlike:
        lines.append(
            '# normalise = "tokens"  # a label of many tokens is less likely for that alone: this divides by them'
        )
    return lines


def _train() -> list[str]:
    return ["[train]", "# epochs = 16  # at most so many passes; without this line, as many as the data need"]


def _names(guess: Guess, tokens: LabelTokens | None) -> list[str]:
    """The labels in words: as they are used, or as lines to fill in."""
    names = guess.names
    if names.renamed:
        says = f"they are {tokens.words}" if tokens and tokens.matter else "the model reads these"
        lines = [f"# The labels in words: {says}. Predictions come with both.", "[data.labels]"]
        return [
            *lines,
            *(_line(_key(label), name, _about(label, guess, tokens)) for label, name in names.words.items()),
        ]
    if not names.opaque:
        return []
    lines = ["# The answers are codes, and are used as they are. Better: write what each one means, and take the # of"]
    known = {label: "..." if label in names.opaque else name for label, name in names.words.items()}
    return [
        *lines,
        "# these lines away:",
        "# [data.labels]",
        *(f"# {_line(_key(label), known[label], '')}" for label in known),
    ]


def _about(label: str, guess: Guess, tokens: LabelTokens | None) -> str:
    if label in guess.names.opaque:
        return "a code: write what it means"
    return tokens.of(guess.names.words[label]) if tokens and tokens.matter else ""


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
