"""The first wording of a task, from the names of its columns, its labels and its file.

question -> sql                       Write the SQL query that answers the question.
premise, hypothesis -> label          Does the hypothesis follow from the premise?
text -> label (ham, spam)             Is the text ham or spam?
en -> deu                             Translate the text from English into German.
input -> output, file disfl_qa        a guess that says what the file is called, for the person to change
"""

from collections.abc import Sequence
from typing import NamedTuple

from tuneoff.data.columns import words

__all__ = ["Wording", "word"]

LONG_NAMES = {"mr": "meaning representation", "doc": "document", "desc": "description", "ctx": "context",
              "q": "question", "utt": "utterance", "nl": "text", "src": "source text", "tgt": "target text",
              "dialog": "dialogue", "columns": "columns of the table"}  # fmt: skip
LANGUAGES = {
    "ar": "Arabic", "ara": "Arabic", "cs": "Czech", "ces": "Czech", "da": "Danish", "dan": "Danish", "de": "German",
    "deu": "German", "ger": "German", "el": "Greek", "ell": "Greek", "en": "English", "eng": "English", "es": "Spanish",
    "spa": "Spanish", "fi": "Finnish", "fin": "Finnish", "fr": "French", "fra": "French", "fre": "French",
    "he": "Hebrew", "heb": "Hebrew", "hi": "Hindi", "hin": "Hindi", "hu": "Hungarian", "hun": "Hungarian",
    "id": "Indonesian", "ind": "Indonesian", "it": "Italian", "ita": "Italian", "ja": "Japanese", "jpn": "Japanese",
    "ko": "Korean", "kor": "Korean", "nl": "Dutch", "nld": "Dutch", "no": "Norwegian", "nor": "Norwegian",
    "pl": "Polish", "pol": "Polish", "pt": "Portuguese", "por": "Portuguese", "ro": "Romanian", "ron": "Romanian",
    "ru": "Russian", "rus": "Russian", "sv": "Swedish", "swe": "Swedish", "th": "Thai", "tha": "Thai",
    "tr": "Turkish", "tur": "Turkish", "uk": "Ukrainian", "ukr": "Ukrainian", "vi": "Vietnamese", "vie": "Vietnamese",
    "zh": "Chinese", "zho": "Chinese", "cmn": "Chinese",
}  # fmt: skip
SAYS_NOTHING = {"label", "labels", "class", "target", "output", "y", "gold", "answer", "response", "completion"}
REPLIES = {"answer", "answers", "response", "label", "target", "output"}
FACTS = {"meaning representation", "triples", "triple", "table", "data", "facts", "record", "attributes", "slots"}
WRITTEN = {
    "summary": "Summarise the {input}.", "tldr": "Summarise the {input} in one sentence.",
    "highlights": "Summarise the {input}.", "abstract": "Write the abstract of the {input}.",
    "title": "Write a title for the {input}.", "headline": "Write a headline for the {input}.",
    "sql": "Write the SQL query that answers the {input}.", "code": "Write the code that the {input} asks for.",
    "translation": "Translate the {input}.", "reply": "Write the reply to the {input}.",
    "response": "Write the reply to the {input}.", "paraphrase": "Say the same as the {input} in other words.",
    "keywords": "Write the keywords of the {input}.", "correction": "Correct the {input}.",
}  # fmt: skip
CHOSEN = {
    "intent": "Which intent does the {input} have?", "sentiment": "Which sentiment does the {input} express?",
    "emotion": "Which emotion does the {input} express?", "topic": "Which topic is the {input} about?",
    "category": "Which category does the {input} belong to?", "domain": "Which domain does the {input} belong to?",
    "language": "In which language is the {input} written?", "stance": "Which stance does the {input} take?",
    "queue": "Which queue should take the {input}?", "team": "Which team should take the {input}?",
    "priority": "Which priority does the {input} have?", "genre": "Which genre does the {input} belong to?",
}  # fmt: skip
TITLES = {"news": "topic", "intent": "intent", "bank": "intent", "emotion": "emotion", "sentiment": "sentiment",
          "review": "sentiment", "topic": "topic", "stance": "stance", "ticket": "category"}  # fmt: skip
