"""A worn base, a prompt, a task and records -> answers; answers -> outcomes. The one evaluation loop.

A choice is scored by the log-likelihood of its labels; free text is generated, and the right answer's
log-likelihood is taken beside it.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from tuneoff.core import plugins
from tuneoff.core.errors import DataError
from tuneoff.data.record import Record
from tuneoff.data.task import Task
from tuneoff.data.white_space import trimmed
from tuneoff.engine.attach import Worn
from tuneoff.engine.batches import by_length, scored_tokens
from tuneoff.engine.cache import ContextCache
from tuneoff.engine.context import Contexts
from tuneoff.engine.examples import Example, shared_start
from tuneoff.engine.generate import Written, generate
from tuneoff.engine.loss import answer_loss
from tuneoff.engine.score import score_choices
from tuneoff.evaluation.answer import read_text
from tuneoff.evaluation.metric import Answer, Metric
from tuneoff.models.chat import Chat

__all__ = ["answer_examples", "check_label_ids", "choice_answers", "label_prior", "metric_named", "pooled"]

Scorer = Callable[[Worn, Sequence[Sequence[int]], Sequence[Sequence[int]]], Tensor]


def answer_examples(
    worn: Worn,
    task: Task,
    examples: Sequence[Example],
    *,
    cache: ContextCache | None = None,
    prior: Sequence[float] | None = None,
    scorer: Scorer | None = None,
    known: bool = True,
) -> list[Answer]:
    """One answer per example, in their order. prior: log-probabilities per label to take off the scores.

    known: whether the examples hold the right answers; else none has a loss.
    """
    if task.kind == "choice":
        scores = label_scores(worn, task, examples, cache=cache, scorer=scorer)
        answers = choice_answers(scores, task, [example.record for example in examples], prior)
    else:
        answers = _written_answers(worn, task, examples, cache, known)
    return answers if known else [replace(answer, nll=None) for answer in answers]


def check_label_ids(chat: Chat, labels: Sequence[str]) -> None:
    """Raise DataError where two labels are the same tokens to the model: one of them could never be chosen."""
    named: dict[tuple[int, ...], str] = {}
    for label in labels:
        other = named.setdefault(tuple(chat.answer_ids(label)), label)
        if other != label:
            raise DataError(
                f"the labels {other!r} and {label!r} are the same tokens to this model",
                found=f"{other!a} and {label!a}",
                fix=f"give one another word under [data.labels]: {other!r} = ..., {label!r} = ...",
            )


def label_scores(
    worn: Worn, task: Task, examples: Sequence[Example], *, cache: ContextCache | None, scorer: Scorer | None = None
) -> Tensor:
    """[N, labels] log-probabilities of the labels, divided by their lengths where the task says so."""
    prompts = [example.prompt for example in examples]
    answers = [worn.base.chat.answer_ids(label) for label in task.labels]
    if scorer is not None:
        scores = scorer(worn, prompts, answers)
    else:
        scores = score_choices(worn, prompts, answers, cache=cache)
    return scores / scores.new_tensor(_lengths(task, answers))


def _lengths(task: Task, answers: Sequence[Sequence[int]]) -> list[int]:
    match task.normalise:
        case "tokens":
            return [len(answer) for answer in answers]
        case "bytes":
            return [len(label.encode()) for label in task.labels]
    return [1] * len(answers)


def label_prior(scores_NC: Tensor) -> list[float]:
    """The log of each label's mean probability over records: what a model says whatever it is asked.

    Zhou et al. 2023, "Batch Calibration", arXiv 2309.17249, equation 3 (there over a batch, here over training
    records; no labels are looked at).
    """
    return scores_NC.softmax(dim=1).mean(dim=0).log().tolist()


def choice_answers(
    scores_NC: Tensor, task: Task, records: Sequence[Record], prior: Sequence[float] | None = None
) -> list[Answer]:
    """The likeliest label of each record, and the right one's loss after normalising over the labels."""
    if prior is not None:
        scores_NC = scores_NC - scores_NC.new_tensor(prior)
    log_p = scores_NC.log_softmax(dim=1)
    chosen = log_p.argmax(dim=1).tolist()
    return [
        Answer(text=task.labels[chosen[i]], nll=-float(log_p[i, task.labels.index(record.target)]))
        for i, record in enumerate(records)
    ]


def distribution_answers(rows: Sequence[Mapping[str, float]], records: Sequence[Record]) -> list[Answer]:
    """Answers of a baseline that gives a probability per label."""
    floor = 1e-12  # a label that training never showed has no finite loss
    return [
        Answer(text=max(row, key=row.get), nll=-math.log(max(row.get(record.target, 0.0), floor)))
        for row, record in zip(rows, records)
    ]


def _written_answers(
    worn: Worn, task: Task, examples: Sequence[Example], cache: ContextCache | None, known: bool
) -> list[Answer]:
    chat = worn.base.chat
    texts = generate(
        worn,
        [example.prompt for example in examples],
        max_tokens=task.max_answer_tokens,
        stops=chat.stops,
        answers=[_loss_taken_along(example) for example in examples] if known else None,
        cache=cache,
    )
    said = [_read(chat, text) for text in texts]
    said = [replace(answer, nll=text.nll) for answer, text in zip(said, texts)]
    return _with_long_answers(worn, examples, said, cache) if known else said


def _loss_taken_along(example: Example) -> tuple[int, ...]:
    """The right answer; of one that does not fit behind what asks for it, the end alone, to keep its place."""
    return example.ids.answer if example.asked is None else example.ids.answer[-1:]


def _with_long_answers(
    worn: Worn, examples: Sequence[Example], said: Sequence[Answer], cache: ContextCache | None
) -> list[Answer]:
    """Right answers that do not fit behind what asks for them have their loss behind a shorter prompt."""
    said = list(said)
    long = [at for at, example in enumerate(examples) if example.asked is not None]
    losses = right_answer_losses(worn, [examples[at] for at in long], cache) if long else []
    for at, nll in zip(long, losses):
        said[at] = replace(said[at], nll=nll)
    return said


def _read(chat: Chat, text: Written) -> Answer:
    """A base model that does not end its answer goes on to a next question of its own making."""
    said = chat.decode(text.ids)
    if text.ended or chat.templated:
        return read_text(said, cut=not text.ended)
    first, went_on, _ = trimmed(said).partition("\n\n")
    return read_text(first, cut=not went_on)


@torch.no_grad()
def right_answer_losses(worn: Worn, examples: Sequence[Example], cache: ContextCache | None = None) -> list[float]:
    """Minus log-probability (nats, summed over tokens) of each record's right answer."""
    prompts = [example.ids.prompt for example in examples]
    shared = prompts[0][: shared_start(prompts)]
    contexts = Contexts(worn, shared, cache, fixed=True)
    start = contexts.start()
    losses = [0.0] * len(examples)
    lengths = [len(prompt) - len(shared) for prompt in prompts]
    for rows in by_length(lengths, scored_tokens(worn.base.device)):
        per_record = answer_loss(contexts, start, [examples[i] for i in rows]).per_record
        for i, loss in zip(rows, per_record.tolist()):
            losses[i] = loss
    return losses


def metric_named(name: str) -> Metric:
    """A metric plugin, ready to use."""
    return plugins.load("metrics", name)()


def pooled(metric: Metric, answers: Sequence[Answer], records: Sequence[Record], task: Task) -> float:
    """One figure for all records that could be scored."""
    rows = [metric.row(answer, record, task) for answer, record in zip(answers, records)]
    scored = [row for row in rows if row is not None]
    return metric.pool(scored) if scored else math.nan
