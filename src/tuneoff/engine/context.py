"""What comes before the answer, run as seldom as its mathematics allows.

Prefix once: the start that all prompts share (virtual positions included) runs as a single row, with gradient
where something learns there, and is seen by every row. In a causal model this is exact.

Context cache: where nothing learned acts on the prompt's text (no adapter, or only virtual positions after it),
the keys and values of a prompt never change. They are computed once per record and shared by all arms, trials
and seeds that ask with the same ids.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from tuneoff.core.identity import content_hash
from tuneoff.core.machine import free_memory
from tuneoff.engine.attach import Worn
from tuneoff.engine.past import Past, stacked

__all__ = ["ContextCache", "Contexts", "padded"]

SHARE_OF_FREE_MEMORY = 0.25


class ContextCache:
    """Pasts of frozen prompts, by content, within a byte budget.

    The budget is a quarter of the free memory of where the model is, unless told.

    What does not fit is computed again: keeping the oldest is right here, because epochs visit records in turn.
    """

    def __init__(self, budget_bytes: int | None = None, device: torch.device | None = None):
        if budget_bytes is None:
            on_gpu = device is not None and device.type == "cuda"
            free = torch.cuda.mem_get_info(device)[0] if on_gpu else free_memory()
            budget_bytes = int(free * SHARE_OF_FREE_MEMORY)
        self.budget_bytes = budget_bytes
        self.bytes = 0
        self._kept: dict[str, tuple[Past, Tensor]] = {}

    def get(self, key: str) -> tuple[Past, Tensor] | None:
        return self._kept.get(key)

    def put(self, key: str, past: Past, last_hidden: Tensor) -> None:
        size = sum(tensor.nbytes for tensor in (*past.keys, *past.values, last_hidden))
        if key not in self._kept and self.bytes + size <= self.budget_bytes:
            self._kept[key] = (past, last_hidden)
            self.bytes += size


class Contexts:
    """Turns prompts into pasts for one worn base.

    shared: the token ids that all prompts start with. cache: None where the text is not frozen.
    """

    def __init__(self, worn: Worn, shared: Sequence[int], cache: ContextCache | None):
        self.worn = worn
        self.shared = tuple(shared)
        self.cache = cache if worn.text_is_frozen else None
        self._start_key = content_hash([worn.base.fingerprint, self.shared])

    def start(self) -> Past | None:
        """One row: learned keys and values, virtual positions, shared text."""
        if self.cache is None:
            return self._run_start()
        kept = self.cache.get(self._start_key)
        if kept is None:
            past = self._run_start()
            if past is None:
                return None
            kept = (past.row(0), torch.zeros(0))
            self.cache.put(self._start_key, *kept)
        return kept[0]

    def _run_start(self) -> Past | None:
        first = self.worn.first_past()
        owners = self.worn.virtual_ids("before")
        ids = [0] * len(owners) + list(self.shared)
        if not ids:
            return first
        device = self.worn.base.device
        ids_1T = torch.tensor([ids], device=device)
        owner = torch.tensor([owners + [-1] * len(self.shared)], device=device)
        offset = 0 if first is None else first.position.shape[1]
        position = torch.arange(offset, offset + len(ids), device=device)[None]
        _, own = self.worn.advance(ids_1T, position, torch.ones_like(ids_1T, dtype=torch.bool), first, owner)
        return own if first is None else first.then(own)

    def run(self, start: Past | None, prompts: Sequence[Sequence[int]]) -> tuple[Past, Tensor]:
        """The pasts of prompts behind the start, and the hidden state [R, width] of each prompt's last token."""
        texts, last = self._run(start, prompts) if self.cache is None else self._kept(start, prompts)
        return texts if start is None else start.expand(len(prompts)).then(texts), last

    def _kept(self, start: Past | None, prompts: Sequence[Sequence[int]]) -> tuple[Past, Tensor]:
        """Each prompt alone, so that what is kept depends on nothing else (the last bits of a padded batch depend
        on its company, and a resumed run meets other company)."""
        rows = []
        for prompt in prompts:
            key = content_hash([self._start_key, prompt])
            kept = self.cache.get(key)
            if kept is None:
                with torch.no_grad():
                    texts, last = self._run(start, [prompt])
                kept = (texts.row(0), last[0].detach().clone())
                self.cache.put(key, *kept)
            rows.append(kept)
        return stacked([past for past, _ in rows]), torch.stack([last for _, last in rows])

    def _run(self, start: Past | None, prompts: Sequence[Sequence[int]]) -> tuple[Past, Tensor]:
        ids, real = padded([prompt[len(self.shared) :] for prompt in prompts], self.worn.base.device)
        position = self.offset(start) + torch.arange(ids.shape[1], device=ids.device).expand_as(ids)
        before = None if start is None else start.expand(len(prompts))
        hidden, texts = self.worn.advance(ids, position, real, before)
        return texts, hidden[torch.arange(len(prompts)), real.sum(dim=1) - 1]

    def offset(self, start: Past | None) -> int:
        """The position of the first token behind the start."""
        return 0 if start is None else int(start.next_position[0])


def padded(rows: Sequence[Sequence[int]], device, fill: int = 0) -> tuple[Tensor, Tensor]:
    """Rows of ids as [R, T] with padding at the end, and where they are real."""
    longest = max(len(row) for row in rows)
    ids = torch.full((len(rows), longest), fill, device=device)
    real = torch.zeros((len(rows), longest), dtype=torch.bool, device=device)
    for at, row in enumerate(rows):
        ids[at, : len(row)] = torch.tensor(row, device=device)
        real[at, : len(row)] = True
    return ids, real
