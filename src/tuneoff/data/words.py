"""What counts as a word, in every script.

    words("Don't pay -5 %!")  == ["Don", "t", "pay", "-", "5", "%"]      pieces("Don't pay!") == ["Don't", "pay!"]
    words("水壶 is 好用")      == ["水", "壶", "is", "好", "用"]            pieces: the same

Chinese, Japanese, Thai, Lao, Khmer, Burmese, Tibetan and their like are written without spaces between words. There
each character stands for itself, with the vowel signs and tone marks on it. In all other scripts a word is a run of
letters, the marks on them, and digits. A sign that means something (`<`, `+`, `%`, the minus of -5) is a word too; the
marks of a sentence are none.
"""

import re
import unicodedata
from functools import cache
from itertools import groupby

__all__ = ["count_words", "marks_of_sentences", "piece_pattern", "pieces", "words"]

# By their blocks: Thai and Lao without digits and currency, Tibetan, Burmese, Khmer, the Tai scripts, Balinese,
# Javanese, kana, bopomofo, Yi, Chinese characters
UNSPACED = (
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e80-\u0ecf\u0edc-\u0eff\u0f00\u0f40-\u0fbc\u1000-\u103f\u104c-\u108f\u109a-\u109f"
    "\u1780-\u17d3\u17d7\u17dc\u17dd\u1950-\u19cf\u1a20-\u1a7f\u1b00-\u1b4f\ua980-\ua9c0\ua9e0-\ua9ef\uaa60-\uaadd"
    "\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3105-\u312f\u31a0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\ua000-\ua48c\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
CHARACTERS_A_WORD = 2  # about what a word of Chinese or Japanese has
SENTENCE = ".,:;!?'\"()`-*"
MEANT = "%#&*@/\\‰‱′″‴٪％＃＆＊＠／＼"  # punctuation by its category, and yet no mark of a sentence


def words(text: str) -> list[str]:
    """Words and signs. A text that has neither (":)") gives its pieces."""
    return _word().findall(unicodedata.normalize("NFC", text)) or pieces(text)


def pieces(text: str) -> list[str]:
    """What stands between white space; of the scripts without spaces each character."""
    return re.findall(piece_pattern(), text)


def count_words(text: str) -> int:
    """How many words a reader would count, about: two characters to a word in the scripts without spaces."""
    found = [piece for piece in pieces(text) if re.search(r"\w", piece)]
    characters = sum(bool(re.match(f"[{UNSPACED}]", piece)) for piece in found)
    return len(found) - characters + -(-characters // CHARACTERS_A_WORD)


@cache
def piece_pattern() -> str:
    """The regular expression of one piece."""
    marks = _ranges("M")
    return f"[{UNSPACED}][{marks}]*|[^\\s{UNSPACED}]+"


@cache
def marks_of_sentences() -> str:
    """Punctuation of all scripts and invisible characters, as the inside of a [...] expression."""
    return re.escape(SENTENCE) + _ranges("P", "Cf", but=MEANT)


@cache
def _word() -> re.Pattern:
    marks, sentence = _ranges("M") + "\u200c\u200d", marks_of_sentences()  # the joiners stand inside words
    run = f"(?:[^\\W_{UNSPACED}][{marks}]*)+"
    minus, times = r"(?<!\w)[-\u2212](?=[$€£¥]?\.?\w)", r"(?<=\w)\*(?=\w)|(?<=\w )\*(?= \w)"
    sign = rf"{minus}|{times}|[^\w\s{marks}{sentence}]"
    return re.compile(f"[{UNSPACED}][{marks}]*|{run}|{sign}")


def _ranges(*categories: str, but: str = "") -> str:
    """The characters beyond ASCII of some categories, as ranges."""
    points = [
        at
        for at in [*range(0x80, 0x1F000), *range(0xE0000, 0xE01F0)]
        if unicodedata.category(chr(at)).startswith(categories) and chr(at) not in but
    ]
    runs = [[at for _, at in run] for _, run in groupby(enumerate(points), key=lambda pair: pair[1] - pair[0])]
    return "".join(f"{chr(run[0])}-{chr(run[-1])}" for run in runs)
