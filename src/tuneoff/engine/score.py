"""How likely each answer of a choice is: the shared start once, each prompt once, the choices as a tree below it.

    score(label) = sum over its tokens and the end of the turn of log p(token | prompt, tokens before)

The end of the turn is part of an answer, so that `joy` and `joyful` compare. All branches of a record's tree run
in ONE row behind its prompt: each node sees its ancestors and the prompt, never its cousins.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tuneoff.engine.attach import Worn
from tuneoff.engine.batches import by_length, scored_tokens
from tuneoff.engine.cache import ContextCache
from tuneoff.engine.context import Contexts
from tuneoff.engine.examples import shared_start
from tuneoff.engine.head import log_probabilities
from tuneoff.engine.past import Past
from tuneoff.engine.rows import Rows

__all__ = ["AnswerTree", "score_choices"]


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
    batch_tokens: int | None = None,
) -> Tensor:
    """[N, C] log-probabilities of C answers (ids with end-of-turn) behind each of N prompts.

    batch_tokens: positions run at once, the tree's included; None: by device.
    """
    tree = AnswerTree.of(answers)
    contexts = Contexts(worn, prompts[0][: shared_start(prompts)], cache, fixed=True)
    start = contexts.start()
    scores = torch.empty(len(prompts), len(answers), dtype=torch.float64, device="cpu")
    beside = len(tree.token) - 1 - len(contexts.shared)
    lengths = [len(prompt) + beside for prompt in prompts]
    for rows in by_length(lengths, batch_tokens or scored_tokens(worn.base.device)):
        scores[rows] = _score_batch(contexts, start, [prompts[i] for i in rows], tree).double().cpu()
    return scores


def _score_batch(contexts: Contexts, start: Past | None, prompts: Sequence[Sequence[int]], tree: AnswerTree) -> Tensor:
    if contexts.states is not None:
        return _read(contexts.worn, _above(contexts, start, prompts, tree), tree)
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
    count = len(owners)
    rows = Rows.block([0] * count, range(count), past.next_position, owners)
    last, own = worn.run(rows, past, read=rows.ends)
    return own.behind(past), last


def _run_tree(worn: Worn, past: Past, tree: AnswerTree) -> Tensor:
    """[R, nodes - 1, width]."""
    depth = [depth - 1 for depth in tree.depth[1:]]
    rows = Rows.block(tree.token[1:], depth, past.next_position, None)
    hidden, _ = worn.run(rows, past, tree.branch(past.position.device), keep=False)
    return hidden.unflatten(0, (past.rows, -1))


def _above(contexts: Contexts, start: Past | None, prompts: Sequence[Sequence[int]], tree: AnswerTree) -> Tensor:
    """[R, nodes, width] where states are kept: prompt and tree as one row, through the upper layers alone."""
    worn, device = contexts.worn, contexts.worn.base.device
    texts = [list(prompt[len(contexts.shared) :]) for prompt in prompts]
    within = [[*range(len(text)), *(len(text) - 1 + depth for depth in tree.depth[1:])] for text in texts]
    rows = Rows.of([[*text, *tree.token[1:]] for text in texts], 0, device)
    offset = contexts.offset(start)
    rows = replace(rows, position=torch.tensor([offset + at for row in within for at in row], device=device))
    branch = torch.ones(len(texts), rows.longest, rows.longest, dtype=torch.bool, device=device)
    for at, text in enumerate(texts):
        nodes = slice(len(text), len(text) + len(tree.token) - 1)
        branch[at, nodes, nodes] = tree.branch(device)
    read = (rows.ends[:, None] - torch.arange(len(tree.token), device=device).flip(0)).flatten()
    states = contexts.states.of(rows, branch, [tree.token, tree.parent])
    hidden, _ = worn.run(rows, start, branch, keep=False, read=read, states=states)
    return hidden.unflatten(0, (len(texts), -1))


def _read(worn: Worn, hidden: Tensor, tree: AnswerTree) -> Tensor:
    """[R, C]: sum the log-probabilities along each answer."""
    device, (count, nodes) = hidden.device, hidden.shape[:2]
    steps = sorted((node, token, answer) for answer, path in enumerate(tree.edges) for node, token in path)
    node, token, answer = torch.tensor(steps, device=device).T
    at = (torch.arange(count, device=device)[:, None] * nodes + node).flatten()
    log_p = log_probabilities(worn.base, hidden.flatten(0, 1), at, token.repeat(count)).unflatten(0, (count, -1))
    return log_p.new_zeros(count, len(tree.edges)).index_add(1, answer, log_p)
