"""ROUGE-L: F-measure of the longest common subsequence of words (Lin, ACL workshop 2004; package rouge-score), with the
best reference.

    answer "the cat is on the mat", target "the cat sat on the mat": subsequence of 5 words, 5/6 and 5/6, 0.833

No stemming. rouge-score's own word splitter knows a to z and 0 to 9 only: it would score any answer in Greek or Chinese
0, and 5 for -5 or C for C++ 1. Ours (data/words.py) gives the same words on prose in ASCII, keeps signs and the letters
of all scripts, and takes the characters of scripts without spaces one by one.
"""

from functools import cache

from tuneoff.data.record import Record
from tuneoff.data.task import Task
from tuneoff.data.words import words
from tuneoff.evaluation.metric import Answer, Metric

__all__ = ["RougeL"]


class RougeL(Metric):
    name = "rouge_l"
    kinds = ("text",)

    def row(self, answer: Answer, record: Record, task: Task) -> tuple[float, ...]:
        if not answer.readable:
            return (0.0,)
        return (float(_scorer().score_multi(record.references, answer.text)["rougeL"].fmeasure),)


class Words:
    """The tokenizer that rouge-score asks for."""

    def tokenize(self, text: str) -> list[str]:
        return words(text.lower())


@cache
def _scorer():
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rougeL"], tokenizer=Words())
