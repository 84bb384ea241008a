"""Other wordings: the instruction is said otherwise, and all else is as it was."""

from dataclasses import replace

import pytest

from tiny_arms import tiny_base
from tuneoff.data.prompt import Prompt
from tuneoff.data.record import Message, Record
from tuneoff.engine.examples import encode
from tuneoff.evaluation.rewording import BUILT_IN, in_own_words

SAID = "Which {label} fits? Answer with one of: good, bad."
RECORDS = [Record(fields={"text": "all went well"}, target="good"), Record(fields={"text": "oh no"}, target="bad")]
SHOWN = Record(fields={"text": "fine"}, target="good")
FRAMES = [way for at, way in enumerate(BUILT_IN) if at != 1]


def texts(prompt, record):
    return [turn.content for turn in prompt.render(record)]


@pytest.mark.parametrize("way", BUILT_IN)
def test_the_instruction_and_the_input_are_said_once_each(way):
    prompt, records = way(Prompt(instruction=SAID, demonstrations=(SHOWN,)), RECORDS)
    for record, own in zip(RECORDS, records):
        (whole,) = ["\n".join(texts(prompt, own))]
        assert whole.count(SAID) == whole.count(record.text) == whole.count("fine") == 1
        assert own.id == record.id
        assert own.target == record.target
    assert texts(prompt, records[0]) != texts(Prompt(instruction=SAID, demonstrations=(SHOWN,)), RECORDS[0])


def test_at_its_end_stands_behind_the_record_and_not_behind_a_demonstration():
    prompt, records = BUILT_IN[1](Prompt(instruction=SAID, demonstrations=(SHOWN,)), RECORDS)
    assert texts(prompt, records[0]) == ["fine", "good", f"all went well\n\n{SAID}"]
    assert prompt.render(records[0])[-1] == Message("user", f"all went well\n\n{SAID}")


def test_at_its_end_can_still_lose_demonstrations_to_fit():
    prompt, records = BUILT_IN[1](Prompt(instruction=SAID, demonstrations=(SHOWN,) * 3), RECORDS)
    (example,) = encode(tiny_base(), prompt, records[:1], limit=160, too_long="truncate_right")
    assert example.dropped_demonstrations > 0
    assert SAID in tiny_base().tokenizer.decode(example.ids.prompt)


@pytest.mark.parametrize("way", BUILT_IN)
def test_a_records_own_instruction_is_reworded(way):
    own = [replace(record, instruction=f"Judge number {at}.") for at, record in enumerate(RECORDS)]
    prompt, records = way(Prompt(), own)
    for at, record in enumerate(records):
        said = texts(prompt, record)[-1]
        assert said.count(f"Judge number {at}.") == 1
        assert said != texts(Prompt(), own[at])[-1]
        assert record.id == own[at].id


@pytest.mark.parametrize("way", [*BUILT_IN, in_own_words("Is it good?")])
def test_without_an_instruction_there_is_nothing_to_reword(way):
    assert way(Prompt(template="Say of {text}:"), RECORDS) is None


def test_own_words_take_the_place_of_the_tasks():
    prompt, records = in_own_words("Is it good or bad?")(Prompt(instruction=SAID, demonstrations=(SHOWN,)), RECORDS)
    assert prompt == Prompt(instruction="Is it good or bad?", demonstrations=(SHOWN,))
    assert records == RECORDS
    assert in_own_words("Is it?")(Prompt(), [replace(RECORDS[0], instruction="Judge.")]) is None


def test_braces_in_an_instruction_stay_as_they_are():
    for way in FRAMES:
        prompt, _ = way(Prompt(instruction=SAID), RECORDS)
        assert "{label}" in prompt.instruction
