"""A linear probe: logistic regression on hidden states of the frozen model.

    log p(label | record) = log softmax(W h + b)        h [E] a hidden state, W [labels, E]

h comes from one of six layers and is the last token's or the mean over the record's own text; which, and how strong the
penalty on W is, is chosen by cross-validation on the training records: the likelihood of the right answer in five
folds. The validation records have no say. States are standardised, and W and b are kept as they act on states as they
come (Alain & Bengio 2016, "Understanding intermediate layers using linear classifier probes", arXiv 1610.01644).

SmolLM2-135M on 160 tweets of four emotions: layer 30, last token, C = 0.01; 2,308 numbers.
"""

import warnings
from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal, NamedTuple

import numpy as np
import torch

from tuneoff.core.config import knob
from tuneoff.core.errors import ConfigError
from tuneoff.models.adapt import POOLINGS, ProbeMethod

__all__ = ["LinearProbe"]

LAYERS = 6  # that are looked at, evenly spread, the last one with them
PENALTIES = (1e-3, 1e-2, 1e-1, 1.0)
FOLDS = 5
MOST_CHOSEN_ON = 1000  # records: more would change the choice little, and take long
STEPS = 300  # of the solver at most
EXACT = 1e-4  # its tolerance for what is kept
ROUGH = 1e-2  # and for the many that are only compared
LEAST = float(np.log(1e-12))  # a label that training never showed has no finite loss


class Choice(NamedTuple):
    """Where a probe reads, and its penalty. place: of the layer among those that are there."""

    place: int
    pooling: int
    C: float


class LinearProbe(ProbeMethod):
    """Logistic regression on hidden states; layer, pooling and penalty by cross-validation on training records."""

    paper: ClassVar[str] = "arXiv 1610.01644"

    layer: int = knob(0, "the layer whose states are read, counted from 1; 0: chosen", ge=0)
    pooling: Literal["chosen", "last", "mean"] = knob("chosen", "the last token's state, or the mean over the text's")
    C: float = knob(0.0, "inverse strength of the penalty; 0: chosen", ge=0)

    def reads(self, layers):
        if self.layer > layers:
            raise ConfigError(
                "the probe reads a layer that this model does not have",
                where="[methods.linear_probe]",
                found=f"layer = {self.layer}",
                allowed=f"1 to {layers}, or 0: chosen",
                fix="layer = 0",
            )
        spread = {round(at * layers / LAYERS) for at in range(1, LAYERS + 1)}
        return tuple(sorted((spread | {self.layer}) - {0}))

    def fit(self, states, layers, answers, labels):
        states_RLPE, answers_R = states.numpy(), np.array(answers)
        found = self._chosen(states_RLPE[:MOST_CHOSEN_ON], layers, answers_R[:MOST_CHOSEN_ON], labels)
        model = Model.fit(states_RLPE[:, found.place, found.pooling].astype(float), answers_R, found.C)
        settled = {"layer": layers[found.place], "pooling": POOLINGS[found.pooling], "C": found.C}
        return self.model_copy(update=settled), model.tensors(labels)

    def scores(self, states, layers, p):
        read = states[:, layers.index(self.layer), POOLINGS.index(self.pooling)]
        logits = read.double() @ p["weight"].double().T + p["bias"].double()
        return logits.log_softmax(1).clamp(min=LEAST)

    def _chosen(self, states_RLPE, layers: Sequence[int], answers_R, labels: int) -> Choice:
        """The likeliest of those that the knobs leave open; of equal ones the first."""
        penalties = (self.C,) if self.C else PENALTIES
        places = list(self._places(layers))
        if len(places) * len(penalties) == 1:
            return Choice(*places[0], *penalties)
        likelihood = {}
        for place, pooling in places:
            states_RE = states_RLPE[:, place, pooling].astype(float)
            for C, found in zip(penalties, _likelihoods(states_RE, answers_R, penalties, labels)):
                likelihood[Choice(place, pooling, C)] = found
        return max(likelihood, key=likelihood.get)

    def _places(self, layers: Sequence[int]) -> Iterator[tuple[int, int]]:
        for place, layer in enumerate(layers):
            for at, pooling in enumerate(POOLINGS):
                if self.layer in (0, layer) and self.pooling in ("chosen", pooling):
                    yield place, at


class Model(NamedTuple):
    """weight [K, E] and bias [K] of the K labels that training showed, on states as they come."""

    labels: np.ndarray
    weight: np.ndarray
    bias: np.ndarray

    @classmethod
    def fit(cls, states_RE: np.ndarray, answers_R: np.ndarray, C: float, tol: float = EXACT) -> "Model":
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        mean, spread = states_RE.mean(0), states_RE.std(0)
        spread[spread == 0] = 1.0
        shown = np.unique(answers_R)
        if len(shown) == 1:
            return cls(shown, np.zeros((1, states_RE.shape[1])), np.zeros(1))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a weak penalty on few records: steps enough
            solved = LogisticRegression(C=C, max_iter=STEPS, tol=tol).fit((states_RE - mean) / spread, answers_R)
        weight, bias = solved.coef_, solved.intercept_
        if len(shown) == 2:  # one row stands for both
            weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
        weight = weight / spread
        return cls(shown, weight, bias - weight @ mean)

    def tensors(self, labels: int) -> dict[str, torch.Tensor]:
        """One row for each label of the task; one that was never shown is as good as impossible."""
        weight = torch.zeros(labels, self.weight.shape[1], device="cpu")
        bias = torch.full((labels,), LEAST, device="cpu")
        weight[self.labels] = torch.from_numpy(self.weight).float()
        bias[self.labels] = torch.from_numpy(self.bias).float()
        return {"weight": weight, "bias": bias}

    def log_likelihood(self, states_RE: np.ndarray, answers_R: np.ndarray, labels: int) -> np.ndarray:
        """[R] of the right answers."""
        logits = np.full((len(states_RE), labels), LEAST)
        logits[:, self.labels] = states_RE @ self.weight.T + self.bias
        log_p = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
        return np.maximum(log_p, LEAST)[np.arange(len(answers_R)), answers_R]


def _likelihoods(states_RE, answers_R, penalties: Sequence[float], labels: int) -> list[float]:
    """The mean log-likelihood of answers that a fold's model did not see, for each penalty."""
    folds = _folds(answers_R)
    found = np.zeros((len(penalties), len(answers_R)))
    for fold in range(FOLDS):
        held = folds == fold
        if held.all() or not held.any():
            continue
        for at, C in enumerate(penalties):
            model = Model.fit(states_RE[~held], answers_R[~held], C, ROUGH)
            found[at, held] = model.log_likelihood(states_RE[held], answers_R[held], labels)
    return found.mean(1).tolist()


def _folds(answers_R: np.ndarray) -> np.ndarray:
    """[R] a fold each; every label is spread over all folds."""
    folds = np.empty(len(answers_R), int)
    folds[np.argsort(answers_R, kind="stable")] = np.arange(len(answers_R)) % FOLDS
    return folds
