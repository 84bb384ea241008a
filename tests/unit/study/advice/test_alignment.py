"""Bits per byte: equal to a plain computation on every kind of tiny model, and of what they should be."""

import math

import pytest
import torch

from tiny_study import put_rows, rows, table
from tuneoff.data.general import general_text
from tuneoff.models.base import Base
from tuneoff.models.tiny import tiny_model
from tuneoff.study.advice.alignment import affordable, alignment, bits, text
from tuneoff.study.plan import make_plan
from tuneoff.study.spec import StudySpec
from tuneoff.study.work import Worker

torch.set_num_threads(1)
TEXTS = ["x y z !! 3", "wv", "the quick brown fox, jumping", "a"]
TOLERANCE = 1e-4


def base_of(name="llama", **more):
    net, tokenizer = tiny_model(name, **more)
    return Base(net, tokenizer, fingerprint=name)


def plainly(base, before, ids):
    """Whole text, all logits, one token after another."""
    whole = torch.tensor([[*before, *ids]])
    with torch.no_grad():
        log_p = base.net(whole).logits[0].double().log_softmax(-1)
    total = 0.0
    for place, token in enumerate(ids):
        total -= float(log_p[len(before) + place - 1, token])
    return total / math.log(2)


@pytest.mark.parametrize("name", ["llama", "qwen2", "qwen3", "gemma3", "gpt2", "gpt_neox", "opt", "phi", "mistral"])
def test_bits_equal_a_plain_computation(name):
    base = base_of(name)
    pieces = [text(base, own) for own in TEXTS] + [text(base, " jumping high", before="the quick fox is")]
    own = bits(base, pieces)
    plain = [plainly(base, piece.before, piece.ids) for piece in pieces]
    assert own == pytest.approx(plain, rel=TOLERANCE)
    without = [plainly(base, piece.before[:1], piece.ids) for piece in pieces]
    assert own != pytest.approx(without, rel=TOLERANCE)  # what stands before the last one counts


def test_a_text_has_its_bytes_and_opens_with_the_models_own_token():
    base = base_of()
    piece = text(base, "ä wörd")
    assert piece.size == len("ä wörd".encode()) == 8
    assert piece.before == (base.tokenizer.bos_token_id,)
    assert base.tokenizer.decode(piece.ids) == "ä wörd"


def test_a_text_longer_than_the_context_is_cut():
    base = base_of()
    base.__dict__["context"] = 40
    piece = text(base, "word " * 100, before="before " * 100)
    assert len(piece.before) + len(piece.ids) <= 40
    assert piece.size < 500


def test_what_can_be_read():
    assert affordable([10, 10, 10, 10, 10], most=30) == 4  # at least four
    assert affordable([1] * 50, most=30) == 30
    assert affordable([100, 100], most=30) == 2


@pytest.fixture
def worker(tmp_path):
    def of(tables=None, base=None, **more):
        put_rows(tmp_path / "data.jsonl", rows() if tables is None else tables)
        spec = StudySpec.build({**table(("zero_shot",), **more), "folder": str(tmp_path)}, "study.toml")
        return Worker(make_plan(spec), base or base_of(), tmp_path / "run")

    return of


def test_inputs_and_answers_by_hand(worker):
    made = worker()
    found = alignment(made, general_text())
    records, base = made.plan.data.train, made.base
    bos = (base.tokenizer.bos_token_id,)
    ids = [base.tokenizer(record.text, add_special_tokens=False).input_ids for record in records]
    total = sum(plainly(base, bos, own) for own in ids)
    assert found.inputs.own.value == pytest.approx(total / sum(len(r.text.encode()) for r in records), rel=TOLERANCE)
    assert found.inputs.own.n == len(records) == 24
    assert found.inputs.own.low < found.inputs.own.value < found.inputs.own.high
    examples = made.encode(_prompt(made), records)
    answers = [plainly(base, example.ids.prompt, example.ids.answer[:-1]) for example in examples]
    size = sum(len(record.target.encode()) for record in records)
    assert found.answers.own.value == pytest.approx(sum(answers) / size, rel=TOLERANCE)
    assert found.inputs.surplus.value == pytest.approx(found.inputs.own.value - found.inputs.general.value)


def _prompt(made):
    from tuneoff.data.prompt import Prompt

    return Prompt(instruction=made.task.instruction)


def test_general_text_against_itself_has_no_surplus(worker):
    passages = general_text()
    sentences = [passage[:200].rsplit(" ", 1)[0] for passage in passages * 5]
    tables = [
        {"text": f"{sentence} {at}", "label": "good" if at % 2 else "bad"} for at, sentence in enumerate(sentences)
    ]
    found = alignment(worker(tables, data={"train_records": 20, "validation_records": 5, "test_records": 5}), passages)
    assert abs(found.inputs.surplus.value) < 0.1 * found.inputs.general.value


def test_free_text_and_plain_templates(worker):
    tables = [{"question": f"What is {n} plus {n}?", "answer": f"It is {2 * n}."} for n in range(60)]
    made = worker(tables, base=base_of("gpt2", chat=False), data={"test_records": 10})
    found = alignment(made, general_text())
    assert made.plan.data.kind == "text"
    assert found.answers.own.n == 24
    assert 1 < found.answers.own.value < 20


def test_no_general_text_to_compare_with_is_unknown(worker):
    found = alignment(worker(), ["alone"])
    assert found.inputs is None
    assert found.answers is None
