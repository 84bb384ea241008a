"""Guesses about columns, kind, labels, metric and files; and the study file they become."""

import json
import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneoff.core.errors import DataError
from tuneoff.data.draft import Long, draft
from tuneoff.data.guess import Named, guess_study
from tuneoff.data.parts import Nested, Unclear
from tuneoff.data.read import read_rows


def put(folder, name, tables):
    (folder / name).write_text("".join(json.dumps(table) + "\n" for table in tables), encoding="utf-8")
    return folder


def guessed(folder, tables, **named):
    return guess_study({"": "a.jsonl"}, folder=put(folder, "a.jsonl", tables), named=Named(**named))


def test_known_columns(tmp_path):
    tables = [{"text": f"t{n}", "label": "ab cd"[n % 2 :], "queue": f"queue {n % 4}", "id": n} for n in range(60)]
    got = guessed(tmp_path, tables)
    assert (got.files, got.input, got.answer, got.kind) == ({"path": "a.jsonl"}, ("text",), "label", "choice")
    assert (got.metric, got.metrics, got.others) == ("accuracy", ("macro_f1",), {"queue": 4})
    assert got.doubts == ()


def test_unknown_columns_are_told_by_their_values(tmp_path):
    tables = [{"nr": n, "Ticket_Text": f"a long text about {n} things", "Team": ["billing", "delivery"][n % 2],
               "agent": None} for n in range(40)]  # fmt: skip
    got = guessed(tmp_path, tables)
    assert (got.input, got.answer, got.labels) == (("Ticket_Text",), "Team", ("billing", "delivery"))
    assert got.wording == ("Which team should take the ticket text?", True)
    assert got.doubts == ("the answer was guessed: Team",)


def test_an_answer_known_by_its_name_need_not_repeat(tmp_path):
    got = guessed(tmp_path, [{"mail": f"a long mail about {n} things", "response": f"dear {n}"} for n in range(40)])
    assert (got.input, got.answer, got.kind) == (("mail",), "response", "text")


def test_of_two_unknown_texts_the_second_is_the_answer(tmp_path):
    got = guessed(tmp_path, [{"en": f"day {n}", "deu": f"Tag {n}"} for n in range(40)])
    assert (got.input, got.answer) == (("en",), "deu")
    assert got.wording == ("Translate the text from English into German.", True)


SQL = [
    {"question": f"what is {n}?", "sql": f"SELECT {n}", "query_split": ["train", "test"][n % 2], "query_id": n % 20,
     "dialect": "sqlite"} for n in range(60)
]  # fmt: skip


@pytest.mark.parametrize("names", [["query_split", "question", "sql"], ["question", "query_split", "sql"]])
def test_a_split_name_an_identifier_and_a_constant_are_no_answer(tmp_path, names):
    tables = [{name: row[name] for name in [*names, "query_id", "dialect"]} for row in SQL]
    got = guessed(tmp_path, tables)
    assert (got.input, got.answer, got.kind, got.groups) == (("question",), "sql", "text", {"query_id": 20})
    assert got.wording.instruction == "Write the SQL query that answers the question."


@pytest.mark.parametrize(
    ("label", "why"), [("same", "the same in every row"), (None, "empty"), ("train", "the name of a split")]
)
def test_a_label_column_that_says_nothing_gives_way(tmp_path, label, why):
    tables = [{"text": f"a text of {n}", "label": label, "team": ["red", "blue"][n % 2]} for n in range(60)]
    if label == "train":
        tables = [{**row, "label": ["train", "dev"][n % 2]} for n, row in enumerate(tables)]
    assert guessed(tmp_path, tables).answer == "team"


def test_where_no_other_column_can_be_the_answer_the_doubt_is_said(tmp_path):
    tables = [{"text": f"a text of {n}", "label": ["train", "test"][n % 2]} for n in range(60)]
    assert guessed(tmp_path, tables).doubts == ("the answer column 'label' looks like no answer: the name of a split",)


