"""What a run leaves behind answers as the sealed test did: from the run folder, from a bundle alone, and from Python.

Studies on the tiny model with long texts that are cut, several columns, conversations, instructions of their own and
free text; arms of every kind. Each is asked the rows of the test again, and must say what the ledger holds.
"""

import json
import random
import shutil
import sqlite3
import warnings
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from typer.testing import CliRunner

import tuneoff
from tiny_study import QUICK, put_model, put_rows, put_study, rows
from tuneoff.cli.main import app
from tuneoff.core.errors import DataError, StudyError
from tuneoff.models.load import load_model
from tuneoff.study.conduct import conduct, open_base
from tuneoff.study.plan import make_plan
from tuneoff.study.predict import answer_records, open_ready, read_questions
from tuneoff.study.ready import asked_record
from tuneoff.study.spec import read_spec

torch.set_num_threads(1)
SIZES = {"train_records": 16, "validation_records": 8, "test_records": 16}
LOUD = {
    "lora": {"lr": 0.02},
    "soft_prompt": {"lr": 1.0, "length": 4},
    "soft_prompt_after": {"lr": 1.0, "length": 4},
    "prefix": {"length": 4},
    "full": {"lr": 1e-3},
    "few_shot": {"demonstrations": 2},
}
ONE_OF_EACH = [
    "zero_shot",
    "few_shot",
    {"name": "nearest", "use": "few_shot", "few_shot": {"pick": "nearest"}},
    {"name": "mine", "use": "prompt_file", "prompt_file": {"text": "Text: {text}\nGood or bad?"}},
    "lora",
    "soft_prompt",
    "soft_prompt_after",
    "prefix",
    "full",
    "few_shot + lora",
    "lora + soft_prompt",
    "lora -> soft_prompt_after",
    {"name": "ours", "adapter": "first"},
    {"name": "theirs", "adapter": "peft"},
    {"name": "merged", "model": "merged"},
]


def loud(*names):
    return {name: LOUD[name] for name in names}


def long_rows(count=80):
    """What tells the label stands at the end, behind up to 700 letters that mean nothing."""
    rng = random.Random(3)
    return [
        {**row, "text": "".join(rng.choices("abcdef ", k=rng.randint(0, 700))) + " " + row["text"]}
        for row in rows(count)
    ]


