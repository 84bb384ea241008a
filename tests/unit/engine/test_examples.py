"""Records become ids that fit, or are refused with their place; the shared start is found among tokens."""

from dataclasses import replace

import pytest

from tiny_arms import tiny_base
from tuneoff.core.errors import DataError
from tuneoff.data.prompt import Prompt
from tuneoff.data.record import Message, Record
from tuneoff.engine.examples import encode, shared_start, shortened
from tuneoff.models.base import Base
from tuneoff.models.tiny import tiny_model

LONG = Record(fields={"title": "short", "text": " ".join(f"w{at}" for at in range(60))}, target="joy", source="d.csv:4")
SHOWN = tuple(Record(fields={"text": f"shown {at}"}, target="joy") for at in range(4))


def words_of(base, example):
    return base.tokenizer.decode(example.ids.prompt)


def test_a_record_that_fits_is_left_as_it_is():
    base = tiny_base()
    (example,) = encode(base, Prompt(instruction="Feel?"), [LONG])
    assert (example.cut, example.dropped_demonstrations) == (0, 0)
    assert example.record is LONG
    assert example.ids == base.chat.encode(Prompt(instruction="Feel?").render(LONG), "joy")


def test_a_record_without_an_answer_is_refused_with_its_place():
    with pytest.raises(DataError, match="a record has no trained token") as caught:
        encode(tiny_base(), Prompt(), [Record(fields={"text": "x"}, target="", source="d.csv:9")])
    assert "d.csv:9" in str(caught.value)
    assert "give it an answer" in str(caught.value)


def test_a_record_too_long_is_refused_unless_it_may_be_cut():
    with pytest.raises(DataError, match="a record is longer than the model can read") as caught:
        encode(tiny_base(), Prompt(), [LONG], limit=80)
    assert "d.csv:4" in str(caught.value)
    assert "80 tokens" in str(caught.value)
    assert 'too_long = "truncate_right"' in str(caught.value)


@pytest.mark.parametrize(
    ("too_long", "kept", "lost"), [("truncate_right", "w0 ", "w59"), ("truncate_left", "w59", "w0 ")]
)
def test_as_many_characters_are_kept_as_fit(too_long, kept, lost):
    base = tiny_base()
    (example,) = encode(base, Prompt(instruction="Feel?"), [LONG], limit=120, too_long=too_long)
    text = words_of(base, example)
    assert len(example.ids.ids) == 120  # a character is a token here: not one more would fit
    assert kept in text
    assert lost not in text
    assert "title: short" in text
    assert "Feel?" in text
    whole = LONG.fields["text"]
    kept_text = whole[: len(whole) - example.cut] if too_long == "truncate_right" else whole[example.cut :]
    assert kept_text in text


@pytest.mark.parametrize("too_long", ["truncate_right", "truncate_left"])
def test_what_is_cut_does_not_depend_on_the_right_answer(too_long):
    """Else the length of what is left would tell the answer, and who does not know it would cut elsewhere."""
    base = tiny_base()
    alike = [replace(LONG, target=target) for target in ("j", "joy", "joyful")]
    three = encode(base, Prompt(instruction="Feel?"), alike, limit=120, too_long=too_long, room=7)
    assert {example.prompt for example in three} == {three[0].ids.prompt}
    assert len(three[0].prompt) == 120 - 7, "not one letter more is cut"
    assert [example.asked for example in three] == [None, None, None], "seven tokens are room for all of them"


def test_an_answer_that_takes_more_than_the_room_is_scored_behind_a_shorter_prompt():
    base = tiny_base()
    alike = [replace(LONG, target=target) for target in ("joy", "j" * 30)]
    short, long = encode(base, Prompt(), alike, limit=120, too_long="truncate_right", room=7)
    assert long.prompt == short.prompt
    assert len(long.ids.ids) == 120
    assert long.cut > short.cut


def test_how_many_were_shortened_in_words():
    base = tiny_base()
    short = Record(fields={"text": "x"}, target="joy")
    assert shortened(encode(base, Prompt(), [short])) == ""
    assert shortened(encode(base, Prompt(), [short, LONG], limit=120, too_long="truncate_left")) == (
        "of 2 records 1 were cut to fit"
    )


def test_a_text_without_spaces_is_cut_too():
    record = Record(fields={"text": "界" * 200}, target="joy")
    (example,) = encode(tiny_base(), Prompt(), [record], limit=90, too_long="truncate_right")
    assert 0 < example.cut < 200


