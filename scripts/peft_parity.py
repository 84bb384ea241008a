"""Reopen trained artifacts with the `peft` library and hold its logits and labels against our own load.

    python scripts/peft_parity.py runs/parity        (trains lora and soft_prompt on the demo's data first)

Prints one JSON line per arm: the largest difference of a logit at the answer, over 200 test records, the number of
records whose label differs, and the same difference against the bare model (the control, which must be large).
"""

import json
import sys
from pathlib import Path

import torch
from peft import PeftModel

from tuneoff.api import tune
from tuneoff.data.demo import write_demo_data
from tuneoff.study.conduct import open_base
from tuneoff.study.plan import make_plan
from tuneoff.study.spec import StudySpec

RECORDS = 200
ARMS = ("lora", "soft_prompt")


def main(out: Path) -> None:
    data = write_demo_data(out)
    tables = {
        "data": {"train_records": 64, "validation_records": 16, "test_records": RECORDS},
        "train": {"epochs": 1, "checks": 1},
    }
    instruction = "Is this movie review positive or negative?"
    for arm in ARMS:
        ready = tune(data, arm, out=out / arm, instruction=instruction, tables=tables)
        spec = StudySpec.build({"data": {"path": str(data), **tables["data"]}}, "parity")
        records = make_plan(spec).data.test
        bundle = next((out / arm / "jobs").iterdir())
        bare = open_base(StudySpec())
        ours, bare_logits = logits_of(ready, records), plain_logits(bare.net, ready, records)
        theirs = plain_logits(PeftModel.from_pretrained(bare.net, bundle / "peft" / arm), ready, records)
        labels = label_ids(ready)
        print(
            json.dumps(
                {
                    "arm": arm,
                    "records": len(records),
                    "largest_logit_difference": float((ours - theirs).abs().max()),
                    "labels_that_differ": int((ours[:, labels].argmax(1) != theirs[:, labels].argmax(1)).sum()),
                    "control_bare_model": float((ours - bare_logits).abs().max()),
                }
            ),
            flush=True,
        )


def prompts_of(ready, records) -> list[list[int]]:
    return [list(ready.base.chat.prompt_ids(ready.tuned.prompt.render(record))) for record in records]


def label_ids(ready) -> list[int]:
    """The first token of each label; the demo's labels differ there."""
    return [ready.base.chat.answer_ids(label)[0] for label in ready.tuned.task.labels]


@torch.no_grad()
def logits_of(ready, records) -> torch.Tensor:
    """[N, words] at the position that predicts the answer, through our engine."""
    from tuneoff.engine.context import Contexts
    from tuneoff.engine.examples import shared_start

    prompts = prompts_of(ready, records)
    with ready.tuned.worn(ready.base) as worn:
        contexts = Contexts(worn, prompts[0][: shared_start(prompts)], None)
        start = contexts.start()
        last = [contexts.run(start, [prompt])[1] for prompt in prompts]
        return ready.base.head(torch.cat(last))


@torch.no_grad()
def plain_logits(net, ready, records) -> torch.Tensor:
    """The same through the network as the library wraps it, each record alone."""
    return torch.stack([net(input_ids=torch.tensor([ids])).logits[0, -1] for ids in prompts_of(ready, records)])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
