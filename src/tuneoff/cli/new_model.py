"""What the model's tokenizer says of a study file that has just been written: long records, and how labels are cut."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tuneoff.core.errors import ModelError, ResourceError
from tuneoff.data.draft import Long
from tuneoff.data.guess import Guess
from tuneoff.data.label_tokens import LabelTokens

__all__ = ["check_cut", "count_long", "read_labels"]

MOST_LABELS = 8
LINE = 100


def count_long(study: Path) -> Long:
    """The records of a study that its model cannot read whole, by the model's tokenizer alone."""
    from tuneoff.study.lengths import over_long

    plan, chat, context = _opened(study)
    over, limit = over_long(plan, chat, context)
    of = len(plan.data.train) + len(plan.data.validation) + len(plan.data.test)
    return Long(len(over), of, max((each.tokens for each in over), default=0), limit)


def check_cut(study: Path) -> None:
    """Raise DataError where records are too long and cannot be cut."""
    from tuneoff.study.lengths import check_lengths

    check_lengths(*_opened(study))


def read_labels(guess: Guess, study: Path) -> tuple[LabelTokens | None, list[str]]:
    """(how the model cuts the labels of a choice, what is said of it): new names, and labels of several tokens."""
    if not guess.labels:
        return None, []
    names = dict(guess.names.words) if guess.names.renamed else {label: label for label in guess.labels}
    try:
        tokens = _label_tokens(study, list(names.values()))
    except (ModelError, ResourceError) as error:
        tokens, heading = None, f"how the model reads them was not found out: {error.problem}"
    else:
        heading = tokens.words
    if not guess.names.renamed and not (tokens and tokens.matter):
        return tokens, []
    return tokens, [f"labels   {heading}", *_label_lines(names, tokens)]


def _label_tokens(study: Path, labels: Sequence[str]) -> LabelTokens:
    plan, chat, _ = _opened(study)
    pieces = {label: tuple(chat.show([one]) for one in chat.answer_ids(label)[:-1]) for label in labels}
    return LabelTokens(plan.spec.model.name, pieces)


def _label_lines(names: Mapping[str, str], tokens: LabelTokens | None) -> list[str]:
    """The longest labels first; of those that stay as they are, the ones of several tokens alone."""
    count = tokens.counts if tokens else {}
    told = [label for label, name in names.items() if label != name or count.get(name, 0) > 1]
    told.sort(key=lambda label: -count.get(names[label], 0))
    shown = [(label if label == names[label] else f"{label} -> {names[label]}", label) for label in told[:MOST_LABELS]]
    width = max((len(said) for said, _ in shown), default=0)
    lines = [f"         {said:<{width}}  {_cut(tokens, names[label], width)}".rstrip() for said, label in shown]
    return [*lines, *([f"         and {len(told) - MOST_LABELS} more"] if len(told) > MOST_LABELS else [])]


def _cut(tokens: LabelTokens | None, name: str, width: int) -> str:
    """A label's tokens, where the line has room for them."""
    if tokens is None:
        return ""
    said = tokens.of(name)
    return said if width + len(said) <= LINE else said.partition(":")[0]


def _opened(study: Path) -> tuple:
    """(plan, chat, context) of a study file, without the model's weights."""
    from tuneoff.models.load import load_chat
    from tuneoff.study.plan import make_plan
    from tuneoff.study.spec import read_spec

    spec = read_spec(study)
    return make_plan(spec), *load_chat(spec.model.name, folder=spec.folder, template=spec.model.template)
