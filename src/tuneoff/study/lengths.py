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
from dataclasses import replace

from tuneoff.core.errors import DataError
from tuneoff.data.prompt import Prompt
from tuneoff.data.record import Record
from tuneoff.models.adapt import AdapterMethod
from tuneoff.models.chat import Chat
from tuneoff.models.lengths import (
    SHORTER,
    WITHOUT_ROOM,
    OverLong,
    Parts,
    counted,
    files_of,
    listed,
    measure_lengths,
    parts_of,
    refusal,
)
from tuneoff.study.arm import Arm
from tuneoff.study.plan import Plan

__all__ = ["MOST_NEW_TOKENS", "check_asked", "check_lengths", "longest_answer", "over_long"]

MOST_NEW_TOKENS = 512
"where writing an answer stops at the latest"
MOST_ASKED = 500
"different answers that the chat template is asked about"


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
        raise refusal(lengths.refused, len(records))
    if lengths.over and plan.spec.data.too_long == "error":
        fix = 'write too_long = "truncate_right" (or "truncate_left") under [data], or shorten the records'
        raise _too_long(lengths.over, len(records), allowed, fix)
    for least in (0, room):  # first the records that are too long by themselves, then those beside a longer answer
        rests = [(long.record, _rest(chat, prompt, long.record, least)) for long in lengths.over]
        _check_rest([(record, parts) for record, parts in rests if sum(parts) >= most - taken], len(records), allowed)
    cut = _cut(lengths.over, len(records), allowed, plan.spec.data.too_long)
    return (*chat.remarks, *_changed_answers(records, chat), *cut, *_long_answers(plan, chat))


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


def check_asked(chat: Chat, prompt: Prompt, records: Sequence[Record], limit: int) -> None:
    """For records to answer that may not be cut. Raises DataError, with all that take more than `limit` tokens."""
    over = measure_lengths(chat, replace(prompt, demonstrations=(), nearest=0), records, limit).over
    if over:
        fix = "shorten them, or let them be cut: --too-long truncate_right, or too_long= in tuneoff.load"
        raise _too_long(over, len(records), f"{limit:,} tokens", fix)


def longest_answer(plan: Plan, chat: Chat) -> int:
    """Tokens of the longest label, or of the longest right answer of a training record, as far as it is written."""
    answers = plan.task.labels or [each for record in plan.data.train for each in record.references]
    return min(MOST_NEW_TOKENS, max(len(chat.answer_ids(answer)) for answer in answers))


def _taken(arm: Arm) -> int:
    """How many positions of the context an arm's learned ones take."""
    parts = [part.method for stage in arm.stages for part in stage.parts]
    return sum(method.taken for method in parts if isinstance(method, AdapterMethod))


def _too_long(over: Sequence[OverLong], count: int, allowed: str, fix: str) -> DataError:
    return DataError(
        f"{counted(len(over), count)} {'is' if len(over) == 1 else 'are'} longer than the model can read",
        where=files_of([long.record for long in over]),
        found=listed([f"{long.record.source}  {long.tokens:,} tokens with its prompt" for long in over]),
        allowed=allowed,
        fix=fix,
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
        f"{WITHOUT_ROOM[longest]}: {counted(len(without_room), count)}",
        where=files_of([record for record, _ in without_room]),
        found=listed([f"{record.source}  {parts.words}" for record, parts in without_room]),
        allowed=allowed,
        fix=SHORTER[longest],
    )


def _cut(over: Sequence[OverLong], count: int, allowed: str, too_long: str) -> list[str]:
    if not over:
        return []
    longest = max(over, key=lambda long: long.tokens)
    return [
        f"{counted(len(over), count)} will be cut ({too_long}) to {allowed}; the longest, {longest.record.source}, "
        f"has {longest.tokens:,}"
    ]


def _changed_answers(records: Sequence[Record], chat: Chat) -> list[str]:
    """Answers that the template would not write as they are, such as without a thought in them; a sample is asked."""
    first = {record.target: record for record in reversed(records)}
    sample = list(first.values())[:MOST_ASKED]
    changed = [record for record in sample if not chat.keeps(record.target)]
    if not changed:
        return []
    return [
        f"the chat template writes {counted(len(changed), len(sample), 'answer')} otherwise than the data "
        f"(such as {min(changed, key=lambda record: record.source).source}); they are trained as they stand"
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
        f"the answers of {counted(len(long), len(records))} are longer than the {MOST_NEW_TOKENS} tokens that are "
        f"written at most: first {long[0].source}"
    ]


def _longer(chat: Chat, answer: str) -> bool:
    return len(answer.encode()) > MOST_NEW_TOKENS and len(chat.answer_ids(answer)) > MOST_NEW_TOKENS