def put_strangers(folder: Path):
    """An adapter that `peft` wrote, and merged weights, for the model in the folder."""
    torch.manual_seed(1)
    net = load_model("model", folder=folder).net
    config = LoraConfig(r=2, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    worn = get_peft_model(net, config)
    worn.save_pretrained(folder / "peft")
    worn.merge_and_unload().save_pretrained(folder / "merged")


def finished(folder: Path, tables, arms, **more):
    if not (folder / "model").is_dir():
        put_model(folder)
    put_strangers(folder)
    put_rows(folder / "data.jsonl", tables)
    data = {**SIZES, **more.pop("data", {})}
    spec = read_spec(put_study(folder, arms, seeds=1, data=data, train=QUICK, race="full", **more))
    conduct(make_plan(spec), folder / "run", lambda: open_base(spec))
    return folder / "run"


def answers_told(run: Path) -> dict[str, dict[str, str]]:
    """By arm: record to answer, as the sealed test wrote them down."""
    with sqlite3.connect(run / "ledger.sqlite") as db:
        found = db.execute(
            "select arm, record, answer from outcomes join jobs on key = job where split = 'test' and phrasing = 0"
        ).fetchall()
    return {arm: {record: answer for own, record, answer in found if own == arm} for arm in {row[0] for row in found}}


def rows_asked(run: Path):
    """(record id, row as its file holds it) of the test records."""
    plan = make_plan(read_spec(run.parent / "study.toml"))
    lines = (run.parent / "data.jsonl").read_text(encoding="utf-8").splitlines()
    return [(record.id, json.loads(lines[int(record.source.rpartition(":")[2]) - 1])) for record in plan.data.test]


def check_all(run: Path, tmp_path: Path, answer: str):
    """All ways to ask all arms. answer: the column that a row to predict does not have."""
    told, asked = answers_told(run), rows_asked(run)
    file = put_rows(tmp_path / "asked.jsonl", [{k: v for k, v in row.items() if k != answer} for _, row in asked])
    standings = json.loads((run / "verdict.json").read_text())["standings"]
    assert {row["arm"] for row in standings if row["mean"] is not None} == set(told)
    for row in standings:
        arm, wanted = row["arm"], [told[row["arm"]][record] for record, _ in asked]
        records = read_questions(run, str(file), arm).records
        assert answer_records(run, arm, records) == wanted, f"{arm}, from the run folder"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert tuneoff.load(run, arm).answer([row for _, row in asked]) == wanted, f"{arm}, from Python"
        bundle = run / row["artifact"]
        if (bundle / "bundle.json").is_file():
            alone = Path(shutil.copytree(bundle, tmp_path / "alone" / Path(row["artifact"]).name))
            records = read_questions(alone, str(file)).records
            assert answer_records(alone, "", records) == wanted, f"{arm}, from its bundle alone"
    return told


@pytest.fixture(scope="module")
def cut_study(tmp_path_factory):
    """A choice in long texts that are cut on the left."""
    more = {
        "data": {"too_long": "truncate_left"},
        "prompt": {"instruction": "Good or bad?", "normalise": "tokens", "list_labels": False},
        "methods": LOUD,
    }
    folder = tmp_path_factory.mktemp("cut")
    put_model(folder)
    first = {"data": {"input": ["text", "label"], "answer": "other", "kind": "choice", **SIZES}, "train": QUICK}
    asked = [{**row, "other": row["label"]} for row in rows(80)]
    tuneoff.tune(asked, "few_shot + lora", model=str(folder / "model"), out=folder / "first", tables=first)
    return finished(folder, long_rows(), ONE_OF_EACH, **more)


def test_every_kind_of_arm_on_texts_that_are_cut(cut_study, tmp_path):
    told = check_all(cut_study, tmp_path, "label")
    assert {"majority", "tfidf", "zero_shot (calibrated)", "nearest (calibrated)"} <= set(told)
    assert len({tuple(sorted(answers.items())) for answers in told.values()}) > 3, "the control: arms answer otherwise"


def test_how_many_were_cut_is_said_and_the_other_side_answers_otherwise(cut_study, tmp_path):
    asked = [row for _, row in rows_asked(cut_study)]
    ready = tuneoff.load(cut_study, "full")
    room = ready.base.context - len("good") - 1  # a letter is a token here, and the end of the turn is one more
    long = sum(len(asked_ids(ready, row)) > room for row in asked)
    assert 0 < long < len(asked)
    with pytest.warns(UserWarning, match=f"^of {len(asked)} records {long} were cut to fit$"):
        ready.answer(asked)
    file = put_rows(tmp_path / "asked.jsonl", asked)
    typed = CliRunner().invoke(
        app, ["predict", str(cut_study), str(file), "--arm", "full", "--out", str(tmp_path / "o.csv")]
    )
    assert typed.exit_code == 0, typed.output
    assert f"of {len(asked)} records {long} were cut to fit" in typed.stderr.splitlines()
    told = answers_told(cut_study)
    for arm in told:
        if arm in ("majority", "tfidf"):  # they read all of a text
            continue
        with pytest.warns(UserWarning, match="were cut"):
            other = tuneoff.load(cut_study, arm, too_long="truncate_right").answer(asked)
        if other != [told[arm][record] for record, _ in rows_asked(cut_study)]:
            return
    pytest.fail("cut on the other side every arm answers the same: these rows would not show a wrong cut")


@pytest.fixture(scope="module")
def text_study(tmp_path_factory):
    """Free text from rows with an instruction of their own, behind a limit in tokens; one answer is very long."""
    rng = random.Random(5)
    tables = [
        {
            "instruction": f"  Say {at} twice. ",
            "input": "" if at % 3 else "see " * rng.randint(1, 60),
            "output": f"{at} {at}" * (40 if at % 7 == 0 else 1),
            "source": "web",
        }
        for at in range(80)
    ]
    more = {"data": {"too_long": "truncate_right"}, "methods": loud("lora", "few_shot", "soft_prompt")}
    more["prompt"] = {"instruction": "Answer in few words."}
    folder = tmp_path_factory.mktemp("text")
    return finished(folder, tables, ["zero_shot", "few_shot", "lora", "few_shot + soft_prompt"], **more)


def test_free_text_with_an_instruction_a_row(text_study, tmp_path):
    told = check_all(text_study, tmp_path, "output")
    assert len(set(told["lora"].values())) > 1


def test_an_instruction_is_part_of_what_is_asked(text_study):
    ready = open_ready(text_study, "lora")
    assert ready.tuned.columns.needed == ("instruction",)
    both, text = ({"instruction": " Say 7. ", "input": "x"}, "Say 7.")
    assert asked_text(ready, both).endswith("Answer in few words.\n\nSay 7.\n\nx<|im_end|>\n<|im_start|>assistant\n")
    assert asked_text(ready, text) == asked_text(ready, {"instruction": text})
    with pytest.raises(DataError, match="learned on: 'instruction'"):
        ready.answer([{"input": "dog"}])


def asked_text(ready, question):
    return ready.base.tokenizer.decode(asked_ids(ready, question))


def asked_ids(ready, question):
    record = asked_record(ready.tuned.columns, question)
    return list(ready.base.chat.prompt_ids(ready.tuned.prompt.render(record)))


@pytest.fixture(scope="module")
def chat_study(tmp_path_factory):
    """Conversations, of which the last turn is the answer."""
    tables = [
        {
            "messages": [
                {"role": "system", "content": "Be short."},
                {"role": "user", "content": f"What is {at} plus one? "},
                {"role": "assistant", "content": str(at + 1)},
            ]
        }
        for at in range(80)
    ]
    return finished(
        tmp_path_factory.mktemp("chat"), tables, ["zero_shot", "lora"], data={"kind": "text"}, methods=loud("lora")
    )


def test_conversations(chat_study, tmp_path):
    check_all(chat_study, tmp_path, "label")


def test_a_conversation_is_asked_as_turns_and_a_text_as_one_turn(chat_study):
    ready = open_ready(chat_study, "lora")
    turns = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "What is 7?"}]
    said = asked_text(ready, {"messages": turns})
    assert said == (
        "<bos><|im_start|>system\nBe short.<|im_end|>\n<|im_start|>user\nWhat is 7?<|im_end|>\n<|im_start|>assistant\n"
    )
    assert asked_text(ready, "What is 7?") == asked_text(ready, {"messages": turns[1:]})
    with pytest.raises(DataError, match="this record cannot be used") as caught:
        ready.answer(["a", {"messages": "hi"}])
    assert "record 2" in str(caught.value)
    assert "holds no list of turns" in str(caught.value)


