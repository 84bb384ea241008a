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
from tuneoff.engine.attach import Worn
from tuneoff.engine.cache import ContextCache
from tuneoff.engine.past import Past, stacked
from tuneoff.engine.rows import Rows

__all__ = ["Contexts"]


class Contexts:
    """Turns prompts into pasts for one worn base.

    shared: the token ids that all prompts start with. cache: None where the text is not frozen.
    """

    def __init__(self, worn: Worn, shared: Sequence[int], cache: ContextCache | None):
        self.worn = worn
        self.shared = tuple(shared)
        self.cache = cache if worn.text_is_frozen else None
        self._start_key = content_hash([worn.base.fingerprint, str(worn.base.net.dtype), self.shared])

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

    @property
    def behind_prompts(self) -> bool:
        """Whether training runs behind kept prompts: all that learns stands after them."""
        return self.cache is not None and bool(self.worn.virtual_ids("after"))

    def start_ids(self) -> tuple[list[int], list[int]]:
        """The ids of the start and which adapter owns each: virtual positions, then the shared text."""
        owners = self.worn.virtual_ids("before")
        return [0] * len(owners) + list(self.shared), owners + [-1] * len(self.shared)

    def _run_start(self) -> Past | None:
        first = self.worn.first_past()
        ids, owners = self.start_ids()
        if not ids:
            return first
        offset = 0 if first is None else first.position.shape[1]
        rows = Rows.of([ids], offset, self.worn.base.device, [owners])
        _, own = self.worn.run(rows, first)
        return own if first is None else first.then(own)

    def run(self, start: Past | None, prompts: Sequence[Sequence[int]]) -> tuple[Past, Tensor]:
        """The pasts of prompts behind the start, and the hidden state [R, width] of each prompt's last token."""
        texts, last = self._run(start, prompts) if self.cache is None else self._kept(start, prompts)
        return texts.behind(start), last

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
        texts = [prompt[len(self.shared) :] for prompt in prompts]
        rows = Rows.of(texts, self.offset(start), self.worn.base.device)
        hidden, own = self.worn.run(rows, start)
        return own, hidden[rows.ends]

    def offset(self, start: Past | None) -> int:
        """The position of the first token behind the start."""
        return 0 if start is None else int(start.next_position[0])
