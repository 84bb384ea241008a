"""How likely each answer of a choice is: the shared start once, each prompt once, the choices as a tree below it.

    score(label) = sum over its tokens and the end of the turn of log p(token | prompt, tokens before)

The end of the turn is part of an answer, so that `joy` and `joyful` compare. All branches of a record's tree run
in ONE row behind its prompt: each node sees its ancestors and the prompt, never its cousins.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tuneoff.engine.attach import Worn
from tuneoff.engine.batches import by_length
from tuneoff.engine.context import ContextCache, Contexts
from tuneoff.engine.examples import shared_start
from tuneoff.engine.loss import wide
from tuneoff.engine.past import Past

__all__ = ["AnswerTree", "score_choices"]

LOGIT_BYTES = 128 << 20  # the largest block of logits held at once


@dataclass(frozen=True, slots=True)
class AnswerTree:
    """Distinct beginnings of the answers. Node 0 is the prompt's last position; the others are tokens.

    token, parent, depth: per node. edges: per answer, its (node, next token) pairs.
    """

    token: tuple[int, ...]
    parent: tuple[int, ...]
    depth: tuple[int, ...]
    edges: tuple[tuple[tuple[int, int], ...], ...]

    @classmethod
    def of(cls, answers: Sequence[Sequence[int]]) -> "AnswerTree":
        nodes: dict[tuple[int, ...], int] = {(): 0}
        token, parent, depth = [0], [-1], [0]
        edges = []
        for answer in answers:
            path = []
            for length in range(len(answer)):
                beginning = tuple(answer[:length])
                if beginning not in nodes:
                    nodes[beginning] = len(token)
                    token.append(answer[length - 1])
                    parent.append(nodes[beginning[:-1]])
                    depth.append(length)
                path.append((nodes[beginning], answer[length]))
            edges.append(tuple(path))
        return cls(tuple(token), tuple(parent), tuple(depth), tuple(edges))

    def branch(self, device) -> Tensor:
        """[nodes - 1, nodes - 1], True where a node may see another: itself and its ancestors."""
        size = len(self.token)
        sees = torch.zeros(size, size, dtype=torch.bool, device=device)
        for node in range(1, size):
            at = node
            while at > 0:
                sees[node, at] = True
                at = self.parent[at]
        return sees[1:, 1:]


@torch.no_grad()
def score_choices(
    worn: Worn,
    prompts: Sequence[Sequence[int]],
    answers: Sequence[Sequence[int]],
    *,
    cache: ContextCache | None = None,
    batch_size: int = 16,
) -> Tensor:
    """[N, C] log-probabilities of C answers (ids with end-of-turn) behind each of N prompts."""
    tree = AnswerTree.of(answers)
    contexts = Contexts(worn, prompts[0][: shared_start(prompts)], cache)
    start = contexts.start()
    scores = torch.empty(len(prompts), len(answers), dtype=torch.float64)
    for rows in by_length([len(prompt) for prompt in prompts], batch_size):
        scores[rows] = _score_batch(contexts, start, [prompts[i] for i in rows], tree).double().cpu()
    return scores


def _score_batch(contexts: Contexts, start: Past | None, prompts: Sequence[Sequence[int]], tree: AnswerTree) -> Tensor:
    past, last = contexts.run(start, prompts)
    past, last = after_prompt(contexts.worn, past, last)
    hidden = last[:, None]
    if len(tree.token) > 1:
        hidden = torch.cat([hidden, _run_tree(contexts.worn, past, tree)], dim=1)
    return _read(contexts.worn, hidden, tree)


def after_prompt(worn: Worn, past: Past, last: Tensor) -> tuple[Past, Tensor]:
    """Run the virtual positions that stand between prompt and answer, if there are any."""
    owners = worn.virtual_ids("after")
    if not owners:
        return past, last
    owner = torch.tensor(owners, device=last.device).expand(len(last), -1)
    ids = torch.zeros_like(owner)
    position = past.next_position[:, None] + torch.arange(len(owners), device=last.device)
    hidden, own = worn.advance(ids, position, torch.ones_like(ids, dtype=torch.bool), past, owner)
    return past.then(own), hidden[:, -1]


def _run_tree(worn: Worn, past: Past, tree: AnswerTree) -> Tensor:
    device = past.position.device
    ids = torch.tensor(tree.token[1:], device=device).expand(past.rows, -1)
    depth = torch.tensor(tree.depth[1:], device=device) - 1
    position = past.next_position[:, None] + depth
    real = torch.ones_like(ids, dtype=torch.bool)
    hidden, _ = worn.advance(ids, position, real, past, branch=tree.branch(device))
    return hidden


def _read(worn: Worn, hidden: Tensor, tree: AnswerTree) -> Tensor:
    """Sum the log-probabilities along each answer, a block of rows at a time."""
    node = torch.tensor([node for path in tree.edges for node, _ in path], device=hidden.device)
    token = torch.tensor([token for path in tree.edges for _, token in path], device=hidden.device)
    answer = torch.tensor([a for a, path in enumerate(tree.edges) for _ in path], device=hidden.device)
    words = worn.base.net.get_output_embeddings().weight.shape[0]
    rows = max(1, LOGIT_BYTES // (hidden.shape[1] * words * 4))
    blocks = []
    for block in hidden.split(rows):
        logits = wide(worn.base.head(block.flatten(0, 1))).unflatten(0, block.shape[:2])
        steps = logits[:, node, token] - logits.logsumexp(dim=-1)[:, node]
        blocks.append(steps.new_zeros(len(block), len(tree.edges)).index_add(1, answer, steps))
    return torch.cat(blocks)
