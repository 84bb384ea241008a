"""What is read of what a model wrote, and how it is said that writing stopped before the model did."""

import pytest

from tuneoff.engine.generate import Written
from tuneoff.evaluation.answer import cut_answers, read_text
from tuneoff.evaluation.metric import Answer
from tuneoff.evaluation.run import _read
from tuneoff.models.chat import Chat
from tuneoff.models.tiny import tiny_tokenizer


def test_a_prediction_keeps_its_indentation():
    assert read_text("\n    y = 1\n    return y\n") == Answer(text="    y = 1\n    return y")
    assert read_text(" \n") == Answer(text="", readable=False)


@pytest.mark.parametrize(
    ("chat", "said", "ended", "text", "cut"),
    [
        (True, "    x\n\nmore <filename>", True, "    x\n\nmore <filename>", False),
        (True, "one\n\ntwo", False, "one\n\ntwo", True),
        (False, " one\n\ntwo", False, "one", False),
        (False, "\n\n one\n\ntwo", False, "one", False),
        (False, " one and", False, "one and", True),
        (False, " one\n\ntwo", True, "one\n\ntwo", False),
        (False, "     y = 1\n    return y", True, "    y = 1\n    return y", False),
    ],
)
def test_where_an_answer_ends(chat, said, ended, text, cut):
    told = Chat(tiny_tokenizer(chat=chat))
    read = _read(told, Written(list(told.text_ids(said)), ended))
    assert (read.text, read.cut) == (text, cut)


def test_answers_that_were_cut_are_counted():
    answers = [Answer(text="a", cut=at < 12) for at in range(30)]
    assert cut_answers(answers, 64) == "12 of 30 answers (40%) were cut at 64 tokens, where writing stops"
    assert cut_answers([Answer(text="a")], 64) == ""
    assert cut_answers([], 64) == ""
