"""Drift from the base: 0 where nothing was changed, the plain sum over all words where something was."""

from contextlib import contextmanager

import pytest
import torch

from tiny_arms import KINDS, TASK, made_adapter, made_adapters, made_method, plain_logits, tiny_base
from tuneoff.engine.attach import Worn, new_adapter
from tuneoff.evaluation import retention
from tuneoff.evaluation.retention import drift, own_texts

TEXTS, TOKENS = 4, 9


def written(base):
    return own_texts(base, 3, texts=TEXTS, tokens=TOKENS)


def plain(base, own, adapters) -> list[float]:
    """The definition: every text run from scratch, all logits of both models at once."""
    found = []
    for start, text in zip(own.starts, own.texts):
        with torch.no_grad():
            with Worn(base, packed=False) as worn:
                p = plain_logits(worn, start, text)[:-1].log_softmax(dim=-1)
            with Worn(base, adapters, packed=False) as worn:
                q = plain_logits(worn, start, text)[:-1].log_softmax(dim=-1)
        found.append(float((p.exp() * (p - q)).sum(dim=-1).mean()))
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("architecture", ["llama", "gemma3", "gpt2"])
def test_drift_is_the_plain_sum(architecture, kind):
    base = tiny_base(architecture)
    adapters, own = made_adapters(base, kind, nudge=0.5), written(base)
    found = drift(base, own, lambda: Worn(base, adapters))
    assert found == pytest.approx(plain(base, own, adapters), rel=1e-4, abs=1e-7)
    assert min(found) > 1e-4


@pytest.mark.parametrize("name", ["lora", "dora", "ia3", "norm_tuning", "bitfit"])
def test_an_adapter_at_its_start_has_not_moved(name):
    base = tiny_base()
    fresh = new_adapter(base, made_method(name), TASK, 0)
    assert drift(base, written(base), lambda: Worn(base, [fresh])) == pytest.approx([0.0] * TEXTS, abs=1e-9)


def test_a_larger_change_is_a_larger_drift():
    base = tiny_base()
    own = written(base)
    near, far = (
        sum(drift(base, own, lambda n=n: Worn(base, [made_adapter(base, "lora", nudge=n)]))) for n in (0.1, 0.5)
    )
    assert 0 < near < far


def test_changed_weights_are_compared_with_the_base_as_it_was():
    base = tiny_base()
    own, head = written(base), base.net.get_output_embeddings().weight

    @contextmanager
    def wear():
        before = head.clone()
        head.mul_(1.5)
        try:
            with Worn(base, text_changed=True) as worn:
                yield worn
        finally:
            head.copy_(before)

    with torch.no_grad():
        assert min(drift(base, own, wear)) > 1e-3
    assert drift(base, own, lambda: Worn(base)) == pytest.approx([0.0] * TEXTS, abs=1e-9)


def test_chunks_change_nothing(monkeypatch):
    base = tiny_base()
    own, adapters = written(base), made_adapters(base, "lora + soft_prompt_after", nudge=0.5)
    whole = drift(base, own, lambda: Worn(base, adapters))
    sizes = []
    log_probabilities = retention._log_probabilities
    monkeypatch.setattr(
        retention,
        "_log_probabilities",
        lambda base, states: sizes.append(len(states)) or log_probabilities(base, states),
    )
    monkeypatch.setattr(retention, "LOGIT_BYTES", 1)
    assert drift(base, own, lambda: Worn(base, adapters)) == pytest.approx(whole, abs=1e-7)
    assert sizes == [TOKENS] * 2 * TEXTS


@pytest.mark.parametrize("chat", [True, False])
def test_texts_are_the_same_for_the_same_seed_and_never_end(chat):
    base = tiny_base(chat=chat)
    first, again, other = (own_texts(base, seed, texts=TEXTS, tokens=TOKENS) for seed in (3, 3, 4))
    assert first.texts == again.texts != other.texts
    assert [len(text) for text in first.texts] == [TOKENS] * TEXTS
    assert not {token for text in first.texts for token in text} & base.chat.stops
    assert first.starts[0] == (base.tokenizer.bos_token_id,)
    assert len({*first.starts}) == (2 if chat else 1)
    assert len({tuple(text) for text in first.texts}) == TEXTS