FOLLOWS = {"entailment", "contradiction", "neutral", "not entailment", "entails", "contradicts"}
TRUTH = {"true", "false", "yes", "no", "0", "1"}
FEW_LABELS = 3


class Wording(NamedTuple):
    """sure: whether it names the task; else the line is marked as the one to edit."""

    instruction: str
    sure: bool = True


def word(
    input: Sequence[str], answer: str, labels: Sequence[str] = (), *, several: bool = False, title: str = ""
) -> Wording:
    """The instruction of a task. labels: of a choice. several: whether an answer is one of several right texts.

    title: what the file or folder is called; it says what a column called `label` does not.
    """
    names = [LONG_NAMES.get(words(name), words(name)) for name in input]
    shown = _joined(names, "and the")
    if labels:
        asked = _choice(names, shown, words(answer), [label.replace("_", " ") for label in labels], title)
        return asked._replace(instruction=_agreeing(asked.instruction, names))
    return _pair_of_languages(input, answer) or _text(names, shown, words(answer), several, title)


def _pair_of_languages(input: Sequence[str], answer: str) -> Wording | None:
    into = LANGUAGES.get(words(answer))
    if len(input) != 1 or words(input[0]) not in LANGUAGES or not into:
        return None
    return Wording(f"Translate the text from {LANGUAGES[words(input[0])]} into {into}.")


def _text(names: Sequence[str], shown: str, answer: str, several: bool, title: str) -> Wording:
    last = answer.split()[-1]
    if names[-1].split()[-1] in ("question", "query") and last in ("answer", "answers", "response", "label", "target"):
        return Wording(
            "Answer the question." if len(names) == 1 else f"Read the {_joined(names[:-1])} and answer the question."
        )
    if {*names} & FACTS and (several or last in ("text", "sentence", "target", "output", "ref", "refs", "references")):
        return Wording(f"Write a text that says what the {shown} {'say' if names[0] == 'triples' else 'says'}.")
    if last in WRITTEN:
        return Wording(WRITTEN[last].format(input=names[-1]) if last == "sql" else WRITTEN[last].format(input=shown))
    if "summ" in title.lower() or "tldr" in title.lower():
        return Wording(f"Summarise the {shown}.", sure=False)
    wanted = "text" if several else "answer" if answer in SAYS_NOTHING else answer
    return Wording(f"Read the {shown} and write the {wanted}{f', as in {title}' if title else ''}.", sure=False)


def _choice(names: Sequence[str], shown: str, answer: str, labels: Sequence[str], title: str) -> Wording:
    said = {label.lower() for label in labels}
    if names[-1] == "hypothesis" and said <= FOLLOWS | TRUTH:
        return Wording("Does the hypothesis follow from the premise?")
    if names[-1] == "question" and (answer in SAYS_NOTHING or said <= TRUTH):
        return _text(names, shown, "answer", False, title)
    told = next((word for word in answer.split() if word in CHOSEN), "")
    if told:
        return Wording(CHOSEN[told].format(input=shown))
    if answer.split()[-1] not in SAYS_NOTHING:
        return Wording(f"Which {answer} does the {shown} have?", sure=False)
    if len(labels) <= FEW_LABELS and not said <= TRUTH:
        return Wording(f"Is the {shown} {_joined(labels, 'or')}?", sure=len(labels) == 2)
    called = next((told for said, told in TITLES.items() if said in title.lower()), "")
    if called:
        return Wording(CHOSEN[called].format(input=shown), sure=False)
    return Wording(f"Which label{f' of {title}' if title else ''} fits the {shown}?", sure=False)


def _agreeing(question: str, names: Sequence[str]) -> str:
    """With the verb of several inputs, or of one that is a plural: do the turns, are the title and the body."""
    one = len(names) == 1 and (not names[0].endswith("s") or names[0].endswith("ss"))
    if one:
        return question
    for single, several in ((" does the ", " do the "), ("Is the ", "Are the "), (" is the ", " are the ")):
        question = question.replace(single, several, 1)
    return question


def _joined(names: Sequence[str], last: str = "and the") -> str:
    """a; a and the b; a, b and the c."""
    *before, end = names
    return f"{', '.join(before)} {last} {end}" if before else end