def test_the_table_that_a_question_is_about_is_shown(tmp_path):
    tables = [{"question": f"what is {n}?", "columns": ["a", f"b{n}"], "sql": f"SELECT {n}", "table_id": f"1-{n:06}"}
              for n in range(60)]  # fmt: skip
    got = guessed(tmp_path, tables)
    assert (got.input, got.answer, got.others) == (("columns", "question"), "sql", {})


@pytest.mark.parametrize("shown", [lambda n: f"name[{n}], food[no]", lambda n: [["a", "is", str(n)], ["b", "is", "c"]]])
def test_a_list_of_texts_is_several_right_answers(tmp_path, shown):
    tables = [{"mr": shown(n), "refs": [f"It is {n} really.", f"{n} it is."], "kind": "ab"[n % 2]} for n in range(60)]
    got = guessed(tmp_path, tables)
    assert (got.input, got.answer, got.several, got.kind) == (("mr",), "refs", True, "text")
    assert got.wording == ("Write a text that says what the meaning representation says.", True)


def test_answers_in_the_form_of_squad(tmp_path):
    tables = [{"context": f"a context of {n}", "question": f"what {n}?", "id": f"x{n:06}",
               "answers": {"text": [f"it is {n}", f"{n}"], "answer_start": [0, 6]}} for n in range(60)]  # fmt: skip
    got = guessed(tmp_path, tables)
    assert (got.input, got.answer, got.several) == (("context", "question"), "answers", True)
    assert got.wording.instruction == "Read the context and answer the question."


def test_a_column_called_answer_goes_before_a_category(tmp_path):
    tables = [{"question": f"why {n}?", "best_answer": f"because of {n}", "category": "ab"[n % 2] * 3}
              for n in range(60)]  # fmt: skip
    got = guessed(tmp_path, tables)
    assert (got.input, got.answer) == (("question",), "best_answer")
    assert got.doubts == ("the answer was guessed: best_answer, and not category",)


def test_of_a_label_all_texts_are_shown_but_those_that_another_holds(tmp_path):
    tables = [{"subject": f"about my order {n}", "body": f"it did not come at {n}", "team": ["red", "blue"][n % 2]}
              for n in range(60)]  # fmt: skip
    assert guessed(tmp_path, tables).input == ("subject", "body")
    held = [{**row, "whole": f"{row['subject']}: {row['body']}"} for row in tables]
    assert guessed(tmp_path, held).input == ("whole",)


def test_a_text_that_holds_the_pair_and_more_is_shown_instead(tmp_path):
    tables = [{"word": f"bank{n}", "sentence1": f"a bank {n}", "sentence2": f"the bank {n}", "label": n % 2 == 0}
              for n in range(60)]  # fmt: skip
    assert guessed(tmp_path, tables).input == ("sentence1", "sentence2")
    whole = [{**row, "text": f"{row['word']}: {row['sentence1']}; {row['sentence2']}"} for row in tables]
    assert guessed(tmp_path, whole).input == ("text",)


def test_named_columns_are_taken(tmp_path):
    tables = [{"a": f"text {n}", "b": f"other {n}", "c": f"third {n}", "d": n % 20} for n in range(40)]
    got = guessed(tmp_path, tables, input=("c", "a"), answer="b", group="d")
    assert (got.input, got.answer, got.data["group"], got.doubts) == (("c", "a"), "b", "d", ())
    assert guessed(tmp_path, tables, answer="c").input == ("b",)  # the longest text
    known = [{"text": f"text {n}", "label": "xy"[n % 2], "team": ["red", "blue"][n % 2]} for n in range(40)]
    assert guessed(tmp_path, known, answer="team").input == ("text",)
    assert guessed(tmp_path, known, input=("text",)).answer == "label"
    with pytest.raises(DataError, match="unknown column 'temu'") as error:
        guessed(tmp_path, known, answer="temu")
    assert "did you mean 'team'?" in str(error.value)


