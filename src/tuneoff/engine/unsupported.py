"""The exceptions that say "this model cannot take this fast path": an answer with a reason, not a fault.

    raise Unsupported("its attention applies a softcap")

Whatever else a fast path raises while it is tried is a fault (engine/capabilities.py).
"""

import torch

__all__ = ["Unsupported", "unsupported"]


class Unsupported(Exception):
    """The model asks for something that a fast path does not do; the message is the reason."""


def unsupported(error: Exception) -> str | None:
    """Why a fast path cannot be taken, where this exception says so; None: it is a fault."""
    if isinstance(error, Unsupported):
        return str(error)
    if isinstance(error, torch.OutOfMemoryError):  # a compiled kernel is tuned on copies of what it is given
        return "it does not fit into memory"
    if isinstance(error, torch._dynamo.exc.TorchDynamoException):  # no compiler, an old GPU, heads below 16 numbers
        return f"its kernel cannot be compiled here ({type(error).__name__})"
    return None
