"""What a job cost. Units are in the names; None means not measured, which is not zero."""

from dataclasses import asdict, dataclass

__all__ = ["Cost"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """The price of one arm, to train and to serve."""

    trainable: int = 0
    "trained numbers (parameters)"
    train_s: float = 0.0
    "seconds of training, validation included"
    score_s: float = 0.0
    "seconds of scoring the test set"
    peak_bytes: int | None = None
    "peak memory of the process above the loaded model"
    artifact_bytes: int = 0
    "bytes of what is handed over"
    prompt_tokens: float | None = None
    "mean tokens that a request sends through the model before the answer, soft prompt included"
    train_tokens: int = 0
    "real tokens seen in training"

    def as_dict(self) -> dict:
        return asdict(self)
