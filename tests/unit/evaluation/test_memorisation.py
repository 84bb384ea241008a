"""Training records told from others by their loss, and answers learned by heart."""

import numpy as np
import pytest

from tiny_arms import tiny_base
from tuneoff.data.record import Record
from tuneoff.engine.examples import Example
from tuneoff.evaluation.memorisation import Answered, copied, memorised
from tuneoff.evaluation.metric import Answer
from tuneoff.models.chat import Encoded


def answered(losses, targets=None, texts=None):
    chat = tiny_base().chat
    targets = targets or ["yes"] * len(losses)
    records = [Record(fields={"q": str(at)}, target=target) for at, target in enumerate(targets)]
    examples = [Example(record, Encoded((1,), chat.answer_ids(record.target))) for record in records]
    return Answered(examples, [Answer(text=t, nll=loss) for t, loss in zip(texts or targets, losses)])


def test_small_losses_on_training_records_give_them_away():
    found = memorised(answered([0.1, 0.2, 0.1]), answered([1.0, 2.0, 1.5]), per_token=False)
    assert found.mean == 1.0
    assert memorised(answered([1.0, 2.0]), answered([0.1, 0.2]), per_token=False).mean == 0.0


def test_equal_losses_tell_nothing():
    rng = np.random.default_rng(0)
    found = memorised(*(answered(rng.exponential(size=64).tolist()) for _ in range(2)), per_token=False)
    assert found.low < 0.5 < found.high


def test_a_short_answer_is_not_taken_for_a_known_one():
    short, long = ["yes"] * 8, ["yes, and so on"] * 8
    train, other = answered([3.0] * 8, short), answered([9.0] * 8, long)
    assert memorised(train, other, per_token=False).mean == 1.0
    assert memorised(train, other, per_token=True).mean < 0.5  # 3 nats on 4 tokens, 9 on 15


def test_only_long_answers_count_as_copied():
    targets = ["yes", "twelve tokens", "of which all", "eight it"]  # a byte is a token; of 8, the last one just counts
    texts = ["yes", "twelve tokens", "of which one", "eight it"]
    share, long = copied(answered([1.0] * 4, targets, texts), tiny_base().chat)
    assert long == 3
    assert share.mean == pytest.approx(2 / 3)
    assert copied(answered([1.0], ["yes"]), tiny_base().chat) == (None, 0)
