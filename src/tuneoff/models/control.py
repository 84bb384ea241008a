"""Text of the data never becomes a control token: where it spells one, it is encoded as the ordinary text it is.

    "cp <filename>" under SmolLM2, which has a special token of that name
        by itself     cp   Ġ   <filename>            a control token, which decoding leaves out
        here          cp   Ġ<   filename   >         what the person wrote

A tokenizer finds its special tokens wherever they are spelled. So the person's are marked before the template is
filled in, and a text with marks goes through a twin of the tokenizer that knows its control tokens under names that
nobody writes: those of the template are put in under these names, and the person's are text like any other. All else
of the twin is the same (splits, merges, white space), and a text without a mark goes through the tokenizer itself.
"""

import json
import re
from functools import cached_property

from tuneoff.core.errors import ModelError

__all__ = ["ControlTokens"]

MARK = re.compile("\ufdd0(\\d+)\ufdd1")  # of a token that a text spells; noncharacters, which stand in no text


class ControlTokens:
    """The tokens of one tokenizer that text must not become.

    Those are its special tokens, and of its other added tokens those in `written`: what the chat template writes
    around turns. Others (such as `<think>`, which answers may hold on purpose) stay what they are.
    """

    def __init__(self, tokenizer, written: str = ""):
        self.tokenizer = tokenizer
        special = set(tokenizer.all_special_ids)
        self._texts = {
            at: token.content
            for at, token in tokenizer.added_tokens_decoder.items()
            if token.content.strip() and (token.special or at in special or token.content in written)
        }
        self._ids = {text: at for at, text in self._texts.items()}
        self._first_letters = {text[0] for text in self._ids}

    def marked(self, text: str) -> str:
        """A text of the data in which every control token that it spells is replaced by a mark."""
        if not any(letter in text for letter in self._first_letters):
            return text
        if set(self._ids.values()).isdisjoint(self._whole_ids(text)):
            return text
        return self._spelled.sub(lambda match: f"\ufdd0{self._ids[match[0]]}\ufdd1", text)

    def ids(self, text: str) -> tuple[int, ...]:
        """Ids of a text in which only what is not marked may be a control token.

        Raises ModelError where the tokenizer cannot do otherwise than take text for a control token.
        """
        if not MARK.search(text):
            return self._whole_ids(text)
        named = self._spelled.sub(lambda match: _name(self._ids[match[0]]), text)
        plain = MARK.sub(lambda match: self._texts[int(match[1])], named)
        return tuple(self._twin.encode(plain, add_special_tokens=False).ids)

    def _whole_ids(self, text: str) -> tuple[int, ...]:
        return tuple(self.tokenizer(text, add_special_tokens=False, verbose=False).input_ids)

    @cached_property
    def _spelled(self) -> re.Pattern:
        return re.compile("|".join(map(re.escape, sorted(self._ids, key=len, reverse=True))))

    @cached_property
    def _twin(self):
        """The tokenizer with its control tokens under names that no text holds; ids are the same."""
        from tokenizers import Tokenizer

        if not getattr(self.tokenizer, "is_fast", False):
            raise ModelError(
                "this model's tokenizer takes text for control tokens, and cannot be kept from it",
                found=", ".join(sorted(self._ids)[:8]),
                fix="take these texts out of the records",
            )
        table = json.loads(self.tokenizer.backend_tokenizer.to_str())
        for token in table["added_tokens"]:
            if token["id"] in self._texts:
                token |= {"content": _name(token["id"]), "normalized": False}
        model = table["model"]
        model["vocab"] = self._renamed(model["vocab"])
        if model.get("unk_token") in self._ids:
            model["unk_token"] = _name(self._ids[model["unk_token"]])
        return Tokenizer.from_str(json.dumps(table))

    def _renamed(self, vocabulary: dict | list) -> dict | list:
        """Words with their ids, or (Unigram) with their scores in the order of their ids."""
        if isinstance(vocabulary, dict):
            return {_name(at) if at in self._texts else word: at for word, at in vocabulary.items()}
        return [[_name(at) if at in self._texts else word, score] for at, (word, score) in enumerate(vocabulary)]


def _name(at: int) -> str:
    """What the twin calls a control token."""
    return f"\ufdd2{at}\ufdd3"
