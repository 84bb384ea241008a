"""Every tensor is made on the device of what it meets: nothing here may stand on the default one.

The default device is `meta`, whose tensors hold no numbers, so that one that was made without a device fails where it
meets the model's, as it would on a GPU.
"""

import pytest
import torch
from torch.torch_version import TorchVersion

from conducted import Study, tiny
from tiny_arms import KINDS, contexts_of, made_adapters, short_rows, tiny_base
from tuneoff.engine.attach import Worn
from tuneoff.engine.cache import ContextCache
from tuneoff.engine.generate import generate
from tuneoff.engine.loss import plain_loss, step_loss
from tuneoff.engine.score import score_choices
from tuneoff.engine.together import Together, losses_together

BESIDE = {"serving": True, "retention": True, "rewordings": 1, "memorisation": True}
TOP = {"name": "top", "use": "full", "full": {"top_layers": 1}}


@pytest.fixture
def meta(request):
    """Everything made without a device holds no numbers from here on."""
    with torch.device("meta"):
        yield


@pytest.fixture(params=["llama", "gemma3", "gpt2", "gpt_neox"])
def base(request):
    return tiny_base(request.param)  # made before `meta` begins


def passed(base, kind, **options):
    """A step and its gradient on both paths, scores and texts, with contexts kept."""
    prompts, answers = [example.ids.prompt for example in short_rows()], [(50, 4), (50, 51, 4), (60, 4)]
    adapters = made_adapters(base, kind)
    learned = [p for adapter in adapters for p in adapter.parameters()]
    with Worn(base, adapters, **options) as worn:
        for loss in (step_loss(contexts_of(worn, short_rows()), short_rows()), plain_loss(worn, short_rows())):
            torch.autograd.grad(loss.per_record.sum(), learned)
        cache = ContextCache(1 << 30, base.device)
        scores = [score_choices(worn, prompts, answers, cache=cache) for _ in range(2)]
        texts = generate(worn, prompts, max_tokens=4, stops={4}, answers=answers, cache=cache)
    assert torch.isfinite(torch.stack(scores)).all()
    assert len(texts) == 3


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_a_step_scores_and_texts(base, meta, kind, packed):
    passed(base, kind, packed=packed)


@pytest.mark.skipif(
    torch.__version__ < TorchVersion("2.13"), reason="torch 2.9 makes tensors without a device in its uncompiled kernel"
)
@pytest.mark.parametrize("kind", ["lora", "soft_prompt", "prefix + lora"])
def test_attention_as_one_kernel(base, one_kernel, meta, kind):
    passed(base, kind)


def test_arms_in_one_pass(base, meta):
    worn = [Worn(base, made_adapters(base, kind)) for kind in ("lora", "soft_prompt", "ia3")]
    with Together(worn) as together:
        for losses in losses_together(together, [contexts_of(own, short_rows()) for own in worn], [short_rows()] * 3):
            assert torch.isfinite(losses.per_record).all()


def test_a_whole_study(tmp_path, request):
    """Whatever is left: training, checks, the first opinion, figures beside quality, saving and loading."""
    study = Study(tmp_path, tiny(seed=30, fingerprint="elsewhere"))
    request.getfixturevalue("meta")
    verdict = study.conduct(("few_shot", "lora", "soft_prompt_after", TOP), seeds=1, measure=BESIDE)
    assert verdict.flags == ()
    assert {row.status for row in verdict.standings} <= {"tested", "dropped"}


def test_control_a_tensor_without_a_device_is_found(meta):
    with pytest.raises((NotImplementedError, RuntimeError)):
        (torch.zeros(3, device="cpu") + torch.arange(3)).sum().item()
