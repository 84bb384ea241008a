"""Guesses about columns, kind, labels, metric, files and wording; and the study file they become."""

import json
import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneoff.core.errors import DataError
from tuneoff.data.draft import draft
from tuneoff.data.guess import guess_study


def put(folder, name, tables):
    (folder / name).write_text("".join(json.dumps(table) + "\n" for table in tables), encoding="utf-8")
    return folder


def test_known_columns(tmp_path):
    tables = [{"text": f"t{n}", "label": "ab cd"[n % 2 :], "queue": f"queue {n % 4}", "id": n} for n in range(60)]
    got = guess_study("a.jsonl", folder=put(tmp_path, "a.jsonl", tables))
    assert (got.files, got.input, got.answer, got.kind) == ({"path": "a.jsonl"}, ("text",), "label", "choice")
    assert (got.metric, got.metrics, got.others) == ("accuracy", ("macro_f1",), {"queue": 4})
    assert got.instruction == "Read the text and choose the label."


def test_unknown_columns_are_told_by_their_values(tmp_path):
    tables = [{"nr": n, "Ticket_Text": f"a long text about {n} things", "Queue": ["billing", "delivery"][n % 2],
               "agent": None} for n in range(40)]  # fmt: skip
    got = guess_study("a.jsonl", folder=put(tmp_path, "a.jsonl", tables))
    assert (got.input, got.answer, got.labels) == (("Ticket_Text",), "Queue", ("billing", "delivery"))
    assert got.instruction == "Read the ticket text and choose the queue."


def test_an_answer_known_by_its_name_need_not_repeat(tmp_path):
    tables = [{"mail": f"a long mail about {n} things", "response": f"dear {n}"} for n in range(40)]
    got = guess_study("a.jsonl", folder=put(tmp_path, "a.jsonl", tables))
    assert (got.input, got.answer, got.kind) == (("mail",), "response", "text")


def test_of_two_unknown_texts_the_second_is_the_answer(tmp_path):
    got = guess_study(
        "a.jsonl", folder=put(tmp_path, "a.jsonl", [{"en": f"day {n}", "deu": f"Tag {n}"} for n in range(40)])
    )
    assert (got.input, got.answer, got.instruction) == (("en",), "deu", "Read the en and write the deu.")


def test_columns_that_say_nothing(tmp_path):
    tables = [{"a": f"text {n}", "b": f"other {n}", "c": f"third {n}"} for n in range(40)]
    with pytest.raises(DataError, match="cannot tell the input columns from the answer"):
        guess_study("a.jsonl", folder=put(tmp_path, "a.jsonl", tables))


def test_many_labels_are_a_choice_where_each_is_frequent(tmp_path):
    tables = [{"text": f"t{n}", "label": f"a label with more than forty characters {n % 77}"} for n in range(77 * 12)]
    assert guess_study("a.jsonl", folder=put(tmp_path, "a.jsonl", tables)).kind == "choice"


@pytest.mark.parametrize(("words", "metric"), [(1, "exact_match"), (12, "token_f1"), (60, "rouge_l")])
def test_metrics_of_text_follow_its_length(tmp_path, words, metric):
    tables = [{"question": f"q{n}", "answer": " ".join(f"w{n}" for _ in range(words))} for n in range(40)]
    got = guess_study("a.jsonl", folder=put(tmp_path, "a.jsonl", tables))
    assert (got.kind, got.metric, got.instruction) == ("text", metric, "Answer the question.")


def test_neighbours_named_test_and_validation(tmp_path):
    tables = [{"text": f"t{n}", "label": f"label {n % 2}"} for n in range(40)]
    for name in ("emotion_train.jsonl", "emotion_val.jsonl", "irony_test.jsonl"):
        put(tmp_path, name, tables)
    files = guess_study("emotion_train.jsonl", folder=tmp_path).files
    assert files == {"path": "emotion_train.jsonl", "validation": "emotion_val.jsonl"}
    put(tmp_path, "emotion_test.jsonl", tables)
    assert guess_study("emotion_train.jsonl", folder=tmp_path).files == {
        "train": "emotion_train.jsonl", "validation": "emotion_val.jsonl", "test": "emotion_test.jsonl",
    }  # fmt: skip


def test_codes_become_a_block_to_fill_in(tmp_path):
    tables = [{"text": f"t{n}", "label": n % 3 - 1} for n in range(60)]
    text = draft(guess_study("a.jsonl", folder=put(tmp_path, "a.jsonl", tables)), "a")
    assert '# [data.labels]\n# -1 = "..."\n# 0 = "..."\n# 1 = "..."\n' in text
    filled = text.replace("# [data.labels]", "[data.labels]")
    for code, word in (("-1", "bad"), ("0", "fair"), ("1", "good")):
        filled = filled.replace(f'# {code} = "..."', f'{code} = "{word}"')
    assert tomllib.loads(filled)["data"]["labels"] == {"-1": "bad", "0": "fair", "1": "good"}


names = st.text(min_size=1, max_size=8).filter(lambda name: name.strip() == name and name != "label")


@settings(deadline=None, max_examples=60)
@given(names, st.lists(st.text(min_size=1).filter(str.strip), min_size=2, max_size=4, unique_by=str.strip))
def test_any_text_comes_through_the_study_file(tmp_path_factory, column, labels):
    folder = tmp_path_factory.mktemp("guess")
    tables = [
        {column: f"a text that is long enough to be one {n}", "label": labels[n % len(labels)]} for n in range(80)
    ]
    (folder / "a.jsonl").write_text("".join(json.dumps(table) + "\n" for table in tables))
    table = tomllib.loads(draft(guess_study("a.jsonl", folder=folder), column))
    assert (table["name"], table["data"]["input"], table["data"]["answer"]) == (column, [column], "label")


@pytest.mark.parametrize(
    ("answers", "metric"),
    [
        (["f(x)", "f x", "a", "the", "Up", "up"], "strict_match"),
        (["3.5", "35", "5", "-5", "C", "C++"], "exact_match"),  # exact_match tells these apart
        (["这个水壶非常好用我很满意", "下次还会再来这里买东西"], "token_f1"),
        (["好评", "差评"], "exact_match"),
    ],
)
def test_the_metric_tells_the_answers_of_the_data_apart(tmp_path, answers, metric):
    tables = [{"question": f"q {n}", "answer": f"{answers[n % len(answers)]} {n // len(answers)}"} for n in range(60)]
    got = guess_data(put(tmp_path, "a.jsonl", tables))
    assert (got.kind, got.metric) == ("text", metric)
    said = "exact_match would take different answers of the data for equal" in draft(got, "t")
    assert said == (metric == "strict_match")


def guess_data(folder):
    return guess_study("a.jsonl", folder=folder)
