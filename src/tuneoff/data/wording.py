"""The first wording of a task, from the names of its columns, its labels and its file.

question -> sql                       Write the SQL query that answers the question.
premise, hypothesis -> label          Does the hypothesis follow from the premise?
text -> label (ham, spam)             Is the text ham or spam?
en -> deu                             Translate the text from English into German.
input -> output, file disfl_qa        a guess that says what the file is called, for the person to change
"""

from collections.abc import Sequence

from tuneoff.data.choice_wording import SAYS_NOTHING, TRUTH, Wording, ask_choice, ask_whether
from tuneoff.data.columns import words
from tuneoff.data.vocabulary import LANGUAGES

__all__ = ["tells_truth", "word"]

LONG_NAMES = {"mr": "meaning representation", "doc": "document", "desc": "description", "ctx": "context",
              "q": "question", "utt": "utterance", "nl": "text", "src": "source text", "tgt": "target text",
              "dialog": "dialogue", "columns": "columns of the table"}  # fmt: skip
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


def word(
    input: Sequence[str], answer: str, labels: Sequence[str] = (), *, several: bool = False, title: str = ""
) -> Wording:
    """The instruction of a task. labels: of a choice. several: whether an answer is one of several right texts.

    title: what the file or folder is called; it says what a column called `label` does not.
    """
    names = [LONG_NAMES.get(words(name), words(name)) for name in input]
    shown = _joined(names, "and the")
    if not labels:
        return _pair_of_languages(input, answer) or _text(names, shown, words(answer), several, title)
    if names[-1] == "question" and _answers_it(words(answer), labels):
        return _text(names, shown, "answer", False, title)
    return ask_choice(names, shown, words(answer), labels, title)


def tells_truth(answer: str) -> bool:
    """Whether a column of this name says what is true or false of a text: is_spam, has_price, toxic."""
    return bool(answer) and ask_whether(words(answer)) is not None


def _answers_it(answer: str, labels: Sequence[str]) -> bool:
    """Whether the labels are what is answered to a question, and not its kind."""
    return answer in {"answer", "response"} or {label.lower() for label in labels} <= TRUTH


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


def _joined(names: Sequence[str], last: str = "and the") -> str:
    """a; a and the b; a, b and the c."""
    *before, end = names
    return f"{', '.join(before)} {last} {end}" if before else end
