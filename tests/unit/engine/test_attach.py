"""Adapters are worn inside the block only, act where they say, and never touch the base."""

import pytest
import torch

from tiny_arms import TASK, contexts_of, made_adapter, made_adapters, made_method, plain_logits, short_rows, tiny_base
from tuneoff.engine.attach import Worn, new_adapter, site_key
from tuneoff.engine.loss import answer_loss, plain_loss

PROMPT = (1, 9, 8, 20, 21)
TRAINED = ["lora", "dora", "ia3", "bitfit", "norm_tuning", "soft_prompt", "soft_prompt_after", "prefix"]


def bare(base):
    with torch.no_grad(), Worn(base) as worn:
        return plain_logits(worn, PROMPT)


@pytest.mark.parametrize("name", TRAINED)
def test_worn_inside_the_block_only(name):
    base = tiny_base()
    before = {key: value.clone() for key, value in base.net.state_dict().items()}
    untouched = bare(base)
    with Worn(base, [made_adapter(base, name)]) as worn:
        assert (plain_logits(worn, PROMPT) - untouched).abs().max() > 1e-2
    assert torch.equal(bare(base), untouched)
    assert all(torch.equal(before[key], value) for key, value in base.net.state_dict().items())
    assert not any(p.requires_grad for p in base.net.parameters())


def test_hooks_leave_with_an_exception():
    base = tiny_base()
    untouched = bare(base)
    with pytest.raises(RuntimeError, match="on purpose"), Worn(base, [made_adapter(base, "lora")]):
        raise RuntimeError("on purpose")
    assert torch.equal(bare(base), untouched)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", TRAINED)
def test_half_precision_base(name, dtype):
    """Adapters are float32 whatever the base is; the base's own numbers stay what they are."""
    base = tiny_base(dtype=dtype)
    adapter = new_adapter(base, made_method(name), TASK, 0)
    with Worn(base, [adapter]) as worn:
        contexts = contexts_of(worn, short_rows())
        fast = answer_loss(contexts, contexts.start(), short_rows()).per_record
        plain = plain_loss(worn, short_rows()).per_record
        fast.sum().backward()
    assert fast.tolist() == pytest.approx(plain.tolist(), rel=2e-2)
    gradients = [p.grad for p in adapter.parameters()]
    assert all(g is not None and g.dtype == torch.float32 and g.isfinite().all() for g in gradients)
    assert max(float(g.abs().max()) for g in gradients) > 0


@pytest.mark.parametrize("name", TRAINED)
def test_every_number_comes_from_the_seed(name):
    base = tiny_base()
    method = made_method(name, **({"start": "random"} if "start" in type(made_method(name)).model_fields else {}))
    torch.manual_seed(1)
    one = new_adapter(base, method, TASK, 7)
    torch.manual_seed(2)
    two = new_adapter(base, method, TASK, 7)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters()))
    assert all(p.dtype == torch.float32 and p.requires_grad for p in one.parameters())


def test_fused_modules_hold_a_site_per_role():
    base = tiny_base("gpt2")
    adapter = made_adapter(base, "lora")
    fused = [site for site in adapter.sites if site.columns is not None]
    assert {site_key(site) for site in fused} >= {
        "transformer.h.0.attn.c_attn:attn.q",
        "transformer.h.0.attn.c_attn:attn.k",
        "transformer.h.0.attn.c_attn:attn.v",
    }
    assert len({site_key(site) for site in adapter.sites}) == len(adapter.sites) == len(adapter.tensors)


def test_a_fused_site_changes_its_own_columns_only():
    base = tiny_base("gpt_neox")
    adapter = made_adapter(base, "lora", targets=["attn.k"])
    module = adapter.sites[0].module
    x = torch.randn(1, 2, 32, dtype=torch.float64)
    with torch.no_grad():
        untouched = module(x)
        with Worn(base, [adapter]) as worn:
            worn._owner = torch.full((1, 2), -1)
            seen = (module(x) - untouched)[0].abs().amax(dim=0) > 0
    own = torch.zeros_like(seen)
    own[adapter.sites[0].columns] = True
    assert torch.equal(seen, own)


def test_learned_rows_act_last_at_the_embeddings():
    """Whatever the order they are named in: what another adapter does there cannot undo them."""
    base = tiny_base()
    soft, lora = made_adapter(base, "soft_prompt"), made_adapter(base, "lora")
    with torch.no_grad():
        logits = []
        for order in ([soft, lora], [lora, soft]):
            with Worn(base, order) as worn:
                logits.append(plain_logits(worn, PROMPT))
    assert torch.equal(*logits)


def test_two_soft_prompts_stand_side_by_side():
    base = tiny_base()
    both = [made_adapter(base, "soft_prompt", seed=1), made_adapter(base, "soft_prompt", seed=2)]
    one = made_adapter(base, "soft_prompt", length=6)
    (rows,) = one.tensors.values()
    with torch.no_grad():
        rows["P"].copy_(torch.cat([next(iter(adapter.tensors.values()))["P"] for adapter in both]))
        with Worn(base, both) as worn:
            apart = plain_logits(worn, PROMPT)
        with Worn(base, [one]) as worn:
            assert (plain_logits(worn, PROMPT) - apart).abs().max() < 1e-10


@pytest.mark.parametrize(
    ("kind", "frozen"),
    [
        ("soft_prompt_after", True),
        ("soft_prompt", False),
        ("lora", False),
        ("prefix", False),
        ("lora + soft_prompt_after", False),
    ],
)
def test_the_text_is_frozen_where_nothing_acts_on_it(kind, frozen):
    base = tiny_base()
    assert Worn(base, made_adapters(base, kind)).text_is_frozen is frozen
    assert not Worn(base, made_adapters(base, kind), text_changed=True).text_is_frozen


def test_where_says_which_side():
    base = tiny_base()
    worn = Worn(base, [*made_adapters(base, "lora + soft_prompt_after"), made_adapter(base, "soft_prompt")])
    assert worn.virtual_ids("after") == [1, 1, 1]
    assert worn.virtual_ids("before") == [2, 2, 2]


def test_two_prefixes_count_on():
    base = tiny_base()
    first = Worn(base, [made_adapter(base, "prefix"), made_adapter(base, "prefix", length=2)]).first_past()
    assert first.position.tolist() == [[0, 1, 2, 3, 4]]
    assert first.keys[0].shape == (1, 2, 5, 8)
