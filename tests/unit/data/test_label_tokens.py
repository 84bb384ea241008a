"""How labels are cut, and when it is worth telling."""

from tuneoff.data.label_tokens import LabelTokens

CUT = LabelTokens(
    "a model",
    {"add to playlist": ("add", " to", " playlist"), "search work": ("search", " work"), "search": ("search",)},
)


def test_labels_of_several_tokens_are_told():
    assert CUT.matter
    assert CUT.words == "1 to 3 tokens to a model; 2 share their first one with another"
    assert CUT.of("add to playlist") == "3 tokens: add| to| playlist"
    assert CUT.of("search") == "1 token"


def test_labels_of_one_token_are_nothing_to_tell():
    short = LabelTokens("a model", {"joy": ("joy",), "fear": ("fear",)})
    assert (short.matter, short.words) == (False, "1 token each to a model")


def test_parts_of_a_letter_are_counted_only():
    assert LabelTokens("a model", {"好": ("\ufffd", "\ufffd")}).of("好") == "2 tokens"


def test_lengths_that_are_far_apart():
    assert LabelTokens("a model", {"x": ("x",), "y": ("a", "b", "c", "d")}).unlike
    assert not CUT.unlike
