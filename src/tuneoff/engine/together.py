"""Several arms in one pass over one base: rows belong to arms, and each arm's adapters see its own rows alone.

    arm 0: rows a b    arm 1: rows c d    ->    [a b c d] through every frozen layer at once,
                                                 at a site x_ab through arm 0's adapters, x_cd through arm 1's

The frozen matmuls then have as many rows as all arms together, and the base's weights are read once. What an arm
computes does not depend on its neighbours, up to the rounding of a matmul of another size.

Letters: G arms, R rows of all arms, N positions of all rows.
"""

from collections.abc import Mapping, Sequence
from itertools import accumulate

import torch
from torch import Tensor, nn

from tuneoff.engine.along import led_by
from tuneoff.engine.attach import User, Worn, widened
from tuneoff.engine.context import Contexts
from tuneoff.engine.examples import Example
from tuneoff.engine.loss import Loss, answer_rows, losses_at, trained_places
from tuneoff.engine.low_rank import Update, frozen_linear, low_rank
from tuneoff.engine.packed import run_packed
from tuneoff.engine.past import Past, stacked
from tuneoff.engine.rows import Rows
from tuneoff.models.adapt import LowRank

__all__ = ["Together", "losses_together"]


class Together:
    """Worn bases whose rows lie side by side. Use as a context; none of them may be entered at the same time.

    All are of one base, and can be packed (`Worn.may_pack`).
    """

    def __init__(self, worn: Sequence[Worn]):
        self.worn = list(worn)
        self.base = worn[0].base
        self._spans: list[int] = []  # positions of each arm in the pass under way; empty: what runs is nobody's
        self._alone: int | None = None  # the arm whose embeddings are being made
        self._handles: list = []

    def __enter__(self) -> "Together":
        users: dict[nn.Module, dict[int, list[User]]] = {}
        for arm, worn in enumerate(self.worn):
            for module, own in worn.users().items():
                users.setdefault(module, {})[arm] = own
        for module, by_arm in users.items():
            self._handles.append(module.register_forward_pre_hook(self._enter_hook(by_arm)))
            self._handles.append(module.register_forward_hook(self._leave_hook(by_arm)))
        return self

    def __exit__(self, *_) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def run(
        self, rows: Sequence[Rows], past: Past | None, starts: Sequence[Rows] | None = None, *, read: Sequence[Tensor]
    ) -> list[Tensor]:
        """Run new positions of each arm's rows behind a past: of all rows, or, where each arm has a start in the same
        pass, of one row for each arm. read: of each arm, places among its rows.

        Returns hidden states [M, width] of each arm.
        """
        led = led_by(starts, rows, past, self.worn[0].masks)
        parts = [(own,) for own in rows] if starts is None else list(zip(starts, rows))
        read = [own + sum(len(part.ids) for part in ahead) for own, (*ahead, _) in zip(read, parts)]
        embedded = []
        for arm, (worn, own) in enumerate(zip(self.worn, parts)):
            self._alone = arm
            embedded.append(worn.embed(*own))
        self._alone = None
        spans = [each.shape[1] for each in embedded]
        first = accumulate(spans, initial=0)
        places = torch.cat([own + at for own, at in zip(read, first)])
        apart = places if self.worn[0].reads_apart(places, led.every) else None
        make_plan = self.worn[0].make_plan
        self._spans = spans  # from here on, since a trial of the base may have run before

        def look(at: Tensor | None) -> None:
            self._spans = spans if at is None else [len(own) for own in read]
            for worn, own in zip(self.worn, read):
                worn.look_at_read(None if at is None else own)

        embedded_1NE = torch.cat(embedded, dim=1)
        hidden, _ = run_packed(
            self.base,
            embedded_1NE,
            led.every,
            past,
            led.masks,
            read=apart,
            look=look,
            starts=led.starts,
            make_plan=make_plan,
            keep=False,
        )
        self._spans = []
        hidden = hidden[places] if apart is None else hidden
        return list(hidden.split([len(own) for own in read]))

    def first_past(self) -> Past | None:
        """One row for each arm: its learned keys and values. None: no arm has any."""
        pasts = [worn.first_past() for worn in self.worn]
        known = next((past for past in pasts if past is not None), None)
        return None if known is None else stacked([known.nothing() if past is None else past for past in pasts])

    def _enter_hook(self, by_arm: Mapping[int, Sequence[User]]):
        def hook(module, args):
            x = args[0]
            if not self._spans or not x.is_floating_point():  # the embeddings' input is ids
                return None
            parts = x.split(self._spans, dim=-2)
            own = [
                self.worn[arm].entered(by_arm[arm], part) if arm in by_arm else part for arm, part in enumerate(parts)
            ]
            changed = any(new is not part for new, part in zip(own, parts))
            return (torch.cat(own, dim=-2), *args[1:]) if changed else None

        return hook

    def _leave_hook(self, by_arm: Mapping[int, Sequence[User]]):
        def hook(module, args, y):
            x = args[0]
            if self._alone is not None:
                return self.worn[self._alone].left(by_arm.get(self._alone, ()), x, y)
            if not self._spans:
                return None
            if updates := self._updates(by_arm, wide := widened(y)):
                alone = module if wide is y and frozen_linear(module) else None
                return low_rank(widened(x), wide, updates, alone).to(y.dtype)
            parts = enumerate(zip(x.split(self._spans, dim=-2), y.split(self._spans, dim=-2)))
            own = [self.worn[arm].left(by_arm[arm], *part) if arm in by_arm else part[1] for arm, part in parts]
            return torch.cat(own, dim=-2)

        return hook

    def _updates(self, by_arm: Mapping[int, Sequence[User]], y: Tensor) -> list[Update]:
        """Each arm's low-rank update of its own rows, where that is all that happens at a module."""
        updates = []
        for arm, users in by_arm.items():
            form = self.worn[arm].form_at(users[0], y) if len(users) == 1 else None
            if not isinstance(form, LowRank) or users[0].site.columns is not None:
                return []
            first = sum(self._spans[:arm])
            updates.append((slice(first, first + self._spans[arm]), form))
        return updates


def losses_together(
    together: Together, contexts: Sequence[Contexts], batches: Sequence[Sequence[Example]]
) -> list[Loss]:
    """Each arm's loss on its own batch, in one pass. contexts: of each arm; either all behind kept contexts, which
    they then share, or none."""
    if contexts[0].behind_prompts:
        every = [example.ids.prompt for batch in batches for example in batch]
        past, _ = contexts[0].run(contexts[0].start(), every)
        starts, first = None, past.next_position.split([len(batch) for batch in batches])
    else:
        past = together.first_past()
        begins = [0] * len(contexts) if past is None else past.next_position.tolist()
        starts = [own.start_row(at) for own, at in zip(contexts, begins)]
        first = [at + len(own.start_ids()[0]) for own, at in zip(contexts, begins)]
    rows = [answer_rows(own, batch, at) for own, batch, at in zip(contexts, batches, first)]
    read = [trained_places(*each) for each in zip(rows, batches)]
    hidden = together.run(rows, past, starts, read=read)
    return [
        losses_at(together.base, at_read, batch, len(own.ids)) for at_read, batch, own in zip(hidden, batches, rows)
    ]
