"""Their side of `hand_tuned`: tuning with `peft` and a plain PyTorch loop, as a competent person writes it.

    "labels"        the loss of a causal language model on the label's words, behind a short system message and the
                    text in the model's chat template (a model without one: behind the text and "Label:");
                    the answer is the label with the largest summed log-probability
    "classifier"    a classification head on the last token (peft's SEQ_CLS)

LoRA of rank 8 (alpha 16) on all linear layers, or prompt tuning with 20 vectors that start as a text
which names the labels. AdamW, batches of 8 rows of like length, a short warm-up, then linear decay to 0, gradients
clipped at 1. The frozen weights are in the number format asked for, what is trained is in float32.
"""

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from inspect import signature
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, log_softmax

from benchmarks.hand_tuned_sets import Drawn, Row
from tuneoff.models.quiet import quiet

if TYPE_CHECKING:
    from transformers import DynamicCache

__all__ = ["Setting", "Words", "run"]

SYSTEM, CUE = "Classify the text.", "\nLabel:"
BATCH, WARM_UP = 8, 10
SCORED = 16  # records scored together
IGNORED = -100


@dataclass(frozen=True, slots=True)
class Setting:
    """One run of the loop."""

    method: Literal["lora", "prompt_tuning"]
    head: Literal["labels", "classifier"]
    rate: float
    epochs: int
    seed: int = 0


class Item(NamedTuple):
    """A row in tokens; label: its place among the labels."""

    prompt: list[int]
    label: int


def run(setting: Setting, data: Drawn, folder: Path, dtype: torch.dtype) -> dict:
    """Train and judge; what comes back is the line that is kept, its `test` a 1 for each right answer.

    folder: of the model."""
    torch.manual_seed(setting.seed)
    with quiet():
        words = (Words if setting.head == "labels" else Classifier)(setting, data, folder, dtype)
    began, cpu = time.perf_counter(), time.process_time()
    losses = _trained(words, setting, words.items(data.train))
    took = {"train_s": time.perf_counter() - began, "train_cpu_s": time.process_time() - cpu}
    validation, test = (_judged(words, words.items(rows)) for rows in (data.validation, data.test))
    took |= {"all_s": time.perf_counter() - began, "all_cpu_s": time.process_time() - cpu}
    return {
        **asdict(setting),
        "trainable": sum(each.numel() for each in words.trained()),
        "train_loss": [round(loss, 4) for loss in losses],
        "validation_accuracy": validation.right.count("1") / len(data.validation),
        "validation_loss": round(validation.loss, 5),
        "test_accuracy": test.right.count("1") / len(data.test),
        **{name: round(seconds, 1) for name, seconds in took.items()},
        "validation": validation.right,
        "test": test.right,
    }


class Words:
    """A causal language model that is taught the labels' words."""

    def __init__(self, setting: Setting, data: Drawn, folder: Path, dtype: torch.dtype):
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.names = data.labels
        space = "" if self.tokenizer.chat_template else " "
        self.labels = [self._ids(space + label) for label in data.labels]
        self.net = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)
        new = "cache" in signature(self.net.forward).parameters  # its name from transformers 5.24 on
        self.cache_keyword = "cache" if new else "past_key_values"
        self.model = _with_peft(self.net, setting, data, folder)

    def trained(self) -> list[Tensor]:
        return [each for each in self.model.parameters() if each.requires_grad]

    def items(self, rows: Sequence[Row]) -> list[Item]:
        return [Item(self._prompt(row.text), self.names.index(row.label)) for row in rows]

    def loss(self, batch: Sequence[Item]) -> Tensor:
        rows = [item.prompt + self.labels[item.label] for item in batch]
        targets = [[IGNORED] * len(item.prompt) + self.labels[item.label] for item in batch]
        ids, mask = _padded(rows, 0)
        behind = ids.shape[1] - min(len(item.prompt) for item in batch) + 1  # no logits before the first label
        out = self.model(input_ids=ids, attention_mask=mask, logits_to_keep=_last(behind))
        wanted = _padded(targets, IGNORED)[0][:, -(behind - 1) :]
        return cross_entropy(out.logits[:, :-1].float().flatten(0, 1), wanted.flatten())

    def scores(self, batch: Sequence[Item]) -> Tensor:
        """[records, labels] log-probabilities of prompts of one length: these are run once, then every label."""
        from transformers import DynamicCache

        cache = DynamicCache(config=self.net.config.get_text_config())
        ids = torch.tensor([item.prompt for item in batch])
        out = self.model(input_ids=ids, logits_to_keep=_last(1), **{self.cache_keyword: cache})
        first = log_softmax(out.logits[:, -1].float(), dim=-1)
        scores = first[:, [label[0] for label in self.labels]]
        return scores + self._rest(cache, len(batch)) if max(map(len, self.labels)) > 1 else scores

    def _rest(self, cache: "DynamicCache", records: int) -> Tensor:
        """Log-probabilities of the labels' further tokens."""
        cache.batch_repeat_interleave(len(self.labels))
        ids = _padded([label[:-1] for label in self.labels], 0)[0].repeat(records, 1)
        wanted = _padded([label[1:] for label in self.labels], IGNORED)[0].repeat(records, 1)
        logits = self.model.base_model(input_ids=ids, **{self.cache_keyword: cache}).logits.float()
        lost = cross_entropy(logits.flatten(0, 1), wanted.flatten(), reduction="none")
        return -lost.view(records, len(self.labels), -1).sum(dim=2)

    def _prompt(self, text: str) -> list[int]:
        if not self.tokenizer.chat_template:
            return self.tokenizer(text + CUE).input_ids
        messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": text}]
        return self._ids(self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))

    def _ids(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False).input_ids


