"""One request as it stands alone: nothing is shared with other requests, and nothing was kept.

    [virtual positions] prompt [virtual positions] answer      one row, run whole behind learned keys and values

Figures beside quality are taken this way, so that they say what a server without a prefix cache would do.

Letters: R rows, M places.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from tuneoff.engine.attach import Worn
from tuneoff.engine.past import Past
from tuneoff.engine.rows import Rows

__all__ = ["Told", "ahead", "run_whole", "states_before"]


class Told(NamedTuple):
    """Rows that were run. prompt: the past of all of it. written: of what was written since. last: [R, width]."""

    prompt: Past
    written: Past | None
    last: Tensor


def run_whole(worn: Worn, prompts: Sequence[Sequence[int]]) -> Told:
    """Prompts with all their virtual positions, in one pass."""
    first = worn.first_past()
    rows = _rows(worn, prompts, [()] * len(prompts), first)
    last, own = worn.run(rows, first, read=rows.ends)
    return Told(own.behind(first), None, last)


def ahead(worn: Worn, told: Told, token: Tensor) -> Told:
    """One token more for each row; token: [R]."""
    seen = told.prompt if told.written is None else told.written.behind(told.prompt)
    rows = Rows(token, seen.next_position, torch.full_like(token, -1), (1,) * len(token))
    last, own = worn.run(rows, seen)
    return Told(told.prompt, own if told.written is None else told.written.then(own), last)


def states_before(worn: Worn, prompts: Sequence[Sequence[int]], texts: Sequence[Sequence[int]]) -> Tensor:
    """[M, width]: the hidden state from which each token of the texts is told, text after text."""
    first = worn.first_past()
    rows = _rows(worn, prompts, [text[:-1] for text in texts], first)
    back = torch.tensor([len(text) - 1 - at for text in texts for at in range(len(text))], device=rows.ids.device)
    lengths = torch.tensor([len(text) for text in texts], device=rows.ids.device)
    states, _ = worn.run(rows, first, keep=False, read=rows.ends.repeat_interleave(lengths) - back)
    return states


def _rows(worn: Worn, prompts: Sequence, texts: Sequence, first: Past | None) -> Rows:
    before, after = worn.virtual_ids("before"), worn.virtual_ids("after")
    ids = [[0] * len(before) + [*prompt] + [0] * len(after) + [*text] for prompt, text in zip(prompts, texts)]
    owners = [before + [-1] * len(prompt) + after + [-1] * len(text) for prompt, text in zip(prompts, texts)]
    offset = 0 if first is None else first.position.shape[1]
    return Rows.of(ids, offset, worn.base.device, owners)
