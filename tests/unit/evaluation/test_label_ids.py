"""Labels that a tokenizer makes the same tokens of are an error before anything runs."""

import pytest
from tokenizers import normalizers

from tuneoff.core.errors import DataError
from tuneoff.evaluation.run import check_label_ids
from tuneoff.models.chat import Chat
from tuneoff.models.tiny import tiny_tokenizer


@pytest.mark.parametrize(
    ("normaliser", "labels"),
    [
        (normalizers.Lowercase(), ("lost", "Refund", "refund")),
        (normalizers.NFKC(), ("lost", "refund", "\uff52efund")),
        (normalizers.NFC(), ("lost", "\u00e9loge", "e\u0301loge")),
    ],
)
@pytest.mark.parametrize("chat", [True, False])
def test_labels_of_equal_tokens_are_both_named(normaliser, labels, chat):
    tokenizer = tiny_tokenizer(chat=chat)
    check_label_ids(Chat(tokenizer), labels)
    tokenizer.backend_tokenizer.normalizer = normaliser
    check_label_ids(Chat(tokenizer), labels[:2])
    with pytest.raises(DataError) as error:
        check_label_ids(Chat(tokenizer), labels)
    text = str(error.value)
    assert text.startswith(f"the labels {labels[1]!r} and {labels[2]!r} are the same tokens to this model")
    assert f"{labels[1]!a} and {labels[2]!a}" in text
    assert "[data.labels]" in text
