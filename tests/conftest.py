"""Its place here puts tests/ on the import path, so that made_run.py and tiny_arms.py can be shared."""

import os

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tiny matrices: a second thread makes them ten times slower


@pytest.fixture
def one_kernel(monkeypatch):
    """Whatever packs does the attention of a pass as one kernel: unfused on a processor, where torch's refusal of its
    backward is taken away."""
    from torch.nn.attention import flex_attention

    from tuneoff.engine.attach import Worn
    from tuneoff.engine.flex import flex_plan

    monkeypatch.setattr(flex_attention, "_validate_device", lambda *tensors: None)
    monkeypatch.setattr(Worn, "make_plan", property(lambda self: flex_plan))