def test_columns_that_say_nothing(tmp_path):
    tables = [{"a": f"text {n}", "b": f"other {n}", "c": f"third {n}"} for n in range(40)]
    with pytest.raises(Unclear, match="cannot tell the input columns from the answer") as error:
        guessed(tmp_path, tables)
    assert (error.value.input, error.value.answer) == (("a",), "b")
    assert "a: text 0; text 1" in str(error.value)
    paired = [{"prompt": row["a"], "chosen": row["b"], "rejected": row["c"]} for row in tables]
    with pytest.raises(Unclear) as error:
        guessed(tmp_path, paired)
    assert (error.value.input, error.value.answer) == (("prompt",), "chosen")


def test_texts_alone_are_no_study(tmp_path):
    with pytest.raises(Unclear, match="no column can hold the answer") as error:
        guessed(tmp_path, [{"source": "a book", "text": f"a text of {n}"} for n in range(40)])
    said = str(error.value.with_command("tuneoff new", "a b.jsonl"))
    assert "add a column that holds it" in said
    assert "tuneoff predict runs/NAME 'a b.jsonl'" in said


def test_options_become_part_of_the_input(tmp_path):
    tables = [{"question": f"{n}?", "choices": [f"x{n}", f"y{n}"], "answer": n % 2, "id": n} for n in range(60)]
    got = guessed(tmp_path, tables)
    assert (got.input, got.answer, got.kind, got.labels) == (("question", "choices"), "answer", "choice", ("A", "B"))
    assert (got.names.opaque, got.listed, got.wording) == ((), False, ("Choose the right option.", True))


def test_letters_of_options_in_the_text_are_no_codes(tmp_path):
    tables = [{"input": f"{n}?\n(A) yes {n}\n(B) no {n}", "output": "AB"[n % 2]} for n in range(60)]
    got = guessed(tmp_path, tables)
    assert (got.names.opaque, got.listed, got.data["labels"]) == ((), True, ("A", "B"))
    bare = guessed(tmp_path, [{**row, "input": f"{n}?"} for n, row in enumerate(tables)])
    assert (bare.names.opaque, bare.listed) == (("A", "B"), False)


def test_system_and_history_stay_in_the_input(tmp_path):
    tables = [{"system": "Be brief.", "question": f"{n}?", "answer": f"it is {n}"} for n in range(60)]
    assert guessed(tmp_path, tables).input == ("system", "question")


def test_an_input_that_some_rows_leave_out_is_not_named(tmp_path):
    tables = [{"context": None if n % 2 else "c", "question": f"{n}?", "answer": f"it is {n}"} for n in range(60)]
    assert "input" not in guessed(tmp_path, tables).data


def rewritten(nested, folder):
    """The rows that the Python of the message makes."""
    return eval(nested.rows.replace("FILE", "'a.jsonl'"), {"read_rows": lambda name: read_rows(name, folder=folder)})


def test_an_identifier_is_shown_where_there_is_nothing_else(tmp_path):
    tables = [{"url": f"https://shop.example/{n}", "label": ["good", "bad"][n % 2]} for n in range(60)]
    assert guessed(tmp_path, tables).input == ("url",)


def test_rows_that_hold_many_records(tmp_path):
    tables = [{"task": f"t{n}", "definition": f"Do {n}.", "instances": [{"input": f"{n}", "output": f"{n}!"}] * 3}
              for n in range(9)]  # fmt: skip
    with pytest.raises(Nested, match="each row holds many records") as error:
        guessed(tmp_path, tables)
    made = eval(
        error.value.rows.replace("FILE", "'a.jsonl'"), {"read_rows": lambda _: read_rows("a.jsonl", folder=tmp_path)}
    )
    assert made[0] == {"task": "t0", "instruction": "Do 0.", "input": "0", "output": "0!"}
    assert len(made) == 27


