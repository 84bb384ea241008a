"""Scoring answer choices against lm-eval's Hugging Face backend: same token ids, same log-probabilities to 1e-4.

    score_77            77 labels of banking77 behind a short instruction; then behind one that lists them
    score_4_fewshot     4 topics of 3 tokens or more, AG News, behind 5 demonstrations that all questions share
    score_4             the same without demonstrations

lm-eval runs every choice with its whole context; ours runs the shared start once, each question's own text once, and
the choices as one tree below it. Answers carry no end-of-turn token, as lm-eval has none. Questions are other ones in
each cycle and nothing is kept between cycles. The peer's batch is the faster of two, tried before the race.

Scores are compared with lm-eval's softmax in float64, which is an option of its own. As it is timed it sums float32
logarithms: over 77 labels, against the same model in float64, it was up to 3.1e-4 nats off, ours 0.7e-4. The line
holds both differences.

Where the labels are listed the peer takes minutes per slot, so it gets the first of the slot's questions only (it
shares nothing between questions, so its rate does not depend on their number); both counts stand in the line.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil

import torch

from benchmarks.ceiling import Ceiling, Rows
from benchmarks.harness import WARM, Contest, Settings, Unequal, race
from benchmarks.texts import bank_questions, news
from tuneoff.core.errors import MissingExtra
from tuneoff.data.prompt import Prompt
from tuneoff.data.record import Record
from tuneoff.engine.attach import Worn
from tuneoff.engine.batches import by_length, scored_tokens
from tuneoff.engine.examples import shared_start
from tuneoff.engine.score import AnswerTree, score_choices
from tuneoff.models.base import Base

__all__ = [
    "LmEval",
    "Questions",
    "same_scores",
    "score_4",
    "score_4_fewshot",
    "score_77",
    "score_ceiling",
    "score_line",
    "topics",
]

MODEL = "smollm2-135m-instruct"
SAME_SCORE = {4: 1e-4, 2: 0.5}  # nats, by bytes of a number
PEER_BATCHES = (4, 16)
COMPARED = 16  # choices whose scores are compared before the race; all 77 would take the peer as long as a slot
TOPICS = {
    "World": "world politics and events",
    "Sports": "sports and athletes",
    "Business": "business and the economy",
    "Sci/Tech": "science and technology",
}
SHORT = "Which of the bank's 77 intents does the message have?"

Ids = tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Questions:
    """prompts: enough for all cycles. per_slot, theirs: how many each side answers in a slot."""

    case: str
    goal: float
    source: str
    prompts: list[Ids]
    answers: list[Ids]
    per_slot: int
    theirs: int

    def slot(self, cycle: int) -> list[Ids]:
        """Other questions in each cycle; the first ones in the cycle that warms up."""
        return self.prompts[(cycle + 1) * self.per_slot : (cycle + 2) * self.per_slot]


def score_77(settings: Settings) -> Iterator[dict]:
    """77 labels, not listed and listed."""
    base = settings.base(MODEL)
    source, records = bank_questions()
    labels = sorted({record.target for record in records})
    listed = f"{SHORT} One of: {', '.join(labels)}"
    few = settings.few
    shapes = ((SHORT, "short instruction", 12.0, few(3, 1), few(3, 1), 3), (listed, "labels listed", 50.0, 16, 1, 2))
    for instruction, case, goal, per_slot, theirs, cycles in shapes:
        asking = _mixed(records, per_slot * (settings.rounds(cycles) + 1))
        asked = Questions(
            case=f"77 labels, {case}",
            goal=goal,
            source=source,
            prompts=_prompts(base, Prompt(instruction=instruction), asking),
            answers=_answers(base, labels),
            per_slot=per_slot,
            theirs=theirs,
        )
        yield score_line("score_77", base, asked, settings)


def score_4_fewshot(settings: Settings) -> Iterator[dict]:
    """5 demonstrations."""
    base = settings.base(MODEL)
    yield score_line("score_4_fewshot", base, topics(base, settings, shown=5, goal=10.0), settings)


def score_4(settings: Settings) -> Iterator[dict]:
    """No demonstrations."""
    base = settings.base(MODEL)
    yield score_line("score_4", base, topics(base, settings, shown=0, goal=3.5), settings)


def topics(base: Base, settings: Settings, *, shown: int, goal: float) -> Questions:
    """AG News (or the demo's reviews) with four answers of several tokens."""
    source, records = news()
    records = [_worded(record, at) for at, record in enumerate(records)]
    labels = list(TOPICS.values())
    instruction = f"Which topic does the text have? One of: {', '.join(labels)}."
    prompt = Prompt(instruction=instruction, demonstrations=tuple(records[:shown]))
    per_slot = settings.few(6 if shown else 16, 2 if shown else 4)
    wanted = per_slot * (settings.rounds(4) + 1)
    return Questions(
        case=f"4 choices, {shown} demonstrations",
        goal=goal,
        source=source,
        prompts=_prompts(base, prompt, records[shown : shown + wanted]),
        answers=_answers(base, labels),
        per_slot=per_slot,
        theirs=per_slot,
    )


def score_line(name: str, base: Base, asked: Questions, settings: Settings, peer: bool = True) -> dict:
    """Race our scoring against lm-eval (or its own ceiling) over questions."""
    with Worn(base) as worn:
        facts = _lengths(asked, base.device) | {"model": settings.model or MODEL, "data": asked.source}
        theirs, ceiling = None, Ceiling(base, "forward")
        if peer:
            theirs = LmEval(settings.base(MODEL), asked)
            facts |= {"peer_batch_size": theirs.lm.batch_size, "scores": same_scores(worn, theirs, asked)}
        contest = Contest(
            name=name,
            case=asked.case,
            unit="questions/s",
            goal=asked.goal,
            against="lm-eval HFLM" if peer else "matmuls of the same shapes",
            ours=lambda cycle: _ours(worn, asked.slot(cycle), asked.answers),
            theirs=theirs and theirs.run,
            ceiling=lambda cycle: score_ceiling(ceiling, asked.slot(cycle), asked.answers),
            facts=facts,
            packages=("lm-eval",) if peer else (),
        )
        return race(contest, len(asked.prompts) // asked.per_slot - 1, settings)


class LmEval:
    """lm-eval's HFLM around a model in memory, with the fastest of a few batch sizes. net: what answers, if not the
    base itself."""

    def __init__(self, base: Base, asked: Questions, net: torch.nn.Module | None = None):
        try:
            from lm_eval.models.huggingface import HFLM
        except ImportError as error:
            raise MissingExtra("lm-eval", "bench", "this benchmark") from error
        self.asked = asked
        net = base.net if net is None else net
        self.lm = HFLM(pretrained=net, tokenizer=base.tokenizer, device=str(base.device), batch_size=1)
        answers = asked.answers[: max(PEER_BATCHES)]
        prompts = asked.prompts[: ceil(max(PEER_BATCHES) / len(answers))]
        self.lm.batch_size_per_gpu = min(PEER_BATCHES, key=lambda size: self._seconds(prompts, answers, size))

    def scores(self, prompts: Sequence[Ids], answers: Sequence[Ids]) -> list[list[float]]:
        """[questions][choices] summed log-probabilities."""
        requests = [(("", ""), list(prompt), list(answer)) for prompt in prompts for answer in answers]
        said = [score for score, _ in self.lm._loglikelihood_tokens(requests, disable_tqdm=True)]
        return [said[at : at + len(answers)] for at in range(0, len(said), len(answers))]

    def run(self, cycle: int) -> float:
        """A slot. It was warmed up by the choice of its batch size."""
        prompts = self.asked.slot(cycle)[: self.asked.theirs]
        if cycle != WARM:
            self.scores(prompts, self.asked.answers)
        return len(prompts)

    def _seconds(self, prompts: Sequence[Ids], answers: Sequence[Ids], size: int) -> float:
        self.lm.batch_size_per_gpu = size
        began = time.perf_counter()
        self.scores(prompts, answers)
        return time.perf_counter() - began


def _ours(worn: Worn, prompts: Sequence[Ids], answers: Sequence[Ids]) -> float:
    score_choices(worn, prompts, answers)
    return len(prompts)


def same_scores(worn: Worn, theirs: LmEval, asked: Questions) -> dict:
    """The largest differences, its softmax in float64 and as it is; raises Unequal where the first is too large."""
    prompts, answers = asked.prompts[:1], asked.answers[:COMPARED]
    own = score_choices(worn, prompts, answers)

    def apart(softmax: torch.dtype | None) -> float:
        theirs.lm.softmax_dtype = softmax
        return float((own - torch.tensor(theirs.scores(prompts, answers), dtype=own.dtype)).abs().max())

    largest, rounded = apart(torch.float64), apart(None)  # what is timed is its own way
    allowed = SAME_SCORE[worn.base.net.dtype.itemsize]
    if not largest <= allowed:
        raise Unequal(f"scores differ by {largest:g} nats, allowed {allowed:g}")
    return {
        "largest_difference": largest,
        "allowed": allowed,
        "with_the_peer_rounding": rounded,
        "compared": own.numel(),
    }


def score_ceiling(ceiling: Ceiling, prompts: Sequence[Ids], answers: Sequence[Ids]) -> float:
    """The shared start once, each question's own tokens once, each node of the answers' tree once per question."""
    shared, nodes = shared_start(prompts), len(AnswerTree.of(answers).token)
    if shared:
        ceiling.run(Rows(shared, 1))
    lengths = [len(prompt) - shared + nodes - 1 for prompt in prompts]
    for rows in by_length(lengths, scored_tokens(ceiling.head.device)):
        own = sum(len(prompts[at]) - shared for at in rows)
        ceiling.run(Rows(own + (nodes - 1) * len(rows), nodes * len(rows)))
    return len(prompts)


def _lengths(asked: Questions, device: torch.device) -> dict:
    lengths = [len(prompt) for prompt in asked.prompts]
    return {
        "batch_tokens": scored_tokens(device),
        "questions_per_slot": {"ours": asked.per_slot, "theirs": asked.theirs},
        "choices": len(asked.answers),
        "mean_context_tokens": round(sum(lengths) / len(lengths), 1),
        "shared_start_tokens": shared_start(asked.prompts),
        "mean_choice_tokens": round(sum(map(len, asked.answers)) / len(asked.answers), 1),
    }


def _prompts(base: Base, prompt: Prompt, records: Sequence[Record]) -> list[Ids]:
    return [base.chat.prompt_ids(prompt.render(record)) for record in records]


def _answers(base: Base, labels: Sequence[str]) -> list[Ids]:
    return [base.chat.answer_ids(label)[:-1] for label in labels]


def _worded(record: Record, at: int) -> Record:
    words = TOPICS.get(record.target) or list(TOPICS.values())[at % len(TOPICS)]
    return Record(fields=record.fields, target=words)


def _mixed(records: Sequence[Record], count: int) -> list[Record]:
    """Spread over a file that is sorted by label."""
    return [records[at * len(records) // count] for at in range(count)]
