"""The public sets on which default settings are found: 160 training and 80 validation records of each.

    emotion      "@user Oh, hidden revenge and anger..."        anger          4 labels

They are drawn as `hand_tuned` draws them, so that its test records are none of these; its held-out sets are
not here at all. No test part of any set is opened.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.hand_tuned_sets import SETS as DRAWN
from benchmarks.hand_tuned_sets import Row, TaskSet, draw
from tuneoff.data.record import Record
from tuneoff.data.task import Task

__all__ = ["SETS", "Choice", "Sample"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """Records of a set, and what is asked of them. question: without the labels. described: each label in a person's
    words."""

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


def _records(rows: tuple[Row, ...]) -> list[Record]:
    return [Record(fields={"text": row.text}, target=row.label) for row in rows]


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


SETS: dict[str, Choice] = {
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
}