def test_of_records_that_differ_those_with_a_question_and_an_answer_are_kept_and_counted(tmp_path):
    held = [
        {"input": "a", "output": "b"},
        {"cause": "c", "effect": "d"},
        {"input": "e", "output": "f", "sentence": "g"},
    ]
    tables = [{"annotations": [f"Do {n}.", "Or so."], "induce": held} for n in range(9)]
    with pytest.raises(Nested) as error:
        guessed(tmp_path, tables)
    assert "18 records with input and output; 9 without them are left out" in str(error.value)
    made = rewritten(error.value, tmp_path)
    assert (len(made), made[0]) == (18, {"instruction": "Do 0.", "input": "a", "output": "b"})
    put(tmp_path, "a.jsonl", made)
    assert guess_study({"": "a.jsonl"}, folder=tmp_path).shape == "Alpaca"


def test_a_text_that_some_rows_lack_is_not_what_is_shown(tmp_path):
    tables = [{"sentence": "s" if n % 9 else None, "input": f"text {n}", "output": f"says {n}"} for n in range(60)]
    assert guessed(tmp_path, tables).input == ("input",)


def test_references_go_before_a_category(tmp_path):
    tables = [{"triples": [["a", "b", str(n)]], "refs": [f"a is {n}", "so"], "category": ["x", "y"][n % 2]}
              for n in range(60)]  # fmt: skip
    got = guessed(tmp_path, tables)
    assert (got.input, got.answer, got.others) == (("triples",), "refs", {"category": 2})


def test_sets_of_labels_can_be_cut_to_rows_of_one(tmp_path):
    tables = [{"text": f"t{n}", "labels": [["joy"], ["anger", "fear"], ["fear"]][n % 3]} for n in range(60)]
    with pytest.raises(Nested, match="sets of labels") as error:
        guessed(tmp_path, tables)
    made = eval(
        error.value.rows.replace("FILE", "'a.jsonl'"), {"read_rows": lambda _: read_rows("a.jsonl", folder=tmp_path)}
    )
    assert [row["labels"] for row in made[:2]] == ["joy", "fear"]
    assert len(made) == 40


def test_tags_of_tokens_are_named(tmp_path):
    tables = [{"tokens": ["a"] * (n % 3 + 1), "tags": ["O"] * (n % 3 + 1)} for n in range(60)]
    with pytest.raises(DataError, match="each word has a tag of its own"):
        guessed(tmp_path, tables)


def test_many_labels_are_a_choice_where_each_is_frequent(tmp_path):
    tables = [{"text": f"t{n}", "label": f"a label with more than forty characters {n % 77}"} for n in range(77 * 12)]
    assert guess_study({"": "a.jsonl"}, folder=put(tmp_path, "a.jsonl", tables)).kind == "choice"


@pytest.mark.parametrize(("words", "metric"), [(1, "exact_match"), (12, "token_f1"), (60, "rouge_l")])
def test_metrics_of_text_follow_its_length(tmp_path, words, metric):
    tables = [{"question": f"q{n}", "answer": " ".join(f"w{n}" for _ in range(words))} for n in range(40)]
    got = guess_study({"": "a.jsonl"}, folder=put(tmp_path, "a.jsonl", tables))
    assert (got.kind, got.metric, got.wording.instruction) == ("text", metric, "Answer the question.")


LABELLED = [{"text": f"t{n}", "label": f"label {n % 2}"} for n in range(40)]
FILES = {"train": "train.jsonl", "validation": "dev.jsonl", "test": "test.jsonl"}


def test_neighbours_are_files_of_the_study(tmp_path):
    for name in FILES.values():
        put(tmp_path, name, LABELLED)
    assert guess_study(FILES, folder=tmp_path).files == FILES
    assert guess_study({"train": "train.jsonl"}, folder=tmp_path).files == {"path": "train.jsonl"}


