"""Whether the model can read every record of a plan, by its tokenizer alone: asked before anything else takes time.

3 of 400 records are longer than the model can read
  where:   notes.jsonl
  found:   notes.jsonl:17  9,556 tokens with its prompt
           ...
  allowed: 8,172 tokens (of 8,192, 20 are learned positions)
  do:      write too_long = "truncate_right" (or "truncate_left") under [data], or shorten the records
"""

from collections import Counter
from collections.abc import Sequence

from tuneoff.core.errors import DataError, ModelError
from tuneoff.data.prompt import Prompt
from tuneoff.data.record import Record
from tuneoff.models.adapt import AdapterMethod
from tuneoff.models.chat import Chat
from tuneoff.models.lengths import SHORTER, WITHOUT_ROOM, OverLong, Parts, measure_lengths, parts_of
from tuneoff.study.arm import Arm
from tuneoff.study.plan import Plan

__all__ = ["MOST_NEW_TOKENS", "check_lengths", "longest_answer", "over_long"]

MOST_NEW_TOKENS = 512
"where writing an answer stops at the latest"
MOST_LISTED = 100


def check_lengths(plan: Plan, chat: Chat, context: int) -> tuple[str, ...]:
    """Remarks on records that must be cut to be read, and on how the template asks. context: of the model, in tokens.

    Raises DataError, with all such records, where the chat template refuses records, where they are too long and may
    not be cut, and where nothing of them can be cut that would make them fit. Demonstrations are not counted: they are
    left out before any text is.
    """
    prompt, records, taken, most = _asked(plan, context)
    allowed = f"{most - taken:,} tokens{f' (of {most:,}, {taken} are learned positions)' if taken else ''}"
    room = 0 if plan.spec.data.too_long == "error" else longest_answer(plan, chat)
    lengths = measure_lengths(chat, prompt, records, most - taken, room)
    if lengths.refused:
        raise _refused(lengths.refused, len(records))
    if lengths.over and plan.spec.data.too_long == "error":
        raise _too_long(lengths.over, len(records), allowed)
    for least in (0, room):  # first the records that are too long by themselves, then those beside a longer answer
        rests = [(long.record, _rest(chat, prompt, long.record, least)) for long in lengths.over]
        _check_rest([(record, parts) for record, parts in rests if sum(parts) >= most - taken], len(records), allowed)
    cut = _cut(lengths.over, len(records), allowed, plan.spec.data.too_long)
    return (*chat.remarks, *cut, *_long_answers(plan, chat))


def over_long(plan: Plan, chat: Chat, context: int) -> tuple[list[OverLong], int]:
    """The records that the model cannot read whole, and how many tokens it reads beside what its arms learn."""
    prompt, records, taken, most = _asked(plan, context)
    return measure_lengths(chat, prompt, records, most - taken).over, most - taken


def _asked(plan: Plan, context: int) -> tuple[Prompt, list[Record], int, int]:
    """The prompt, all records, the positions that arms take, and the most that is read."""
    prompt = Prompt(instruction=plan.task.instruction, template=plan.spec.prompt.template)
    records = [*plan.data.train, *plan.data.validation, *plan.data.test]
    taken = max((_taken(arm) for arm in plan.racing), default=0)
    return prompt, records, taken, min(plan.spec.train.max_length or context, context)


def longest_answer(plan: Plan, chat: Chat) -> int:
    """Tokens of the longest label, or of the longest right answer of a training record, as far as it is written."""
    answers = plan.task.labels or [each for record in plan.data.train for each in record.references]
    return min(MOST_NEW_TOKENS, max(len(chat.answer_ids(answer)) for answer in answers))


def _taken(arm: Arm) -> int:
    """How many positions of the context an arm's learned ones take."""
    parts = [part.method for stage in arm.stages for part in stage.parts]
    return sum(method.taken for method in parts if isinstance(method, AdapterMethod))


def _refused(refused: Sequence[tuple[Record, ModelError]], count: int) -> DataError:
    problem = refused[0][1].problem
    return DataError(
        f"{problem}: {_of(len(refused), count)}",
        where=_files([record for record, _ in refused]),
        found=_listed([f"{record.source}  {getattr(error, 'why', error.problem)}" for record, error in refused]),
        fix='change these records or leave them out, or write template = "plain" under [model]',
    )


def _too_long(over: Sequence[OverLong], count: int, allowed: str) -> DataError:
    return DataError(
        f"{_of(len(over), count)} {'is' if len(over) == 1 else 'are'} longer than the model can read",
        where=_files([long.record for long in over]),
        found=_listed([f"{long.record.source}  {long.tokens:,} tokens with its prompt" for long in over]),
        allowed=allowed,
        fix='write too_long = "truncate_right" (or "truncate_left") under [data], or shorten the records',
    )


def _rest(chat: Chat, prompt: Prompt, record: Record, room: int) -> Parts:
    """What is not cut of a record; its answer may be any of those that are written."""
    parts = parts_of(chat, prompt, record)
    return parts._replace(answer=max(parts.answer, room))


def _check_rest(without_room: Sequence[tuple[Record, Parts]], count: int, allowed: str) -> None:
    """What is cut is the input: where the rest leaves no room for any of it, say what takes the room."""
    if not without_room:
        return
    longest = Counter(parts.longest for _, parts in without_room).most_common(1)[0][0]
    raise DataError(
        f"{WITHOUT_ROOM[longest]}: {_of(len(without_room), count)}",
        where=_files([record for record, _ in without_room]),
        found=_listed([f"{record.source}  {parts.words}" for record, parts in without_room]),
        allowed=allowed,
        fix=SHORTER[longest],
    )


def _cut(over: Sequence[OverLong], count: int, allowed: str, too_long: str) -> list[str]:
    if not over:
        return []
    longest = max(over, key=lambda long: long.tokens)
    return [
        f"{_of(len(over), count)} will be cut ({too_long}) to {allowed}; the longest, {longest.record.source}, "
        f"has {longest.tokens:,}"
    ]


def _long_answers(plan: Plan, chat: Chat) -> list[str]:
    """Written answers end at a limit that such an answer could not come to its end in."""
    if plan.task.kind == "choice":
        return []
    records = [*plan.data.train, *plan.data.validation, *plan.data.test]
    long = [record for record in records if _longer(chat, record.target)]
    if not long:
        return []
    return [
        f"the answers of {_of(len(long), len(records))} are longer than the {MOST_NEW_TOKENS} tokens that are written "
        f"at most: first {long[0].source}"
    ]


def _longer(chat: Chat, answer: str) -> bool:
    return len(answer.encode()) > MOST_NEW_TOKENS and len(chat.answer_ids(answer)) > MOST_NEW_TOKENS


def _of(count: int, whole: int, noun: str = "record") -> str:
    return f"{count:,} of {whole:,} {noun}{'' if whole == 1 else 's'}"


def _files(records: Sequence[Record]) -> list[str]:
    return list(dict.fromkeys(record.source.rpartition(":")[0] or record.source for record in records))


def _listed(lines: Sequence[str]) -> str:
    """Lines that each begin with a record's file:line, in the order of the files."""
    lines = sorted(lines, key=_place)
    more = len(lines) - MOST_LISTED
    return "\n".join([*lines[:MOST_LISTED], *([f"and {more:,} more"] if more > 0 else [])])


def _place(line: str) -> tuple[str, int]:
    file, _, number = line.partition("  ")[0].rpartition(":")
    return file, int(number) if number.isdigit() else 0
