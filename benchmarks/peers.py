"""The peers as their users run them, each on a copy of the model of its own.

`peft` + `transformers.Trainer`: get_peft_model and a real Trainer with its own optimiser, collation to the batch's
longest row, labels on the response alone. `trl`: a real SFTTrainer that is handed the `peft` configuration. A step
is what Trainer.train does for a batch: collate, count labels, training_step, clip, optimiser, zero_grad. Logging,
saving and evaluation stay outside. Both start from our parameters, so that losses can be compared.
"""

import tempfile
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from tuneoff.core.errors import MissingExtra
from tuneoff.engine.attach import Adapter
from tuneoff.engine.examples import Example
from tuneoff.models.base import Base

if TYPE_CHECKING:
    from peft import PeftConfig
    from transformers import Trainer

__all__ = ["PeerTraining", "hf_full", "peft_trainer", "trl_trainer"]

LEARNING_RATE = 1e-3
IGNORED = -100


class PeerTraining:
    """One step of a Trainer at a time."""

    def __init__(self, trainer: "Trainer", masked: bool = True):
        self.trainer, self.masked = trainer, masked
        trainer.current_gradient_accumulation_steps = 1
        prepare = trainer.accelerator.prepare
        self.model, trainer.optimizer = prepare(trainer.model, trainer.create_optimizer())

    def step(self, batch: Sequence[Example]) -> None:
        """One step of the optimiser."""
        trainer = self.trainer
        inputs, labels = self._inputs(batch)
        trainer.training_step(self.model, inputs, labels)
        trainer.accelerator.clip_grad_norm_(self.model.parameters(), trainer.args.max_grad_norm)
        trainer.optimizer.step()
        self.model.zero_grad()

    def loss(self, batch: Sequence[Example]) -> float:
        """Mean over trained tokens, as training_step would minimise it."""
        inputs, labels = self._inputs(batch)
        self.model.train()
        with torch.no_grad():
            return float(self.trainer.compute_loss(self.model, self.trainer._prepare_inputs(inputs), False, labels))

    def _inputs(self, batch: Sequence[Example]):
        collated = self.trainer.data_collator([self._row(example) for example in batch])
        [inputs], labels = self.trainer.get_batch_samples(iter([collated]), 1, self.trainer.args.device)
        return inputs, labels

    def _row(self, example: Example) -> dict:
        ids = example.ids
        row = {"input_ids": ids.ids, "labels": [IGNORED] * len(ids.prompt) + list(ids.answer)}
        return {**row, "attention_mask": [1] * len(ids.ids)} if self.masked else row


def peft_trainer(base: Base, adapter: Adapter, size: int) -> PeerTraining:
    """`peft` and Trainer, starting from our adapter's tensors."""
    from peft import get_peft_model

    return _with_trainer(base, _with_tensors(get_peft_model(base.net, _config(adapter)), adapter), size)


def hf_full(base: Base, size: int) -> PeerTraining:
    """Trainer on all weights."""
    return _with_trainer(base, base.net.requires_grad_(), size)


def trl_trainer(base: Base, adapter: Adapter, size: int, examples: Sequence[Example]) -> PeerTraining:
    """SFTTrainer at its defaults, but float32 and without activation checkpointing, as the other sides compute."""
    try:
        from trl import SFTConfig, SFTTrainer
    except ImportError as error:
        raise MissingExtra("trl", "bench", "this benchmark") from error
    from datasets import Dataset

    rows = [{"input_ids": e.ids.ids, "labels": [IGNORED] * len(e.ids.prompt) + list(e.ids.answer)} for e in examples]
    base.tokenizer.pad_token = base.tokenizer.pad_token or base.tokenizer.eos_token
    trainer = SFTTrainer(
        model=base.net,
        args=SFTConfig(**_arguments(base, size), gradient_checkpointing=False),
        train_dataset=Dataset.from_list(rows),
        processing_class=base.tokenizer,
        peft_config=_config(adapter),
    )
    _with_tensors(trainer.model, adapter)
    return PeerTraining(trainer, masked=False)


def _with_trainer(base: Base, model: torch.nn.Module, size: int) -> PeerTraining:
    from transformers import DataCollatorForSeq2Seq, Trainer, TrainingArguments

    base.tokenizer.pad_token = base.tokenizer.pad_token or base.tokenizer.eos_token
    trainer = Trainer(
        model=model,
        args=TrainingArguments(**_arguments(base, size)),
        data_collator=DataCollatorForSeq2Seq(base.tokenizer),
        processing_class=base.tokenizer,
    )
    return PeerTraining(trainer)


def _arguments(base: Base, size: int) -> dict:
    return {
        "output_dir": tempfile.mkdtemp(prefix="benchmark-"),
        "per_device_train_batch_size": size,
        "learning_rate": LEARNING_RATE,
        "use_cpu": base.device.type == "cpu",
        "bf16": base.net.dtype == torch.bfloat16,
        "report_to": "none",
        "save_strategy": "no",
        "logging_strategy": "no",
        "disable_tqdm": True,
    }


def _config(adapter: Adapter) -> "PeftConfig":
    """The `peft` configuration that our artifact of this adapter carries."""
    from peft import IA3Config, LoraConfig, PromptTuningConfig

    table, _ = adapter.method.peft(adapter.sites, adapter.tensors)
    made = {"PROMPT_TUNING": PromptTuningConfig, "LORA": LoraConfig, "IA3": IA3Config}[table.pop("peft_type")]
    return made(task_type="CAUSAL_LM", **table)


def _with_tensors(model: torch.nn.Module, adapter: Adapter) -> torch.nn.Module:
    from peft import set_peft_model_state_dict

    table, state = adapter.method.peft(adapter.sites, adapter.tensors)
    lead = "" if table["peft_type"] == "PROMPT_TUNING" else "base_model.model."
    set_peft_model_state_dict(model, {f"{lead}{name}": tensor.detach().clone() for name, tensor in state.items()})
    return model