@pytest.mark.parametrize(
    "row",
    [{"text": "t"}, {"text": "t", "label": None}, {"text": "t", "label": ""}, {"review": "t", "label": "label 1"}],
)
def test_a_neighbour_without_answers_is_no_test_set(tmp_path, row):
    put(tmp_path, "train.jsonl", LABELLED)
    put(tmp_path, "dev.jsonl", LABELLED)
    put(tmp_path, "test.jsonl", [row] * 9)
    got = guess_study(FILES, folder=tmp_path)
    assert got.files == {"path": "train.jsonl", "validation": "dev.jsonl"}
    (doubt,) = got.doubts
    assert "test.jsonl has no answers (column label): it is no test set" in doubt
    assert "tuneoff predict" in doubt


def test_limits_follow_the_sizes_of_the_files(tmp_path):
    put(tmp_path, "train.jsonl", LABELLED)
    put(tmp_path, "test.jsonl", [{**row, "text": f"{row['text']} {n}"} for n in range(30) for row in LABELLED])
    text = draft(guess_study({"train": "train.jsonl", "test": "test.jsonl"}, folder=tmp_path), "a")
    data = tomllib.loads(text)["data"]
    assert (data.get("train_records"), data["test_records"]) == (None, 400)


def test_the_line_to_edit_is_marked_where_the_wording_is_a_guess(tmp_path):
    guess = guess_study({"": "a.jsonl"}, folder=put(tmp_path, "a.jsonl", LABELLED), title="tickets of ours")
    (line,) = [line for line in draft(guess, "a").splitlines() if line.startswith("instruction")]
    assert "EDIT THIS LINE" not in line  # Is the text label 0 or label 1?
    many = [{"text": f"t{n}", "label": f"label {n % 7}"} for n in range(70)]
    guess = guess_study({"": "a.jsonl"}, folder=put(tmp_path, "a.jsonl", many), title="ours")
    (line,) = [line for line in draft(guess, "a").splitlines() if line.startswith("instruction")]
    assert line.startswith('instruction = "Which of these is the text about?"  # EDIT THIS LINE')


def test_records_that_are_too_long_are_counted_in_the_file(tmp_path):
    guess = guess_study({"": "a.jsonl"}, folder=put(tmp_path, "a.jsonl", LABELLED))
    text = draft(guess, "a", Long(1, 400, 9556, 8192))
    assert tomllib.loads(text)["data"]["too_long"] == "truncate_right"
    assert "1 of 400 is longer than the 8,192 tokens that the model reads (the longest: 9,556)" in text
    assert "too_long" not in draft(guess, "a")


def test_a_group_is_written_and_a_likely_one_named(tmp_path):
    tables = [{"text": f"t{n}", "label": f"label {n % 2}", "customer_id": f"c{n % 20}"} for n in range(60)]
    text = draft(guessed(tmp_path, tables), "a")
    assert '# group = "customer_id"  # 20 values' in text
    assert tomllib.loads(draft(guessed(tmp_path, tables, group="customer_id"), "a"))["data"]["group"] == "customer_id"


def test_codes_become_a_block_to_fill_in(tmp_path):
    tables = [{"text": f"t{n}", "label": n % 3 - 1} for n in range(60)]
    text = draft(guess_study({"": "a.jsonl"}, folder=put(tmp_path, "a.jsonl", tables)), "a")
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
    table = tomllib.loads(draft(guess_study({"": "a.jsonl"}, folder=folder), column))
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
    told = [doubt for doubt in got.doubts if doubt.startswith("exact_match would take different answers for equal ('")]
    assert said == bool(told) == (metric == "strict_match")


def test_a_label_in_two_spellings_is_one_of_the_guess(tmp_path):
    words = ("bank loan", "refund", "bank\u00a0loan")
    tables = [{"text": f"text {n}", "label": words[n % 3]} for n in range(60)]
    assert guess_data(put(tmp_path, "a.jsonl", tables)).labels == ("bank loan", "refund")


def guess_data(folder):
    return guess_study({"": "a.jsonl"}, folder=folder)