class Classifier(Words):
    """A head in place of the vocabulary, on the last token of the text; the head is trained in float32."""

    def __init__(self, setting: Setting, data: Drawn, folder: Path, dtype: torch.dtype):
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.names = data.labels
        self.pad = self.tokenizer.pad_token_id
        if self.pad is None:
            self.pad = self.tokenizer.eos_token_id
        net = AutoModelForSequenceClassification.from_pretrained(
            folder, dtype=dtype, num_labels=len(data.labels), pad_token_id=self.pad
        )
        net.score.float().register_forward_pre_hook(_in_float32)
        self.model = _with_peft(net, setting, data, folder)

    def loss(self, batch: Sequence[Item]) -> Tensor:
        return cross_entropy(self._logits(batch), torch.tensor([item.label for item in batch]))

    def scores(self, batch: Sequence[Item]) -> Tensor:
        return log_softmax(self._logits(batch), dim=-1)

    def _prompt(self, text: str) -> list[int]:
        return self.tokenizer(text).input_ids

    def _logits(self, batch: Sequence[Item]) -> Tensor:
        ids, mask = _padded([item.prompt for item in batch], self.pad)
        return self.model(input_ids=ids, attention_mask=mask).logits.float()


def _in_float32(head: torch.nn.Module, given: tuple[Tensor]) -> tuple[Tensor]:
    return (given[0].float(),)


def _with_peft(net: torch.nn.Module, setting: Setting, data: Drawn, folder: Path) -> torch.nn.Module:
    from peft import LoraConfig, PromptTuningConfig, TaskType, get_peft_model

    if setting.method == "lora":
        task = TaskType.CAUSAL_LM if setting.head == "labels" else TaskType.SEQ_CLS
        config = LoraConfig(task_type=task, r=8, lora_alpha=16, target_modules="all-linear")
    else:
        config = PromptTuningConfig(
            task_type=TaskType.CAUSAL_LM,
            num_virtual_tokens=20,
            prompt_tuning_init="TEXT",
            prompt_tuning_init_text=f"Classify the text as one of: {', '.join(data.labels)}.",
            tokenizer_name_or_path=str(folder),
        )
    return get_peft_model(net, config)


def _trained(words: Words, setting: Setting, items: list[Item]) -> list[float]:
    """Mean loss of each epoch."""
    from transformers import get_linear_schedule_with_warmup

    rng = random.Random(setting.seed)
    steps = setting.epochs * -(-len(items) // BATCH)
    optimizer = torch.optim.AdamW(words.trained(), lr=setting.rate, weight_decay=0.01 * (setting.method == "lora"))
    schedule = get_linear_schedule_with_warmup(optimizer, min(WARM_UP, steps // 4), steps)
    words.model.train()
    losses = []
    for _ in range(setting.epochs):
        of_epoch = []
        for batch in _batches(items, rng):
            loss = words.loss(batch)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(words.trained(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            of_epoch.append(float(loss.detach()))
        losses.append(sum(of_epoch) / len(of_epoch))
    return losses


def _batches(items: list[Item], rng: random.Random) -> list[list[Item]]:
    """Rows of like length together, so that little is padding: eight batches' rows at a time, sorted."""
    order = rng.sample(items, len(items))
    many = [
        sorted(order[at : at + 8 * BATCH], key=lambda item: len(item.prompt)) for at in range(0, len(order), 8 * BATCH)
    ]
    batches = [some[at : at + BATCH] for some in many for at in range(0, len(some), BATCH)]
    return rng.sample(batches, len(batches))


class Judged(NamedTuple):
    """right: 1 or 0 for each record. loss: mean of -log p(right label), the labels' probabilities adding up to 1."""

    right: str
    loss: float


@torch.no_grad()
def _judged(words: Words, items: list[Item]) -> Judged:
    words.model.eval()
    right, losses = ["0"] * len(items), []
    for places in _same_length(items):
        batch = [items[at] for at in places]
        scores = words.scores(batch)
        wanted = torch.tensor([item.label for item in batch])
        losses.append(cross_entropy(scores, wanted, reduction="none"))
        for at, good in zip(places, scores.argmax(dim=1) == wanted):
            right[at] = str(int(good))
    return Judged("".join(right), float(torch.cat(losses).mean()))


def _same_length(items: list[Item]) -> Iterator[list[int]]:
    """Places of items whose prompts are equally long, so that nothing is padded."""
    order = sorted(range(len(items)), key=lambda at: len(items[at].prompt))
    for _, group in groupby(order, key=lambda at: len(items[at].prompt)):
        places = list(group)
        yield from (places[at : at + SCORED] for at in range(0, len(places), SCORED))


def _last(count: int) -> Tensor:
    """Places of the last tokens. As a number this would make the head read a view, four times as slowly."""
    return torch.arange(-count, 0)


def _padded(rows: Sequence[Sequence[int]], with_: int) -> tuple[Tensor, Tensor]:
    """Ids and attention mask, padded behind each row."""
    longest = max(map(len, rows))
    ids = torch.tensor([[*row, *[with_] * (longest - len(row))] for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    return ids, mask
