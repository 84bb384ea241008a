"""The plain path against transformers' own models: loss of a whole row, logits, and greedy decoding.

Tolerance: 1e-6 in float64 (masks and positions are given by us and made by the library; its norms round to
float32). Control: a row whose last prompt token was changed differs by far more.
"""

import pytest
import torch

from tiny_arms import encoded, plain_logits, short_rows, tiny_base
from tuneoff.engine.attach import Worn
from tuneoff.engine.generate import generate
from tuneoff.engine.loss import plain_loss
from tuneoff.models.tiny import ARCHITECTURES

CLOSE = 1e-6


def library_loss(base, example) -> float:
    """Summed nats of the answer, by the library's own loss."""
    ids = torch.tensor([example.ids.ids])
    labels = torch.tensor([[t if kept else -100 for t, kept in zip(example.ids.ids, example.ids.trained)]])
    with torch.no_grad():
        return float(base.net(input_ids=ids, labels=labels).loss) * len(example.ids.answer)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_loss_equals_the_librarys(architecture):
    base = tiny_base(architecture)
    with Worn(base) as worn:
        for example in [*short_rows(), *encoded(base)]:
            ours = float(plain_loss(worn, [example]).per_record[0])
            assert ours == pytest.approx(library_loss(base, example), abs=CLOSE * 10, rel=CLOSE)
        one, other = encoded(base)[:2]
        assert abs(float(plain_loss(worn, [one]).per_record[0]) - library_loss(base, other)) > 1e-2


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_logits_equal_the_librarys(architecture):
    base = tiny_base(architecture)
    ids = encoded(base)[2].ids.ids
    with torch.no_grad(), Worn(base) as worn:
        library = base.net(input_ids=torch.tensor([ids])).logits[0, -1]
        assert (plain_logits(worn, ids)[0] - library).abs().max() < CLOSE
        changed = [*ids[:-2], ids[-2] + 1, ids[-1]]
        assert (plain_logits(worn, changed)[0] - library).abs().max() > 1e-3


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_greedy_decoding_equals_the_librarys(architecture):
    base, new = tiny_base(architecture), 8
    prompts = [example.ids.prompt for example in short_rows()]
    with Worn(base) as worn:
        ours = [each.ids for each in generate(worn, prompts, max_tokens=new, stops=())]
    for prompt, text in zip(prompts, ours):
        ids = torch.tensor([prompt])
        library = base.net.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=new, eos_token_id=-1
        )
        assert library[0, len(prompt) :].tolist() == text
