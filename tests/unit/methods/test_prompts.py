"""Prompt methods: which demonstrations are shown, and that a record never sees its own answer."""

from collections import Counter

import pytest

from tuneoff.core.errors import ConfigError
from tuneoff.data.record import Record
from tuneoff.data.task import Task
from tuneoff.methods.few_shot import FewShot
from tuneoff.methods.prompt_file import PromptFile
from tuneoff.methods.zero_shot import ZeroShot

TASK = Task(name="t", kind="choice", labels=("a", "b", "c"), instruction="Which?")
TEXT = Task(name="t", kind="text", instruction="Say.")
TRAIN = [Record(fields={"text": f"word{at} " * 2}, target="a" if at < 30 else "b") for at in range(36)]
TRAIN += [Record(fields={"text": "rare"}, target="c")]


def test_zero_shot_is_the_instruction_alone():
    prompt = ZeroShot().fit(TASK, TRAIN, 1)
    assert (prompt.instruction, prompt.demonstrations, prompt.template) == ("Which?", (), "")
    assert prompt == ZeroShot().fit(TASK, TRAIN[:3], 2)
    assert not ZeroShot().random


@pytest.mark.parametrize("seed", range(5))
def test_a_random_draw_is_balanced_over_labels(seed):
    shown = FewShot(demonstrations=7).fit(TASK, TRAIN, seed).demonstrations
    assert Counter(record.target for record in shown) == {"a": 3, "b": 3, "c": 1}
    assert len(set(shown)) == 7


def test_a_random_draw_for_free_text_is_not_balanced_by_answers():
    shown = FewShot(demonstrations=20).fit(TEXT, TRAIN, 0).demonstrations
    assert Counter(record.target for record in shown)["a"] > 10


def test_more_demonstrations_than_records_shows_all():
    assert set(FewShot(demonstrations=99).fit(TASK, TRAIN, 0).demonstrations) == set(TRAIN)


def test_labels_are_not_shown_in_blocks_in_the_order_of_a_round():
    orders = {tuple(r.target for r in FewShot(demonstrations=4).fit(TASK, TRAIN, s).demonstrations) for s in range(12)}
    assert len(orders) > 3


def test_another_seed_is_another_draw():
    draws = {FewShot(demonstrations=4).fit(TASK, TRAIN, seed).demonstrations for seed in range(4)}
    assert len(draws) == 4
    assert FewShot().random
    assert not FewShot(pick="nearest").random


def test_nearest_shows_the_most_alike_and_never_the_record_itself():
    train = [
        Record(fields={"text": text}, target="a") for text in ("red apple", "green apple", "blue sky", "a red car")
    ]
    prompt = FewShot(demonstrations=2, pick="nearest").fit(TASK, train, 0)
    asked = prompt.render(Record(fields={"text": "one red apple"}, target="b"))
    contents = [turn.content for turn in asked]
    assert "red apple" in contents[2]  # the most alike stands last, directly before the record
    assert all("blue sky" not in content for content in contents)
    own = [turn.content for turn in prompt.render(train[0])]
    assert sum("red apple" in content for content in own) == 1


def test_the_persons_own_wording(tmp_path):
    file = tmp_path / "mine.txt"
    file.write_text("\nTicket: {text}\nTeam?\n\n", encoding="utf-8")
    method = PromptFile(path="mine.txt").read(str(tmp_path))
    assert PromptFile(text="Ticket: {text}\nTeam?").content() == method.content()
    prompt = method.fit(TASK, TRAIN, 0)
    assert prompt.template == "Ticket: {text}\nTeam?"
    (turn,) = prompt.render(Record(fields={"text": "no power"}, target="a"))
    assert turn.content == "Ticket: no power\nTeam?"


@pytest.mark.parametrize("path", ["", "nowhere.txt"])
def test_a_wording_that_is_not_there(path, tmp_path):
    with pytest.raises(ConfigError, match="prompt file not found") as caught:
        PromptFile(path=path).read(str(tmp_path))
    assert '[methods.prompt_file] path = "mine.txt"' in str(caught.value)


@pytest.mark.parametrize(
    ("texts", "asked", "nearest"),
    [
        (("水壶漏水太差了", "这个杯子很好用", "今天天气不错"), "杯子真好用", "这个杯子很好用"),
        (("วันนี้ฝนตกหนัก", "แก้วนี้ใช้งานดี"), "แก้วใช้งานดีมาก", "แก้วนี้ใช้งานดี"),
        (("3 + 5 =", "1 + 7 =", "9 - 2 ="), "9 - 4 =", "9 - 2 ="),
        ((":)", ":("), ":(", ":("),
    ],
)
def test_nearest_in_scripts_without_spaces_and_of_signs(texts, asked, nearest):
    train = [Record(fields={"text": text}, target="a", group=text) for text in texts]
    prompt = FewShot(demonstrations=1, pick="nearest").fit(TASK, train, 0)
    query = Record(fields={"text": f"{asked} "}, target="b")  # another text than that of any demonstration
    assert nearest in prompt.render(query)[0].content