def test_demonstrations_go_before_any_text():
    base = tiny_base()
    whole = Record(fields={"text": "a b c d e f g"}, target="joy")
    prompt = Prompt(instruction="Feel?", demonstrations=SHOWN)
    (free,) = encode(base, prompt, [whole])
    (example,) = encode(base, prompt, [whole], limit=len(free.ids.ids) - 1, too_long="truncate_right")
    assert example.dropped_demonstrations == 1
    assert example.cut == 0
    assert "shown 0" not in words_of(base, example)
    assert "shown 3" in words_of(base, example)
    assert "Feel?" in words_of(base, example)


def test_demonstrations_go_where_no_text_may_be_cut_too():
    base = tiny_base()
    whole = Record(fields={"text": "a b c d e f g"}, target="joy", source="d.csv:2")
    prompt = Prompt(instruction="Feel?", demonstrations=SHOWN)
    (free,) = encode(base, prompt, [whole])
    (example,) = encode(base, prompt, [whole], limit=len(free.ids.ids) - 1)
    assert (example.dropped_demonstrations, example.cut) == (1, 0)
    with pytest.raises(DataError, match="a record is longer than the model can read"):
        encode(base, prompt, [whole], limit=20)


def test_virtual_positions_must_fit_too():
    base = tiny_base()
    (example,) = encode(base, Prompt(), [LONG])
    tight = len(example.ids.ids)
    assert encode(base, Prompt(), [LONG], limit=tight) == [example]
    with pytest.raises(DataError, match="longer than the model can read"):
        encode(base, Prompt(), [LONG], limit=tight, reserve=1)


def test_the_models_context_is_the_limit():
    base = tiny_base()
    record = Record(fields={"text": "y" * 600}, target="joy")
    assert base.context == 512
    with pytest.raises(DataError, match="512 tokens"):
        encode(base, Prompt(), [record], limit=10_000)


def test_a_prompt_that_leaves_no_room_is_refused():
    with pytest.raises(DataError, match="the prompt alone is longer than the model can read"):
        encode(tiny_base(), Prompt(instruction="i" * 100), [LONG], limit=60, too_long="truncate_left")


def test_records_that_the_template_refuses_are_listed():
    net, tokenizer = tiny_model("llama")
    strict = "{% if messages[0]['role'] == 'assistant' %}{{ raise_exception('user first') }}{% endif %}"
    tokenizer.chat_template = strict + tokenizer.chat_template
    base = Base(net, tokenizer, fingerprint="strict")
    hello = (Message("assistant", "Hello"), Message("user", "one"))
    records = [Record(fields={}, turns=hello[at:], target="joy", source=f"d.csv:{at + 2}") for at in (0, 1)]
    with pytest.raises(DataError, match="the model's chat template refuses a conversation: 1 of 2 records") as caught:
        encode(base, Prompt(), records)
    assert "found:   d.csv:2  assistant, user: user first\n" in str(caught.value)


def test_what_leaves_no_room_is_said():
    talk = (Message("user", "t" * 90), Message("assistant", "yes"), Message("user", "go on"))
    answer = Record(fields={"text": "short"}, target="a" * 90, source="d.csv:7")
    conversation = Record(fields={}, turns=talk, target="joy", source="d.csv:8")
    for record, said in ((answer, "the answer is longer"), (conversation, "the conversation is longer")):
        with pytest.raises(DataError, match=f"{said} than the model can read") as caught:
            encode(tiny_base(), Prompt(), [record], limit=80, too_long="truncate_right")
        assert record.source in str(caught.value)
        assert "allowed: 80 tokens" in str(caught.value)
    assert "conversation 1" in str(caught.value), "100 and some tokens"
    assert "answer 4" in str(caught.value)
    assert "leave out the first turns" in str(caught.value)


@pytest.mark.parametrize(
    ("prompts", "length"),
    [
        ([], 0),
        ([(1, 2, 3)], 2),
        ([(1, 2, 3), (1, 2, 4)], 2),
        ([(1, 2, 3), (1, 2, 3)], 2),
        ([(1, 2), (1, 2, 3, 4)], 1),
        ([(1, 2, 3), (5, 2, 3)], 0),
        ([(1, 2, 9), (1, 3, 9), (1, 2, 9, 9)], 1),
        ([(7,), (7,)], 0),
    ],
)
def test_the_shared_start_leaves_each_a_token_of_its_own(prompts, length):
    assert shared_start(prompts) == length