@pytest.fixture(scope="module")
def columns_study(tmp_path_factory):
    """Two columns that no shape would recognise, and one beside them that is not asked about."""
    tables = [
        {"subject": row["text"], "body": f" b{at}", "text": "no", "team": row["label"]}
        for at, row in enumerate(rows(80))
    ]
    data = {"input": ["subject", "body"], "answer": "team"}
    return finished(tmp_path_factory.mktemp("columns"), tables, ["zero_shot", "lora"], data=data, methods=loud("lora"))


def test_columns_that_the_study_names(columns_study, tmp_path):
    check_all(columns_study, tmp_path, "team")
    bundle = columns_study / "best"
    if not bundle.is_dir():
        bundle = next((columns_study / "jobs").iterdir())
    for folder in (bundle, columns_study):
        file = put_rows(tmp_path / "new.jsonl", [{"text": "a", "body": "b", "subject": " s "}])
        (record,) = read_questions(folder, str(file), "" if folder == bundle else "lora").records
        assert record.fields == {"subject": "s", "body": "b"}
        put_rows(tmp_path / "new.jsonl", [{"text": "a", "body": "b"}])
        with pytest.raises(DataError) as caught:
            read_questions(folder, str(file), "" if folder == bundle else "lora")
        assert "that the answers were learned on: 'subject'" in str(caught.value)
        assert "found:   columns 'text', 'body'" in str(caught.value)
    with pytest.raises(DataError, match="a text alone does not say which column it is") as caught:
        tuneoff.load(bundle).answer(["a"])
    assert 'give a row: {"subject": "...", "body": "..."}' in str(caught.value)
    assert asked_text(tuneoff.load(bundle), {"subject": " s", "body": "b "}).count("subject: s\nbody: b<") == 1


def test_the_number_format_that_was_judged_is_the_one_that_answers(tmp_path_factory, tmp_path):
    model = {"name": "model", "dtype": "bfloat16"}
    run = finished(tmp_path_factory.mktemp("bf16"), rows(80), ["zero_shot", "lora"], model=model, methods=loud("lora"))
    check_all(run, tmp_path, "label")
    bundle = next(path.parent for path in run.glob("jobs/*/bundle.json"))
    assert tuneoff.load(bundle).base.net.dtype == torch.bfloat16


def test_the_answers_of_a_row_have_no_say(columns_study, tmp_path):
    asked = [row for _, row in rows_asked(columns_study)]
    odd = [{**row, "team": ["not", "a", "text"]} for row in asked]
    assert tuneoff.load(columns_study, "lora").answer(odd) == tuneoff.load(columns_study, "lora").answer(asked)


def test_a_baseline_is_not_fitted_on_other_data(columns_study, tmp_path):
    moved = Path(shutil.copytree(columns_study.parent, tmp_path / "moved"))
    with sqlite3.connect(moved / "run" / "ledger.sqlite") as db:
        db.execute("update meta set value = ? where key = 'folder'", [str(moved)])
    put_rows(
        moved / "data.jsonl",
        [
            {**json.loads(line), "team": "good"} if at == 0 else json.loads(line)
            for at, line in enumerate((moved / "data.jsonl").read_text().splitlines()[1:])
        ],
    )
    with pytest.raises(StudyError, match="the data changed since this run, and tfidf is fitted again on it"):
        tuneoff.load(moved / "run", "tfidf")
    (moved / "data.jsonl").unlink()
    assert tuneoff.load(moved / "run", "lora").answer([{"subject": "s", "body": "b"}]), (
        "what has a bundle needs no data"
    )
