"""What comes before the answer, run as seldom as its mathematics allows.

Prefix once: the start that all prompts share (virtual positions included) runs as a single row, and is seen by every
row. In a causal model this is exact. Where something learns in it, a step runs it in the pass of its rows.

Context cache: where nothing learned acts on the prompt's text (no adapter, or only virtual positions after it),
the keys and values of a prompt never change. They are computed once per record and shared by all arms, trials
and seeds that ask with the same ids. Where the upper layers alone learn, the states that enter them are kept instead.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from tuneoff.core.identity import content_hash
from tuneoff.engine.along import NOBODY
from tuneoff.engine.attach import Worn
from tuneoff.engine.cache import ContextCache, Entry
from tuneoff.engine.past import Past, stacked
from tuneoff.engine.rows import Rows
from tuneoff.engine.states import States

__all__ = ["Contexts"]


class Contexts:
    """Turns prompts into pasts for one worn base.

    shared: the token ids that all prompts start with. cache: None where the text is not frozen. fixed: whether a prompt
    is always asked for together with the same others, so that they may be computed in one pass. onward: whether tokens
    that nobody knows yet will be run behind what is kept, which takes the keys of all layers.

    states: where the upper layers alone learn, what enters them; None elsewhere.
    """

    def __init__(
        self,
        worn: Worn,
        shared: Sequence[int],
        cache: ContextCache | None,
        *,
        fixed: bool = False,
        onward: bool = False,
    ):
        self.worn = worn
        self.shared = tuple(shared)
        self.cache = cache if worn.text_is_frozen else None
        self._start_key = content_hash([worn.base.fingerprint, str(worn.base.net.dtype), self.shared])
        self.fixed = fixed
        self.states: States | None = None
        if cache is not None and self.cache is None and not onward and worn.may_begin_above():
            start = Rows.of([self.shared], 0, worn.base.device) if shared else None
            self.states = States(worn, start, cache, self._start_key, fixed=fixed)

    def start(self) -> Past | None:
        """One row: learned keys and values, virtual positions, shared text."""
        if self.states is not None:
            return self.states.start()
        if self.cache is None:
            return self._run_start()
        kept = self.cache.get(self._start_key)
        if kept is None:
            past = self._run_start()
            if past is None:
                return None
            kept = (past.row(0), torch.zeros(0, device=past.position.device))
            self.cache.put(self._start_key, *kept)
        return kept[0]

    @property
    def starts_along(self) -> bool:
        """Whether the start is run at every step, and can be run in the pass of the rows behind it."""
        kept = self.cache is not None or self.states is not None
        return not kept and self.worn.packed and self.worn.may_pack() and any(self.start_ids())

    @property
    def behind_prompts(self) -> bool:
        """Whether training runs behind kept prompts: all that learns stands after them."""
        return self.cache is not None and bool(self.worn.virtual_ids("after"))

    def start_ids(self) -> tuple[list[int], list[int]]:
        """The ids of the start and which adapter owns each: virtual positions, then the shared text."""
        owners = self.worn.virtual_ids("before")
        return [0] * len(owners) + list(self.shared), owners + [-1] * len(self.shared)

    def start_row(self, first: int) -> Rows:
        """The start from position `first` on; a position of nobody's where nothing stands there."""
        ids, owners = self.start_ids()
        return Rows.of([ids or [0]], first, self.worn.base.device, [owners or [NOBODY]])

    def _run_start(self) -> Past | None:
        first = self.worn.first_past()
        if not any(self.start_ids()):
            return first
        rows = self.start_row(self.offset(first))
        _, own = self.worn.run(rows, first, read=rows.ends)  # keys and values are all that is asked for
        return own if first is None else first.then(own)

    def run(self, start: Past | None, prompts: Sequence[Sequence[int]]) -> tuple[Past, Tensor]:
        """The pasts of prompts behind the start, and the hidden state [R, width] of each prompt's last token."""
        texts, last = self._run(start, prompts) if self.cache is None else self._kept(start, prompts)
        return texts.behind(start), last

    def _kept(self, start: Past | None, prompts: Sequence[Sequence[int]]) -> tuple[Past, Tensor]:
        """Each prompt alone, or all that are asked for now where the same are always asked for together: the last bits
        of what is kept depend on its company, and a resumed run must find the same."""
        companies = [prompts] if self.fixed else [[prompt] for prompt in prompts]
        rows = [entry for company in companies for entry in self._entries(start, company)]
        return stacked([past for past, _ in rows]), torch.stack([last for _, last in rows])

    def _entries(self, start: Past | None, company: Sequence[Sequence[int]]) -> list[Entry]:
        """What is kept of prompts that are computed in one pass."""
        own = content_hash([self._start_key, list(company)])
        keys = [content_hash([own, at]) for at in range(len(company))]
        kept = [self.cache.get(key) for key in keys]
        if any(entry is None for entry in kept):
            with torch.no_grad():
                texts, last = self._run(start, company)
            kept = [(texts.row(at), last[at].detach().clone()) for at in range(len(company))]
            for key, entry in zip(keys, kept):
                self.cache.put(key, *entry)
        return kept

    def _run(self, start: Past | None, prompts: Sequence[Sequence[int]]) -> tuple[Past, Tensor]:
        texts = [prompt[len(self.shared) :] for prompt in prompts]
        rows = Rows.of(texts, self.offset(start), self.worn.base.device)
        last, own = self.worn.run(rows, start, read=rows.ends)
        return own, last

    def offset(self, start: Past | None) -> int:
        """The position of the first token behind the start."""
        return 0 if start is None else int(start.next_position[0])
