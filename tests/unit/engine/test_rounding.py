"""What 8 bits change is measured, and nothing is measured where nothing is rounded."""

import torch

from tiny_arms import short_rows, tiny_base
from tuneoff.engine.rounding import measure_rounding
from tuneoff.models.base import Base

torch.set_num_threads(1)


def test_what_rounding_changes():
    told = measure_rounding(tiny_base("llama", dtype=torch.float32), short_rows())
    assert told.records == len(short_rows())
    assert 1e-4 < told.nats < 1.0
    assert 1e-3 < told.gradient < 0.5
    assert told.speed > 0


def test_nothing_is_changed_by_nothing():
    base = tiny_base("llama", dtype=torch.float32)
    same = Base(base.net, base.tokenizer, fingerprint="same")
    same.int8 = base
    told = measure_rounding(same, short_rows())
    assert told.nats < 1e-5
    assert told.gradient < 1e-4
