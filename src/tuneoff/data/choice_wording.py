"""What is asked where one of a few labels is the answer: from the column's name, then the labels, then the data's name.

label (anger, joy, optimism, sadness)      Which emotion does the text express?
label (add to playlist, get weather, ...)  Which intent does the text express?
is_spam (no, yes)                          Is the text spam?
label (card arrival, top up, ...)          a guess: Which of these is the text about?
"""

import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

from tuneoff.data.vocabulary import (
    EMOTIONS,
    FOLLOWS,
    LANGUAGES,
    LEVELS,
    PARTS,
    QUESTION_TYPES,
    SENTIMENTS,
    STANCES,
    TOPICS,
    VERBS,
)

__all__ = ["SAYS_NOTHING", "TRUTH", "Wording", "ask_choice", "ask_whether"]

SAYS_NOTHING = {"label", "labels", "class", "target", "output", "y", "gold", "answer", "response", "completion", "code"}
SAYS_LITTLE = {"category", "type", "kind", "tag", "group"}  # the labels tell more, where they tell something
CHOSEN = {
    "intent": "Which intent does the {input} express?", "sentiment": "What is the sentiment of the {input}?",
    "polarity": "What is the sentiment of the {input}?", "emotion": "Which emotion does the {input} express?",
    "topic": "Which topic is the {input} about?", "subject": "Which subject is the {input} about?",
    "category": "Which category does the {input} belong to?", "domain": "Which domain does the {input} belong to?",
    "section": "Which section does the {input} belong to?", "genre": "Which genre does the {input} belong to?",
    "type": "Which type does the {input} belong to?", "department": "Which department should take the {input}?",
    "language": "In which language is the {input} written?", "lang": "In which language is the {input} written?",
    "stance": "Which stance does the {input} take?", "queue": "Which queue should take the {input}?",
    "team": "Which team should take the {input}?", "priority": "Which priority does the {input} have?",
    "urgency": "How urgent is the {input}?", "severity": "How severe is what the {input} says?",
    "rating": "Which rating does the {input} give?", "stars": "How many stars does the {input} give?",
    "tone": "Which tone does the {input} have?", "mood": "Which mood does the {input} express?",
    "product": "Which product is the {input} about?", "act": "Which act of speech is the {input}?",
}  # fmt: skip
HOLDS = {
    "spam": "Is the {input} spam?", "phishing": "Is the {input} phishing?", "fraud": "Is the {input} about a fraud?",
    "irony": "Is the {input} ironic?", "ironic": "Is the {input} ironic?", "sarcasm": "Is the {input} sarcastic?",
    "sarcastic": "Is the {input} sarcastic?", "hate": "Is the {input} hate speech?",
    "hate speech": "Is the {input} hate speech?", "hateful": "Is the {input} hateful?",
    "toxic": "Is the {input} toxic?", "toxicity": "Is the {input} toxic?", "offensive": "Is the {input} offensive?",
    "offense": "Is the {input} offensive?", "abuse": "Is the {input} abusive?", "abusive": "Is the {input} abusive?",
    "clickbait": "Is the {input} clickbait?", "humor": "Is the {input} meant to be funny?",
    "humour": "Is the {input} meant to be funny?", "funny": "Is the {input} meant to be funny?",
    "urgent": "Is the {input} urgent?", "relevant": "Is the {input} relevant?", "positive": "Is the {input} positive?",
    "subjective": "Is the {input} subjective?", "acceptable": "Is the {input} acceptable?",
    "grammatical": "Is the {input} grammatical?", "paraphrase": "Does the {input} mean the same?",
    "duplicate": "Does the {input} ask the same?", "equivalent": "Does the {input} mean the same?",
}  # fmt: skip
TITLES = {"news": "topic", "intent": "intent", "bank": "intent", "emotion": "emotion", "sentiment": "sentiment",
          "review": "sentiment", "topic": "topic", "stance": "stance", "ticket": "category"}  # fmt: skip
TRUTH = {"true", "false", "yes", "no", "0", "1"}
NOT = re.compile(r"(?:non|not|no)[ -](.+)")
FEW_LABELS = 3
MOST = 0.6


class Wording(NamedTuple):
    """sure: whether it names the task; else the line is marked as the one to edit."""

    instruction: str
    sure: bool = True


def ask_choice(names: Sequence[str], shown: str, answer: str, labels: Sequence[str], title: str) -> Wording:
    """The question. names, shown: the input columns as words, one by one and together. answer: its column as words."""
    said = {label.lower().replace("_", " ") for label in labels}
    asked = (
        (ask_whether(answer) if said <= TRUTH else None)
        or _follows(names, said)
        or (_by_column(answer) if answer.split()[-1] not in SAYS_LITTLE else None)
        or _by_labels(said, title)
        or _by_column(answer)
        or _of_two(labels, said)
        or _by_title(title, said)
        or _guess(answer, labels, said)
    )
    return asked._replace(instruction=_agreeing(asked.instruction, names).replace("{input}", shown, 1))


