"""Tiny bases, records and adapters that the tests of engine and methods share.

Numbers are float64, so that two ways to compute one thing agree to many digits where they are equal at all. The
models' own norms and rotations round to float32 inside; the tolerances of the tests say where that is seen.
"""

from functools import cache

import torch
from transformers import DynamicCache

from tuneoff.core import plugins
from tuneoff.data.prompt import Prompt
from tuneoff.data.record import Record
from tuneoff.data.task import Task
from tuneoff.engine.attach import Adapter, Worn, new_adapter
from tuneoff.engine.cache import ContextCache
from tuneoff.engine.context import Contexts
from tuneoff.engine.examples import Example, encode, shared_start
from tuneoff.models.base import Base
from tuneoff.models.chat import Encoded
from tuneoff.models.tiny import tiny_model

TASK = Task(name="feeling", kind="choice", labels=("joy", "joyful", "anger"), instruction="Feel?")
RECORDS = [
    Record(fields={"text": "so happy today"}, target="joy"),
    Record(fields={"text": "he lied"}, target="anger"),
    Record(fields={"text": "the sun is out and she laughs"}, target="joyful"),
]
LENGTH = 3
KINDS = {
    "lora": ("lora",),
    "dora": ("dora",),
    "ia3": ("ia3",),
    "bitfit": ("bitfit",),
    "norm_tuning": ("norm_tuning",),
    "soft_prompt": ("soft_prompt",),
    "soft_prompt_after": ("soft_prompt_after",),
    "prefix": ("prefix",),
    "lora + soft_prompt": ("lora", "soft_prompt"),
    "lora + soft_prompt_after": ("lora", "soft_prompt_after"),
    "prefix + lora": ("prefix", "lora"),
}


class CountingCache(ContextCache):
    """Room for all, and a count of what was found."""

    def __init__(self, budget_bytes: int = 1 << 30):
        super().__init__(budget_bytes)
        self.hits = self.misses = 0

    def get(self, key):
        found = super().get(key)
        self.hits += found is not None
        self.misses += found is None
        return found


@cache
def tiny_base(
    architecture: str = "llama",
    *,
    dtype: torch.dtype = torch.float64,
    window: int | None = None,
    seed: int = 0,
    chat: bool = True,
) -> Base:
    """One base per set of arguments; a test leaves its weights as they were."""
    net, tokenizer = tiny_model(architecture, seed=seed, window=window, chat=chat, dtype=dtype)
    return Base(net, tokenizer, fingerprint=f"{architecture}-{seed}-{window}-{dtype}-{chat}")


def filled_cache(base: Base, ids: list[int]) -> DynamicCache:
    """The model's own keys and values of a text, one layer after another in `layers`."""
    cache = DynamicCache()
    base.run_trunk({"input_ids": torch.tensor([ids])}, cache)
    return cache


def made_method(name: str, **knobs):
    """A method with small sizes where it has sizes."""
    cls = plugins.load("methods", name)
    small = {"rank": 2, "length": LENGTH}
    own = {key: value for key, value in small.items() if key in cls.model_fields}
    return cls.build({**own, **knobs}, name)


def made_adapter(base: Base, name: str, *, nudge: float = 0.2, seed: int = 0, **knobs) -> Adapter:
    """A fresh adapter in the base's own number format, moved off its start so that it matters."""
    made = new_adapter(base, made_method(name, **knobs), TASK, seed)
    gen = torch.Generator().manual_seed(seed)
    tensors = {}
    for site, own in made.tensors.items():
        drawn = {key: torch.randn(t.shape, generator=gen, device="cpu").to(t.device) for key, t in own.items()}
        moved = {key: t.detach() + nudge * drawn[key] for key, t in own.items()}
        tensors[site] = {key: t.to(base.net.dtype).requires_grad_() for key, t in moved.items()}
    return Adapter(made.method, made.sites, tensors)


def made_adapters(base: Base, kind: str, *, nudge: float = 0.2) -> list[Adapter]:
    return [made_adapter(base, name, nudge=nudge, seed=at) for at, name in enumerate(KINDS[kind])]


def short_rows() -> list[Example]:
    """Unequal rows that share three tokens; a learned vector before them is seen from each answer, behind two
    windows of 6, and no row fits into one window."""
    prompts = [(1, 9, 8, 20, 21), (1, 9, 8, 30, 31, 32, 33), (1, 9, 8, 40, 41, 42)]
    answers = [(50, 51, 4), (60, 4), (70, 71, 72, 4)]
    return [Example(record, Encoded(*ids)) for record, ids in zip(RECORDS, zip(prompts, answers))]


def encoded(base: Base, records=RECORDS, prompt: Prompt | None = None) -> list[Example]:
    return encode(base, Prompt(instruction=TASK.instruction) if prompt is None else prompt, records)


def contexts_of(worn: Worn, examples: list[Example], cache: ContextCache | None = None) -> Contexts:
    prompts = [example.ids.prompt for example in examples]
    return Contexts(worn, prompts[0][: shared_start(prompts)], cache)


def plain_logits(worn: Worn, prompt, answer=()) -> torch.Tensor:
    """[len(answer) + 1, vocabulary]: what comes after the prompt and after each answer token, all run from scratch."""
    before, after = worn.virtual_ids("before"), worn.virtual_ids("after")
    ids = [0] * len(before) + list(prompt) + [0] * len(after) + list(answer)
    owner = before + [-1] * len(prompt) + after + [-1] * len(answer)
    first = worn.first_past()
    offset = 0 if first is None else first.position.shape[1]
    position = offset + torch.arange(len(ids))[None]
    real = torch.ones(1, len(ids), dtype=torch.bool)
    hidden, _ = worn.advance(torch.tensor([ids]), position, real, first, torch.tensor([owner]))
    return worn.base.head(hidden[0, -len(answer) - 1 :])
