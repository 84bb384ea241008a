"""TF-IDF and logistic regression: the classifier that needs no language model.

Words and word pairs (characters and pairs of them, in scripts without spaces), sublinear counts, L2 penalty
(scikit-learn's defaults but C = 10, which suits short texts).
"""

from typing import ClassVar

from tuneoff.core.config import knob
from tuneoff.data.words import piece_pattern
from tuneoff.models.adapt import BaselineMethod

__all__ = ["Tfidf"]


class Tfidf(BaselineMethod):
    paper: ClassVar[str] = ""

    C: float = knob(10.0, "inverse strength of the penalty", gt=0)

    def fit(self, task, train, seed):
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline

        # one letter words count too: a text of emoticons or initials must not be empty
        words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=piece_pattern(), lowercase=True)
        pipeline = make_pipeline(words, LogisticRegression(C=self.C, max_iter=1000))
        pipeline.fit([record.text for record in train], [record.target for record in train])

        def answer(records):
            rows = pipeline.predict_proba([record.text for record in records])
            return [dict(zip(pipeline.classes_, map(float, row))) for row in rows]

        return answer
