"""Which records meet which side in which slot: the same ones over the run, each side batching them its own way.

Ours sorts by length, as in training (there inside a window of 50 batches, here inside all batches of the run). The peer
gets the records in random order, as its own loader would shuffle them. Each side's batches are then dealt to the slots
from the cheapest to the dearest and back, so that no cycle meets the short ones of one side and the long ones of the
other. Both make as many steps of as many records, and each is credited with its own tokens.
"""

import random
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tuneoff.core.errors import DataError
from tuneoff.data.prompt import Prompt
from tuneoff.data.record import Record
from tuneoff.engine.batches import batches
from tuneoff.engine.examples import Example
from tuneoff.models.base import Base

__all__ = ["Lesson", "Slot", "asked", "lengths_of", "lesson", "own_tokens"]

Batch = list[Example]
LONGEST = 256  # tokens: one row of a thousand would outlast the rest of a slot


class Slot(NamedTuple):
    """The batches of one slot, as many on both sides; over all slots they hold the same records."""

    ours: list[Batch]
    theirs: list[Batch]


class Lesson(NamedTuple):
    """A slot per cycle. common: a batch of unequal lengths on which both sides say their loss."""

    slots: list[Slot]
    common: Batch
    size: int

    @property
    def examples(self) -> Batch:
        return [example for slot in self.slots for batch in slot.ours for example in batch]

    def slot(self, cycle: int) -> Slot:
        """One batch of the first slot in the cycle that warms up."""
        if cycle >= 0:
            return self.slots[cycle]
        first = self.slots[0]
        return Slot(first.ours[-1:], first.theirs[:1])


def asked(base: Base, records: Iterable[Record], instruction: str = "", longest: int = LONGEST) -> Batch:
    """Records as ids; those of more than `longest` tokens are left out, on both sides."""
    prompt = Prompt(instruction=instruction)
    examples = [Example(record, base.chat.encode(prompt.render(record), record.target)) for record in records]
    return [example for example in examples if len(example.ids.ids) <= longest]


def lesson(examples: Sequence[Example], size: int, steps: int, cycles: int, seed: int = 0) -> Lesson:
    """steps: batches of each side per slot. Raises DataError where there are too few examples."""
    wanted = size * steps * cycles
    if len(examples) < wanted:
        raise DataError("too few texts for this benchmark", found=f"{len(examples)}", allowed=f"{wanted} or more")
    drawn = random.Random(seed).sample(list(examples), wanted)
    lengths = [len(example.ids.ids) for example in drawn]
    ours = [[drawn[at] for at in batch] for batch in batches(lengths, size, seed, epoch=0)]
    theirs = [drawn[at : at + size] for at in range(0, wanted, size)]
    return Lesson([Slot(*own) for own in zip(_dealt(ours, cycles), _dealt(theirs, cycles))], theirs[0], size)


def _dealt(batches: Sequence[Batch], cycles: int) -> list[list[Batch]]:
    """Each cycle's batches, its cheapest first."""
    ranked = sorted(batches, key=_positions)
    rounds = [ranked[at : at + cycles] for at in range(0, len(ranked), cycles)]
    return [list(each) for each in zip(*(own[::-1] if at % 2 else own for at, own in enumerate(rounds)))]


def _positions(batch: Batch) -> int:
    """With every row padded to the longest."""
    return len(batch) * max(len(example.ids.ids) for example in batch)


def own_tokens(batches: Sequence[Batch], shared: int) -> int:
    """Useful tokens: every record's own, and the start that all records share once per step."""
    return sum(shared + sum(len(example.ids.ids) - shared for example in batch) for batch in batches)


def lengths_of(given: Lesson, shared: int) -> dict:
    """What the line says of the records: means over all slots, and what padding to a batch's longest row comes to."""
    examples = given.examples
    real = sum(len(example.ids.ids) for example in examples)
    return {
        "batch_size": given.size,
        "steps_per_slot": len(given.slots[0].ours),
        "mean_tokens": round(real / len(examples), 1),
        "mean_trained_tokens": round(sum(len(example.ids.answer) for example in examples) / len(examples), 1),
        "shared_start_tokens": shared,
        "padded_to": {name: round(_padded(given, name) / real, 2) for name in Slot._fields},
    }


def _padded(given: Lesson, side: str) -> int:
    """Positions of all rows when each batch is padded to its longest."""
    made = [batch for slot in given.slots for batch in getattr(slot, side)]
    return sum(map(_positions, made))