def _agreeing(question: str, names: Sequence[str]) -> str:
    """With the verb of several inputs, or of one that is a plural: do the turns, are the title and the body."""
    if len(names) == 1 and (not names[0].endswith("s") or names[0].endswith("ss")):
        return question
    for single, several in (
        ("oes the {input}", "o the {input}"),
        ("Is the {i", "Are the {i"),
        ("is the {i", "are the {i"),
    ):
        question = question.replace(single, several)
    return question


def ask_whether(answer: str) -> Wording | None:
    """Of a column that is true or false of a text: is_spam, has_price, toxic."""
    verb, _, what = answer.partition(" ")
    if verb == "has" and what:
        return Wording(f"Does the {{input}} have {what}?")
    told = HOLDS.get(what if verb == "is" else answer)
    if told or (verb == "is" and what):
        return Wording(told or f"Is the {{input}} {what}?")
    return None


def _follows(names: Sequence[str], said: Collection[str]) -> Wording | None:
    if names[-1] == "hypothesis" and said <= FOLLOWS | TRUTH:
        return Wording("Does the hypothesis follow from the premise?")
    if said <= FOLLOWS and len(said - {"neutral"}) > 1:
        pair = (names[-1], names[0]) if len(names) == 2 else ("second sentence", "first")
        return Wording("Does the {} follow from the {}?".format(*pair))
    return None


def _by_column(answer: str) -> Wording | None:
    told = next((word for word in reversed(answer.split()) if word in CHOSEN), "")
    return Wording(CHOSEN[told]) if told else None


def _by_labels(said: Collection[str], title: str) -> Wording | None:
    """The kinds of labels that tell the task by themselves."""
    if said <= SENTIMENTS and {"positive", "negative"} <= said:
        return Wording(CHOSEN["sentiment"])
    if said <= EMOTIONS and len(said) > 2:
        return Wording(CHOSEN["emotion"])
    if said <= STANCES and said & {"against", "oppose", "contra"}:
        return _stance(title)
    if said <= PARTS and len(said) > 2:
        return Wording("Which part of a scientific abstract is the {input}?")
    if said <= QUESTION_TYPES and len(said) > 3:
        return Wording("What kind of answer does the {input} ask for?")
    if said <= {name.lower() for name in LANGUAGES.values()} and len(said) > 1:
        return Wording(CHOSEN["language"])
    if said <= LEVELS and {"low", "high"} <= said:
        return Wording(CHOSEN["priority"], sure=False)
    if len(said) > 2 and sum(map(_is_topic, said)) > MOST * len(said):
        return Wording(CHOSEN["topic"])
    if len(said) > 2 and sum(map(_is_deed, said)) > MOST * len(said):
        return Wording(CHOSEN["intent"])
    return None


def _stance(title: str) -> Wording:
    """With what it is on, as a guess, where the name of the data says so: stance_abortion."""
    _, found, on = re.sub(r"[\W_]+", " ", title.lower()).partition("stance ")
    if not found or not on.strip():
        return Wording(CHOSEN["stance"])
    return Wording(f"Which stance does the {{input}} take on {on.strip()}?", sure=False)


def _is_topic(label: str) -> bool:
    return all(part in TOPICS for part in re.split(r" ?[/&,] ?| and ", label))


def _is_deed(label: str) -> bool:
    first, _, rest = label.partition(" ")
    return first in VERBS and bool(rest)


def _of_two(labels: Sequence[str], said: Collection[str]) -> Wording | None:
    """Is the text X, or not X; of two or three labels, which one."""
    if said <= TRUTH or len(labels) > FEW_LABELS or _mute(labels):
        return None
    denied = {match[1]: match[0] for label in said if (match := NOT.fullmatch(label))}
    if len(labels) == 2 and denied.keys() & said:
        (held,) = denied.keys() & said
        return Wording(HOLDS.get(held, f"Is the {{input}} {held} or {denied[held]}?"))
    *before, last = [label.replace("_", " ") for label in labels]
    return Wording(f"Is the {{input}} {', '.join(before)} or {last}?", sure=len(labels) == 2)


def _by_title(title: str, said: Collection[str]) -> Wording | None:
    """A guess from what the data is called."""
    if said <= TRUTH:
        held = next((asked for word, asked in HOLDS.items() if word in title.lower()), "")
        return Wording(held, sure=False) if held else None
    called = next((told for word, told in TITLES.items() if word in title.lower()), "")
    return Wording(CHOSEN[called], sure=False) if called else None


def _guess(answer: str, labels: Sequence[str], said: Collection[str]) -> Wording:
    if answer.split()[-1] not in SAYS_NOTHING:
        return Wording(f"Which {answer} does the {{input}} have?", sure=False)
    if said <= TRUTH:
        return Wording("Is what the {input} says true?", sure=False)
    if _mute(labels):
        return Wording("Which of these labels fits the {input}?", sure=False)
    return Wording("Which of these is the {input} about?", sure=False)


def _mute(labels: Sequence[str]) -> bool:
    """Whether no label holds a word."""
    return not any(re.search(r"[^\W\d_]{2}", label) for label in labels)
