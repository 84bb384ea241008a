"""One call from the [data] table to clean splits, and every way in which the data can be wrong."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneoff.core.errors import DataError
from tuneoff.data.dedup import content_key
from tuneoff.data.load import SPLITS, load_data

WORDS = ("card_arrival", "lost_card", "refund")


def rows(count, start=0, labels=WORDS, **more):
    return [{"text": f"message {n}", "label": labels[n % len(labels)], **more} for n in range(start, start + count)]


def put(folder, name, tables):
    (folder / name).write_text("".join(json.dumps(table) + "\n" for table in tables), encoding="utf-8")


@pytest.fixture
def load(tmp_path):
    def with_files(files, **named):
        for name, tables in files.items():
            put(tmp_path, f"{name}.jsonl", tables)
        keys = {name: f"{name}.jsonl" for name in files if name in ("train", "validation", "test")}
        keys |= {"path": "data.jsonl"} if "data" in files else {}
        return load_data(**{**keys, "folder": tmp_path, **named})

    return with_files


def message(load, files, **named):
    with pytest.raises(DataError) as error:
        load(files, **named)
    return str(error.value)


def ids(data):
    return {name: {record.id for record in getattr(data, name)} for name in SPLITS}


def test_one_file_is_split_by_its_shares(load):
    data = load({"data": rows(1000)})
    assert (data.kind, data.labels) == ("choice", WORDS)
    assert sum(data.report.sizes.values()) == 1000
    assert data.report.read == {"data.jsonl": 1000}
    assert [abs(data.report.sizes[name] - share) < 50 for name, share in zip(SPLITS, (600, 150, 250))] == [True] * 3
    assert sum(data.report.labels["test"].values()) == data.report.sizes["test"] == len(data.test)
    assert data.report.warnings == ()
    assert data.report.summary() == [
        "{train:,} train, {validation:,} validation, {test:,} test records".format(**data.report.sizes)
    ]


def test_added_records_stay_out_of_the_old_ones_way(load):
    before, after = ids(load({"data": rows(300)})), ids(load({"data": rows(200, start=1000) + rows(300)}))
    assert all(before[name] <= after[name] for name in SPLITS)


def test_limits_are_stratified_and_nested(load):
    tables = rows(900, labels=("usual",) * 8 + ("rare", "odd"))
    small = load({"data": tables}, train_records=40, validation_records=20, test_records=60)
    large = load({"data": tables}, train_records=80, validation_records=30, test_records=90)
    assert list(small.report.sizes.values()) == [40, 20, 60]
    assert all(ids(small)[name] < ids(large)[name] for name in SPLITS)
    assert 30 <= small.report.labels["train"]["usual"] <= 34
    assert small.train == large.train[:40]


def test_a_limit_that_is_too_large_is_said(load):
    data = load({"data": rows(1000)}, train_records=5000)
    assert f"train_records asks for 5,000, and the split has {len(data.train)}: all are used" in data.report.warnings


def test_separate_files_stay_what_they_are(load):
    data = load({"train": rows(200), "validation": rows(50, 200), "test": rows(160, 300)})
    assert list(data.report.sizes.values()) == [200, 50, 160]
    assert {record.source.partition(":")[0] for record in data.test} == {"test.jsonl"}


def test_validation_is_cut_from_train(load):
    data = load({"train": rows(400), "test": rows(160, 1000)})
    assert len(data.test) == 160
    assert len(data.train) + len(data.validation) == 400
    assert 50 < len(data.validation) < 110  # 0.15 / 0.75 of 400 is 80


def test_path_with_a_test_file_of_its_own(load):
    data = load({"data": rows(400), "test": rows(160, 1000)})
    assert len(data.test) == 160
    assert {record.source.partition(":")[0] for record in data.train} == {"data.jsonl"}


def test_duplicates_and_contradictions_are_counted(load):
    double = [{"text": "MESSAGE  1 ", "label": WORDS[1]}, {"text": "message 2", "label": WORDS[0]}]
    data = load({"data": rows(600) + double + double})
    assert (data.report.duplicates, data.report.alike, data.report.contradicting) == (3, 2, 1)
    assert "3 duplicates removed, 2 of them different in capitals or white space only" in data.report.summary()
    assert "2 exact duplicates removed" in load({"data": rows(600) + rows(2)}).report.summary()
    assert "more than one answer for 1 text: no arm can get all of them right" in data.report.warnings
    (name,) = [name for name in SPLITS if any(r.fields["text"] == "message 2" for r in getattr(data, name))]
    assert sum(record.fields["text"] == "message 2" for record in getattr(data, name)) == 2


def test_leaked_records_leave_train_and_never_test(load):
    leaked = [{"text": f"Message  {n}", "label": WORDS[n % 3]} for n in range(20)]
    data = load({"train": rows(200), "validation": rows(50, 190), "test": rows(150, 1000) + leaked})
    assert len(data.test) == 170
    assert (data.report.leaked, data.report.leaked_groups) == (30, 30)
    assert (len(data.train), len(data.validation)) == (170, 50)
    assert "30 records (30 groups) removed from training or validation" in data.report.summary()[1]


def test_groups_do_not_leak_between_files(load):
    train = [{**row, "customer": f"c{n // 4}"} for n, row in enumerate(rows(200))]
    test = [{**row, "customer": f"c{n % 5}"} for n, row in enumerate(rows(150, 1000))]
    data = load({"train": train, "test": test}, group="customer")
    assert (data.report.leaked, data.report.leaked_groups) == (20, 5)
    assert not {record.group for record in data.train} & {f"c{n}" for n in range(5)}


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 120), st.integers(0, 40), st.integers(0, 1)), min_size=90, max_size=150))
def test_no_content_and_no_group_is_in_two_splits(tmp_path_factory, cells):
    folder = tmp_path_factory.mktemp("load")
    tables = [{"text": f"{'T' if n % 2 else 't'}ext {text}", "label": f"label {label}", "who": f"w{who}"}
              for n, (text, who, label) in enumerate(cells)]  # fmt: skip
    tables += [{"text": f"sure {n}", "label": f"label {n % 2}", "who": f"s{n}"} for n in range(40)]
    put(folder, "data.jsonl", tables)
    data = load_data(path="data.jsonl", folder=folder, group="who")
    who = {f"data.jsonl:{n}": table["who"] for n, table in enumerate(tables, start=1)}
    for a, b in (("train", "validation"), ("train", "test"), ("validation", "test")):
        one, two = getattr(data, a), getattr(data, b)
        assert not {content_key(record) for record in one} & {content_key(record) for record in two}
        assert not {who[record.source] for record in one} & {who[record.source] for record in two}


def test_labels_follow_the_persons_order(load):
    assert load({"data": rows(600)}, labels=["refund", "lost_card", "card_arrival"]).labels == WORDS[::-1]
    coded = rows(600, labels=(0, 1, 2))
    data = load({"data": coded}, labels={"2": "refund", "0": "lost_card", "1": "lost_card"})
    assert data.labels == ("refund", "lost_card")
    assert {record.target for record in data.train} == {"refund", "lost_card"}


def test_labels_that_are_codes_are_used_and_said(load):
    said = "the labels are codes (0, 1, 3), which say nothing to a prompt: [data.labels] can give each a name"
    data = load({"data": rows(600, labels=(0, 1, 3))})
    assert (data.labels, said in data.report.warnings) == (("0", "1", "3"), True)
    listed = load({"data": rows(600, labels=("A", "B"))}, labels=["A", "B"])
    assert (listed.labels, [note for note in listed.report.warnings if "codes" in note]) == (("A", "B"), [])


def test_an_unknown_label_names_its_line(load):
    text = message(load, {"data": [*rows(60), {"text": "t", "label": "refnd"}]}, labels=list(WORDS))
    assert "data.jsonl:61  the answer 'refnd' is not in [data] labels; did you mean 'refund'?" in text


def test_one_class_only(load):
    text = message(load, {"data": rows(60, labels=("spam",))})
    assert "all 60 records have the same answer 'spam'" in text
    assert "at least two labels" in text


def test_a_label_seen_once(load):
    text = message(load, {"data": [*rows(60), {"text": "t", "label": "fraud"}]})
    assert "1 label is seen once in all" in text
    assert "data.jsonl:61  'fraud'" in text
    assert "add a second record" in text


def test_kinds(load):
    assert load({"data": rows(600, labels=tuple(f"answer {n}" for n in range(80)))}).kind == "text"
    assert load({"data": rows(600, labels=tuple(f"answer {n}" for n in range(80)))}, kind="choice").kind == "choice"
    assert load({"data": rows(600, labels=("x" * 41, "y" * 41))}).kind == "text"
    data = load({"data": rows(600, labels=(0, 1))}, kind="text")
    assert (data.kind, data.labels, data.report.labels) == ("text", (), {})
    assert 'kind = "text"' in message(load, {"data": rows(60)}, kind="text", labels=list(WORDS))


def several(count, start=0):
    return [{"text": f"question {n}", "answer": [f"answer {n}", f"reply {n}"]} for n in range(start, start + count)]


def test_lists_of_texts_are_several_right_answers(load):
    data = load({"data": several(300)})
    assert (data.kind, data.labels, sum(data.report.sizes.values())) == ("text", (), 300)
    assert all(record.references == (record.target, f"reply {record.target[7:]}") for record in data.test)
    assert data.report.contradicting == 0


def test_rows_that_differ_in_their_free_text_are_told_how_both_can_be_right(load):
    tables = [{"text": f"question {n // 2}", "answer": f"answer {n}"} for n in range(300)]
    words = "no arm can get all of them right; a list of answers in one row makes each of them right"
    assert f"more than one answer for 150 texts: {words}" in load({"data": tables}).report.warnings


def test_references_do_not_hide_leaks_and_duplicates(load):
    test = [*several(150, 1000), {"text": "question 3", "answer": ["answer 3", "another one"]}]
    data = load({"train": several(200) + several(5), "test": test})
    assert (data.report.duplicates, data.report.leaked) == (5, 1)


@pytest.mark.parametrize("answers", [["price", "room"], [], ["price"]])
def test_lists_of_labels_are_refused(load, answers):
    lists = [["price"], ["room", "service"], answers]
    tables = [{"text": f"t {n}", "labels": lists[n % 3]} for n in range(90)]
    text = message(load, {"data": tables}, input=["text"], answer="labels")
    assert text.startswith("the answers are sets of labels, which cannot be tuned for yet")
    assert f"lists of {min(1, len(answers))} to 2 out of 3 labels: price, room, service" in text
    assert 'kind = "text"' in text


def test_lists_of_labels_where_the_person_says_what_they_are(load):
    tables = [{"text": f"t {n}", "votes": ["yes", "yes", "no"] if n % 2 else ["no", "yes"]} for n in range(90)]
    named = {"input": ["text"], "answer": "votes"}
    assert load({"data": tables}, **named, kind="text").train[0].alternatives
    assert "sets of labels" in message(load, {"data": tables}, **named, kind="choice")
    single = [{"text": f"t {n}", "label": [("lost", "found")[n % 2]]} for n in range(90)]
    assert load({"data": single}).labels == ("found", "lost")


def test_too_few_records_for_three_splits(load):
    text = message(load, {"data": rows(6, labels=("yes", "no no"), customer=1)}, group="customer")
    assert text.startswith("no records are left for ")
    assert "in 1 groups that stay whole" in text


def test_train_that_stands_in_test_whole(load):
    assert message(load, {"train": rows(160), "test": rows(160)}).startswith(
        "no records are left for train and validation"
    )


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ({}, "the study names no data"),
        ({"path": "a", "train": "b"}, "[data] has both path and train"),
        ({"train": "a.csv"}, 'let tuneoff cut the test set off: path = "a.csv"'),
        ({"train": "a", "test": "a"}, "[data] names one file twice"),
    ],
)
def test_files_that_do_not_go_together(named, words):
    with pytest.raises(DataError) as error:
        load_data(**named)
    assert words in str(error.value)


@pytest.mark.parametrize("shares", [[0.5, 0.5], [0.6, 0.3, 0.2], []])
def test_shares_must_add_up(load, shares):
    assert "three numbers that add up to 1" in message(load, {"data": rows(60)}, shares=shares)


def test_warnings_in_plain_words(load):
    files = {"train": rows(200), "test": [*rows(98, 1000), *rows(2, 2000, ("fraud",))]}
    warnings = load(files).report.warnings
    assert "only 100 test records: small differences between arms cannot be seen" in warnings
    assert (
        "the label 'fraud' is in the test records but in no training record: a trained arm cannot learn it" in warnings
    )
    twins = load({"data": rows(600, labels=("Refund", "refund", "lost"))}, labels=["Refund", "refund", "lost", "new"])
    assert "some labels differ in capital letters only: Refund, refund" in twins.report.warnings
    assert "the label 'new' is in no record" in twins.report.warnings


def test_the_keywords_are_the_keys_of_the_data_table():
    import inspect

    from tuneoff.study.spec import DataSpec

    keys = set(inspect.signature(load_data).parameters) - {"folder"}
    assert keys == set(DataSpec.model_fields) - {"too_long"}
    assert load_data.__kwdefaults__["shares"] == tuple(DataSpec().shares)


def test_columns_that_are_not_used_are_named(load):
    tables = [{**row, "customer": at} for at, row in enumerate(rows(60, id=1, tools="[]"))]
    data = load({"data": tables}, group="customer")
    assert data.report.unused == {"data.jsonl": ("id", "tools")}
    assert "columns not used: id, tools" in data.report.summary()
    assert not any("not used" in line for line in load({"data": rows(60)}).report.summary())


def test_a_column_of_one_file_is_named_with_it(load):
    data = load({"train": rows(60, id=1), "test": rows(60, start=60, id=1, annotator="b")})
    assert "columns not used: id, annotator (test.jsonl)" in data.report.summary()


def test_questions_with_options_are_a_choice_of_letters(load):
    tables = [{"question": f"{n}?", "choices": ["x", "y", "z"], "answer": n % 3} for n in range(90)]
    data = load({"data": tables})
    assert (data.kind, data.labels) == ("choice", ("A", "B", "C"))
    assert data.report.unused == {"data.jsonl": ()}


def test_labels_may_be_given_as_numbers(load):
    tables = [{"text": f"message {n}", "label": [1, 5.0, "1", "5"][n % 4]} for n in range(60)]
    assert load({"data": tables}, labels=[1, 5]).labels == ("1", "5")
    assert load({"data": tables}, labels={1: "bad", 5: "good"}).labels == ("bad", "good")


def test_a_rare_label_stands_on_both_sides(load):
    for start in range(0, 60, 6):  # whatever the hashes of its records say
        rare = [{"text": f"stolen card {n}", "label": "fraud"} for n in range(start, start + 5)]
        data = load({"data": [*rows(300), *rare]})
        assert all(data.report.labels[name]["fraud"] for name in SPLITS)
        assert not any("fraud" in warning for warning in data.report.warnings)
        moved = f"{data.report.moved} record{'' if data.report.moved == 1 else 's'} moved to splits that would have"
        assert any(moved in line for line in data.report.summary()) == bool(data.report.moved)


def test_a_split_without_a_label_is_named(load):
    files = {"train": [*rows(200), *rows(9, 900, ("fraud",))], "validation": rows(30, 500), "test": rows(160, 1000)}
    warnings = load(files).report.warnings
    assert "the label 'fraud' is in no test record: nothing will be known of how well it is answered" in warnings
    assert "the label 'fraud' is in no validation record: arms are chosen without a look at it" in warnings
    more = [row for n, word in enumerate(("fraud", "theft", "loss", "fire")) for row in rows(9, 900 + 9 * n, (word,))]
    warnings = load({**files, "train": [*rows(200), *more]}).report.warnings
    words = (
        "4 labels ('fire', 'fraud', 'loss' and 1 more) are in no test record: nothing will be known of how well they"
    )
    assert any(warning.startswith(words) for warning in warnings)


def test_a_test_set_of_one_label_judges_nothing(load):
    text = message(load, {"train": rows(200), "test": rows(160, 1000, ("refund",))})
    words = "to give it always is to be right, so nothing can be recommended"
    assert text.startswith(f"all 160 test records have the same answer 'refund': {words}")


def test_labels_that_look_alike_are_one_everywhere(load):
    spellings = ("bank loan", "bank\u00a0loan", "bank loan\u200b", "refund")
    data = load({"data": rows(400, labels=spellings)})
    assert data.labels == ("bank loan", "refund")
    assert {record.target for part in (data.train, data.validation, data.test) for record in part} == set(data.labels)
    (note,) = [warning for warning in data.report.warnings if "look alike" in warning]
    assert "'bank loan' was also spelled 'bank loan\\u200b' (100 records), 'bank\\xa0loan' (100 records)" in note
    twice = load({"data": [*rows(300, labels=spellings[::3]), {"text": "message 0", "label": spellings[1]}]})
    assert (twice.report.duplicates, twice.report.contradicting) == (1, 0)


def test_listed_labels_are_found_in_every_spelling(load):
    data = load({"data": rows(400, labels=("bank\u00a0loan", "refund"))}, labels=["refund", "bank loan"])
    assert data.labels == ("refund", "bank loan")
    coded = load({"data": rows(400, labels=("e\u0301", "x"))}, labels={"\u00e9": "bank loan", "x": "refund"})
    assert {record.target for record in coded.train} == {"bank loan", "refund"}


def test_short_words_are_no_codes(load):
    assert load({"data": rows(600, labels=("ja", "no"))}).labels == ("ja", "no")


def test_labels_that_differ_in_the_form_of_letters(load):
    data = load({"data": rows(600, labels=("refund", "\uff52efund", "lost"))})
    assert "some labels differ in the form of letters only: refund, \uff52efund" in data.report.warnings


def test_capitals_that_are_the_answer_contradict_nothing(load):
    tables = [{"text": f"Message {n}", "label": "calm"} for n in range(80)]
    tables += [{"text": f"MESSAGE {n}", "label": "shouted"} for n in range(80)]
    data = load({"data": tables})
    assert (data.report.duplicates, data.report.contradicting) == (0, 0)
    assert not any("more than one answer" in warning for warning in data.report.warnings)
    where = {name: {r.text.lower() for r in getattr(data, name)} for name in SPLITS}
    assert not where["train"] & where["test"]


def test_groups_that_look_alike_do_not_part(load):
    names = ("Ann\u00a0Lee {}", "Ann  Lee\u200b {}", "Ann Lee {}")
    data = load({"data": [{**row, "who": names[n % 3].format(n // 9)} for n, row in enumerate(rows(360))]}, group="who")
    groups = [{record.group for record in getattr(data, name)} for name in SPLITS]
    assert sum(map(len, groups)) == len(set().union(*groups)) == 40
