"""The public sets on which default settings are found: 160 training and 80 validation records of each.

    emotion      "@user Oh, hidden revenge and anger..."        anger          4 labels
    restaurant   "There will be 5 adults and 1 child."          {"people": "5 adults and 1 child"}

Sets of choices are drawn as `hand_tuned` draws them, so that its test records are none of these; its held-out sets are
not here at all. No test part of any set is opened.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.hand_tuned_sets import SETS as DRAWN
from benchmarks.hand_tuned_sets import Row, TaskSet, draw, read_rows
from tuneoff.core.identity import content_hash
from tuneoff.data.record import Record
from tuneoff.data.task import Task

__all__ = ["SETS", "Choice", "Sample", "Texts"]

TRAIN, VALIDATION = 160, 80


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """Records of a set, and what is asked of them. question: without the labels. described: each label in a person's
    words; empty for texts."""

    task: Task
    question: str
    described: Mapping[str, str]
    train: list[Record]
    validation: list[Record]


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """One of a few labels. described: the labels, in a person's words."""

    source: TaskSet
    question: str
    described: Mapping[str, str] = field(default_factory=dict)

    def sample(self, name: str, folder: Path) -> Sample:
        """The records; the same ones whenever it is asked."""
        found = draw(name, self.source, folder)
        listed = f"{self.question} Answer with one of: {', '.join(found.labels)}."
        task = Task(name=name, kind="choice", labels=found.labels, instruction=listed, metrics=("accuracy",))
        train, validation = map(_records, (found.train, found.validation))
        return Sample(task=task, question=self.question, described=self.described, train=train, validation=validation)


@dataclass(frozen=True, kw_only=True, slots=True)
class Texts:
    """Free text. row: the input fields and the right answers of a line of the file."""

    file: str
    question: str
    row: Callable[[dict], tuple[dict, list[str]]]

    def sample(self, name: str, folder: Path) -> Sample:
        """The records in the order of their hashes."""
        rows = map(self.row, read_rows(folder / self.file))
        records = {content_hash(fields): _text_record(fields, answers) for fields, answers in rows}
        drawn = [records[key] for key in sorted(records)][: TRAIN + VALIDATION]
        metrics = ("token_f1", "exact_match")
        task = Task(name=name, kind="text", instruction=self.question, metrics=metrics, max_answer_tokens=80)
        return Sample(task=task, question=self.question, described={}, train=drawn[:TRAIN], validation=drawn[TRAIN:])


def _records(rows: tuple[Row, ...]) -> list[Record]:
    return [Record(fields={"text": row.text}, target=row.label) for row in rows]


def _text_record(fields: Mapping, answers: list[str]) -> Record:
    return Record(fields=fields, target=answers[0], alternatives=tuple(answers[1:]))


INTENTS = {
    "activate my card": "the customer wants to start using a card",
    "age limit": "how old one must be to have an account",
    "card arrival": "a card that was ordered has not come yet",
    "card delivery estimate": "how long a card takes to come",
    "card not working": "a card does not work",
    "cash withdrawal charge": "a fee for taking out cash",
    "change pin": "the customer wants another PIN",
    "declined card payment": "a payment by card was refused",
    "exchange rate": "which rate applies between two currencies",
    "lost or stolen card": "a card was lost or stolen",
    "request refund": "the customer wants money back",
    "transfer timing": "how long a transfer takes",
}


def _intent(row: dict) -> str | None:
    label = row["label"].replace("_", " ")
    return label if label in INTENTS else None


SETS: dict[str, Choice | Texts] = {
    "csabstruct": Choice(
        source=DRAWN["csabstruct"],
        question="Which role does the sentence play in the abstract of a paper?",
        described={
            "background": "what was known before, and why it matters",
            "objective": "what the paper sets out to do",
            "method": "how the work was done",
            "result": "what was found",
            "other": "none of the others",
        },
    ),
    "emotion": Choice(
        source=DRAWN["emotion"],
        question="Which emotion does the tweet express?",
        described={
            "anger": "the writer is angry or annoyed",
            "joy": "the writer is happy",
            "optimism": "the writer hopes for good things",
            "sadness": "the writer is sad or low",
        },
    ),
    "ag_news": Choice(
        source=DRAWN["ag_news"],
        question="Which topic is the news about?",
        described={
            "World": "politics and events of the world",
            "Sports": "games, teams and players",
            "Business": "companies, markets and money",
            "Sci/Tech": "science, computers and the internet",
        },
    ),
    "banking": Choice(
        source=TaskSet(files=("banking77/train.jsonl",), label=_intent),
        question="Which intent does the customer's question have?",
        described=INTENTS,
    ),
    "irony": Choice(
        source=TaskSet(
            files=("tweet_eval/irony_train.jsonl",),
            label=lambda row: {"non_irony": "not ironic"}.get(row["label"], "ironic"),
        ),
        question="Is the tweet ironic?",
        described={
            "ironic": "the writer means something else than the words say",
            "not ironic": "it is meant as it is said",
        },
    ),
    "restaurant": Texts(
        file="restaurant8k/train.jsonl",
        question="Write the details of the booking that the text names as JSON. "
        "Keys: people, date, time, first_name, last_name.",
        row=lambda table: ({"text": table["text"]}, [table["output"]]),
    ),
    "e2e": Texts(
        file="e2e_nlg/dev.jsonl",
        question="Write a text that says what the meaning representation says.",
        row=lambda table: ({"meaning representation": table["mr"]}, table["refs"]),
    ),
}
