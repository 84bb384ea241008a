"""One content, one name; and named random streams."""

import hashlib
from dataclasses import dataclass

import pytest

from tuneoff.core.config import Knobs, knob
from tuneoff.core.identity import canonical, content_hash, file_hash
from tuneoff.core.seeds import stream


class Some(Knobs):
    rank: int = knob(8, "a rank")


@dataclass(frozen=True)
class Pair:
    a: int
    b: str


def test_order_of_keys_and_kind_of_sequence_do_not_matter():
    assert content_hash({"a": 1, "b": [1, 2]}) == content_hash({"b": (1, 2), "a": 1})


def test_what_matters():
    values = [1, "1", 1.5, None, True, [1], {"a": 1}, {"a": 2}, Some(), Some(rank=4), Pair(1, "x"), {"x", "y"}]
    assert len({content_hash(value) for value in values}) == len(values)


def test_one_text_for_one_value():
    assert (
        canonical({"b": Pair(1, "ä"), "a": {"y", "x"}, "c": Some()})
        == '{"a":["x","y"],"b":{"a":1,"b":"ä"},"c":{"rank":8}}'
    )


def test_known_hash():
    assert content_hash(["a"]) == hashlib.sha256(b'["a"]').hexdigest()[:16]
    assert len(content_hash(["a"], length=8)) == 8


def test_file_hash(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 100_000)
    assert file_hash(tmp_path / "a") == hashlib.sha256(b"x" * 100_000).hexdigest()


def test_streams_are_the_same_everywhere():
    assert stream(3, "order", 1) == int.from_bytes(hashlib.sha256(b"3/order/1").digest()[:8], "big") >> 1
    assert 0 <= stream(0) < 2**63


@pytest.mark.parametrize("other", [(4, "order", 1), (3, "init", 1), (3, "order", 2), (3, "order")])
def test_streams_have_nothing_in_common(other):
    assert stream(3, "order", 1) != stream(*other)
