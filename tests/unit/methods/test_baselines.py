"""What needs no language model: the most frequent label, and counted words."""

import pytest

from tuneoff.data.record import Record
from tuneoff.data.task import Task
from tuneoff.methods.majority import Majority
from tuneoff.methods.tfidf import Tfidf

TASK = Task(name="t", kind="choice", labels=("ham", "never", "spam"))
TRAIN = [
    Record(fields={"text": text}, target=target)
    for text, target in [
        ("win a free prize now", "spam"),
        ("free money, call now", "spam"),
        ("see you at dinner", "ham"),
        ("are you at home", "ham"),
        ("dinner at eight", "ham"),
    ]
]


def ask(method, *texts):
    answers = method.fit(TASK, TRAIN, 0)([Record(fields={"text": text}, target="ham") for text in texts])
    return answers


def test_majority_gives_shares_of_training_whatever_is_asked():
    first, second = ask(Majority(), "free prize", "")
    assert first == second == {"ham": 3 / 5, "never": 0.0, "spam": 2 / 5}


def test_tfidf_tells_words_apart():
    spam, ham = ask(Tfidf(), "a free prize", "dinner at home")
    assert spam["spam"] > 0.5 > spam["ham"]
    assert ham["ham"] > 0.5
    assert sum(spam.values()) == pytest.approx(1)


def test_tfidf_without_a_known_word_falls_back_to_near_the_shares():
    (row,) = ask(Tfidf(), "zzz")
    assert row["ham"] > row["spam"]


def test_tfidf_counts_emoticons_and_single_letters():
    train = [
        Record(fields={"text": text}, target=target) for text, target in [(":)", "ham"), (":(", "spam"), ("x", "ham")]
    ]
    (row,) = Tfidf().fit(TASK, train, 0)([Record(fields={"text": ":("}, target="ham")])
    assert max(row, key=row.get) == "spam"


@pytest.mark.parametrize(
    ("good", "bad", "asked"),
    [
        ("这个水壶非常好用我很满意", "水壶漏水质量太差了不好", "那个杯子好用满意"),
        ("この水筒はとても使いやすい", "水筒から水が漏れて最悪だ", "使いやすい鍋だった"),
        ("กาน้ำนี้ใช้งานดีมาก", "กาน้ำรั่วแย่ที่สุดเลย", "แก้วนี้ใช้งานดีจัง"),
    ],
)
def test_tfidf_sees_characters_where_words_are_not_spaced(good, bad, asked):
    train = [Record(fields={"text": good}, target="ham"), Record(fields={"text": bad}, target="spam")]
    row, nothing = Tfidf().fit(TASK, train, 0)([Record(fields={"text": text}, target="ham") for text in (asked, "zz")])
    assert row["ham"] > nothing["ham"] + 0.02
