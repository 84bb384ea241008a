"""The loop written by hand learns; what is finished is not done again; the line says who is ahead and how surely."""

import json
import random
import sys
from dataclasses import asdict

import pytest
import torch
from benchmarks import __main__ as command
from benchmarks.hand_tuned import Results, prompt_tuning, searched_lora, theirs
from benchmarks.hand_tuned_line import agreement, difference, line_of
from benchmarks.hand_tuned_ours import ours, their_time
from benchmarks.hand_tuned_sets import HELD_OUT, SETS, drawn
from benchmarks.hand_tuned_theirs import Setting, Words, run

from tiny_study import NOTHING_BESIDE
from tuneoff.core.errors import DataError
from tuneoff.models.tiny import save_tiny

SET = "query_wellformedness"
RECORDS = 54
LABELS = {"!!": ("well-formed", 1.0), "??": ("not well-formed", 0.0)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A data folder whose texts end in the mark that tells the label; every tenth rating is unclear."""
    rng, rows = random.Random(0), []
    for at in range(200):
        mark = ("!!", "??")[at % 2]
        label, rating = LABELS[mark]
        words = " ".join("".join(rng.choices("abcdef", k=3)) for _ in range(rng.randint(1, 3)))
        rows.append({"text": f"{at} {words} {mark}", "label": label, "rating": 0.4 if at % 10 == 0 else rating})
    rows.append(rows[1] | {"text": rows[1]["text"].upper()})
    folder = tmp_path_factory.mktemp("sets")
    (folder / SET).mkdir()
    (folder / SET / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture(scope="module")
def data(folder):
    return drawn(SET, folder, RECORDS)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_tiny(tmp_path_factory.mktemp("hand_tuned") / "tiny")


def test_a_set_is_drawn_the_same_way_every_time(data, folder):
    parts = [{row.text for row in part} for part in (data.train, data.validation, data.test)]
    assert [len(part) for part in parts] == [16, 8, 30]
    assert len(set.union(*parts)) == RECORDS
    assert all(3 <= sum(row.label == label for row in data.validation) <= 5 for label in data.labels)
    assert drawn(SET, folder, RECORDS).key == data.key
    assert len({row.text.lower() for row in (*data.train, *data.validation, *data.test)}) == RECORDS


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match="snips"):
        drawn("snips", tmp_path)
    assert set(HELD_OUT) < set(SETS)


@pytest.mark.parametrize(("method", "head"), [("lora", "labels"), ("lora", "classifier"), ("prompt_tuning", "labels")])
def test_the_loop_learns(method, head, folder, model):
    data, rate = drawn(SET, folder, 3 * RECORDS), 1e-2 if method == "lora" else 1e-1
    line = run(Setting(method, head, rate, 30), data, model, torch.float32)
    assert line["train_loss"][-1] < 0.7 * line["train_loss"][0]
    assert line["test_accuracy"] == line["test"].count("1") / len(data.test)
    assert method == "prompt_tuning" or line["test_accuracy"] > 0.9  # vectors alone move a random model little
    assert len(line["validation"]) == len(data.validation)


@pytest.mark.parametrize(("architecture", "chat"), [("llama", True), ("gemma3", False)])
@pytest.mark.parametrize("method", ["lora", "prompt_tuning"])
def test_labels_behind_a_kept_prompt_score_as_whole_rows_do(architecture, chat, method, data, tmp_path):
    model = save_tiny(tmp_path / "tiny", architecture, chat=chat)
    words = Words(Setting(method, "labels", 1e-2, 1), data, model, torch.float32)
    item = words.items(data.test)[0]
    words.model.eval()
    with torch.no_grad():
        kept = words.scores([item, item])[1]
        for score, label in zip(kept, words.labels):
            logits = words.model(input_ids=torch.tensor([item.prompt + label])).logits[0, -len(label) - 1 : -1]
            plain = logits.log_softmax(dim=-1).gather(1, torch.tensor(label)[:, None]).sum()
            assert float(score) == pytest.approx(float(plain), abs=1e-3)


class Counted:
    """In place of training: a line whose accuracy is a function of its setting."""

    def __init__(self, accuracy):
        self.accuracy, self.made = accuracy, []

    def __call__(self, setting):
        self.made.append(setting)
        right = "1" * round(8 * self.accuracy(setting)) + "0" * 22
        facts = {"validation_accuracy": self.accuracy(setting), "validation_loss": 1.0, "all_s": 1.0, "all_cpu_s": 2.0}
        return asdict(setting) | facts | {"test_accuracy": right.count("1") / 30, "test": right[:30].ljust(30, "0")}


def results_in(folder, data):
    return Results(folder / "results.jsonl", {"set": SET, "records": data.key, "model": "m", "dtype": "float32"})


def test_what_is_finished_is_not_made_again(tmp_path, data):
    results, first = results_in(tmp_path, data), Counted(lambda setting: 0.5 + (setting.rate == 5e-4) / 4)
    theirs(results, first, ["lora", "prompt_tuning"], seeds=1)
    assert len(first.made) == len(set(first.made)) == len(results.lines(side="theirs"))
    again = Counted(first.accuracy)
    theirs(results, again, ["lora", "prompt_tuning"], seeds=2)
    assert [setting.seed for setting in again.made] == [1, 1]
    other = Results(results.path, {**results.common, "records": "others"})
    assert not other.lines()


def test_the_best_rate_is_trained_twice_as_long_and_ends_are_looked_beyond():
    tried = Counted(lambda setting: 0.5 + 0.1 * (setting.rate == 1e-3) + 0.1 * (setting.epochs == 16))
    assert (searched_lora(tried)["rate"], len(tried.made)) == (1e-3, 8)
    assert sorted(setting.epochs for setting in tried.made) == [8] * 6 + [16] * 2
    rising = Counted(lambda setting: setting.rate / 2)
    assert prompt_tuning(rising)["rate"] == 1.0
    assert min(setting.rate for setting in rising.made) == 3e-3


def test_a_difference_is_paired_by_record():
    same = difference(["1101"] * 3, ["1101"])
    assert (same["difference"], same["low"], same["high"]) == (0, 0, 0)
    ahead = difference(["1" * 20 + "0" * 10], ["1" * 10 + "0" * 20])
    assert ahead["difference"] == pytest.approx(1 / 3, abs=1e-4)
    assert 0.16 < ahead["low"] < 0.17


def arm(family, right, validation=0.5):
    return {"family": family, "validation_accuracy": validation, "test": ["1" * right + "0" * (30 - right)] * 3}


def test_the_line_is_made_of_what_is_kept(tmp_path, data):
    results = results_in(tmp_path, data)
    theirs(results, Counted(lambda setting: 0.5), ["lora", "prompt_tuning"], seeds=1)
    assert line_of(results, data) is None
    arms = {
        "tfidf": arm("baseline", 1),
        "lora": arm("parameter-efficient fine-tuning", 6),
        "soft_prompt": arm("prompt tuning", 9, 0.6),
        "soft_prompt_after": arm("prompt tuning", 12, 0.5),
    }
    said = {"answer": "Recommended: tfidf.", "recommended": "tfidf", "reasons": ["Training is not shown to pay."]}
    results.add({"side": "ours", "run": "3 seeds", "all_cpu_s": 9.0, "arms": arms, **said})
    line = line_of(results, data)
    assert line["held_out"]
    assert line["soft_prompt"]["arm"] == "soft_prompt"
    assert line["lora"]["difference"] == pytest.approx(2 / 30, abs=1e-4)
    assert line["defaults"] is None
    assert line["equal_time"] is None
    assert line["agreement"]["3 seeds"]["says_do_not_train"]


def test_a_verdict_against_training_agrees_unless_their_loop_beats_tfidf():
    ours = {"answer": "", "recommended": "tfidf", "reasons": ["Training is not shown to pay for this."]}
    ours["arms"] = {"tfidf": arm("baseline", 12)}
    level, ahead = ({"test": "1" * right + "0" * (30 - right)} for right in (12, 24))
    assert agreement(ours, [level])["agrees"]
    assert not agreement(ours, [ahead])["agrees"]
    assert agreement({**ours, "reasons": []}, [ahead])["agrees"]


def test_our_side_runs_the_study_that_new_writes(tmp_path, data, model):
    results = results_in(tmp_path, data)
    results.common["model"] = str(model)
    assert their_time(results) == ""
    small = {"arms": ["tfidf", "zero_shot", "lora"], "train": {"epochs": 1.0}, "measure": NOTHING_BESIDE}
    ours(results, data, ["3 seeds", "equal time"], small)
    [line] = results.lines(side="ours")
    assert {"tfidf", "zero_shot", "lora"} <= set(line["arms"])
    assert [len(bits) for bits in line["arms"]["lora"]["test"]] == [30, 30, 30]
    ours(results, data, ["3 seeds"], small)
    assert len(results.lines(side="ours", run="3 seeds")) == 1


def test_the_command_takes_its_own_options(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(sys, "argv", ["benchmarks", "hand_tuned", "--sets", "nowhere"])
    with pytest.raises(SystemExit):
        command.main()
    assert "clinc150_banking" in capsys.readouterr().err
