"""Contexts kept in memory, in files, or not at all are the same contexts; broken files and full disks hurt nobody."""

import os
import shutil
import warnings

import pytest
import torch
from safetensors.torch import save_file

from tiny_arms import CountingCache, contexts_of, made_adapter, short_rows, tiny_base
from tuneoff.core.files import disk_full
from tuneoff.engine import cache as kept
from tuneoff.engine.attach import Worn
from tuneoff.engine.cache import ContextCache
from tuneoff.engine.loss import answer_loss
from tuneoff.engine.past import Past
from tuneoff.engine.score import score_choices

ROOM = 1 << 30
PROMPTS = [example.ids.prompt for example in short_rows()]
ANSWERS = [(50, 51, 4), (60, 4), (4,)]


def entry(seed=0, dtype=torch.float32, tokens=5):
    gen = torch.Generator().manual_seed(seed)
    # layers of unlike shapes, and values unlike keys: some models have both
    keys = tuple(torch.randn(1, heads, tokens, 4, generator=gen).to(dtype) for heads in (2, 3))
    values = tuple(torch.randn(1, heads, tokens, 6, generator=gen).to(dtype) for heads in (2, 3))
    position = torch.arange(tokens)[None]
    past = Past(keys, values, position, torch.ones_like(position, dtype=torch.bool))
    return past, torch.randn(8, generator=gen).to(dtype)


def on_disk(folder, disk_bytes=ROOM):
    return ContextCache(0, folder=folder, disk_bytes=disk_bytes)


def same(a, b):
    (past, last), (other, end) = a, b
    pairs = [*zip(past.keys, other.keys), *zip(past.values, other.values), (last, end)]
    pairs += [(past.position, other.position), (past.real, other.real)]
    return all(x.dtype == y.dtype and torch.equal(x, y) for x, y in pairs)


def files(folder):
    return sorted(folder.glob("*.safetensors"))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_what_comes_back_from_a_file_is_what_was_put_bit_for_bit(tmp_path, dtype):
    cache = on_disk(tmp_path)
    cache.put("a", *entry(dtype=dtype))
    assert same(cache.get("a"), entry(dtype=dtype))
    assert same(on_disk(tmp_path).get("a"), entry(dtype=dtype))
    assert not same(cache.get("a"), entry(seed=1, dtype=dtype))
    assert cache.get("b") is None


def test_an_empty_hidden_state_is_kept_too(tmp_path):
    past, _ = entry()
    cache = on_disk(tmp_path)
    cache.put("start", past, torch.zeros(0))
    assert same(cache.get("start"), (past, torch.zeros(0)))


def test_files_take_what_memory_does_not(tmp_path):
    one = sum(tensor.nbytes for tensor in (*entry()[0].keys, *entry()[0].values, entry()[1]))
    cache = ContextCache(one + 10, folder=tmp_path, disk_bytes=ROOM)
    for seed, key in enumerate("abc"):
        cache.put(key, *entry(seed))
    assert [path.stem for path in files(tmp_path)] == ["b", "c"]
    assert all(same(cache.get(key), entry(seed)) for seed, key in enumerate("abc"))


def test_nothing_is_written_where_memory_is_enough(tmp_path):
    cache = ContextCache(ROOM, folder=tmp_path / "contexts", disk_bytes=ROOM)
    cache.put("a", *entry())
    assert not (tmp_path / "contexts").exists()


def test_the_disk_budget_holds_over_restarts(tmp_path):
    on_disk(tmp_path).put("a", *entry(0))
    size = files(tmp_path)[0].stat().st_size
    again = on_disk(tmp_path, disk_bytes=2 * size)
    for seed, key in enumerate("abcd"):
        again.put(key, *entry(seed))
    assert [path.stem for path in files(tmp_path)] == ["a", "b"]
    assert again.get("c") is None


def test_the_budget_is_a_quarter_of_what_is_free(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda place: shutil._ntuple_diskusage(0, 0, 4000))
    assert kept.ContextFiles(tmp_path / "not" / "yet").budget_bytes == 1000


def cut(path):
    path.write_bytes(path.read_bytes()[:-40])


def zeroed(path):
    path.write_bytes(path.read_bytes()[:-40] + bytes(40))


def empty(path):
    path.write_bytes(b"")


def foreign(path):
    save_file({"keys": torch.zeros(3)}, path)


@pytest.mark.parametrize("harm", [cut, zeroed, empty, foreign, os.unlink])
def test_a_torn_file_is_as_good_as_none(tmp_path, harm):
    on_disk(tmp_path).put("a", *entry())
    again = on_disk(tmp_path)
    harm(files(tmp_path)[0])
    assert again.get("a") is None
    assert files(tmp_path) == []
    again.put("a", *entry())
    assert same(again.get("a"), entry())


def test_what_a_killed_writer_left_is_swept(tmp_path):
    (tmp_path / ".a.safetensors.x1").write_bytes(b"half")
    on_disk(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [disk_full("there"), PermissionError(13, "not yours"), OSError(5, "input/output")])
def test_a_disk_that_takes_no_more_is_told_once(tmp_path, monkeypatch, error):
    cache = on_disk(tmp_path)
    cache.put("a", *entry(0))

    def full(*_):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(kept, "save_file", full)
        with pytest.warns(RuntimeWarning, match="no longer kept in .*The run goes on"):
            cache.put("b", *entry(1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cache.put("c", *entry(2))
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]
    assert same(cache.get("a"), entry(0))
    assert cache.get("b") is None


def test_control_other_errors_are_not_swallowed(tmp_path, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(kept, "save_file", broken)
    with pytest.raises(ZeroDivisionError):
        on_disk(tmp_path).put("a", *entry())


@pytest.mark.parametrize("architecture", ["llama", "gemma3", "gpt2", "mistral"])
def test_steps_and_scores_are_equal_wherever_contexts_are_kept(tmp_path, architecture):
    base = tiny_base(architecture)
    adapter = made_adapter(base, "soft_prompt_after")
    found = []
    for cache in (ContextCache(ROOM), on_disk(tmp_path), on_disk(tmp_path), ContextCache(0), None):
        with Worn(base, [adapter]) as worn:
            for _ in range(2):  # filled, then found
                contexts = contexts_of(worn, short_rows(), cache)
                loss = answer_loss(contexts, contexts.start(), short_rows()).per_record
            gradient = torch.autograd.grad(loss.sum(), adapter.parameters())[0]
            found.append((loss.detach(), gradient, score_choices(worn, PROMPTS, ANSWERS, cache=cache)))
    assert len(files(tmp_path)) >= 4
    in_memory, *kept_elsewhere, bare = found
    for other in kept_elsewhere:
        assert all(torch.equal(a, b) for a, b in zip(in_memory, other))
    assert all((a - b).abs().max() < 1e-5 * b.abs().max() for a, b in zip(in_memory, bare))


def test_control_a_wrong_entry_is_seen(tmp_path):
    base, cache = tiny_base(), CountingCache(0)
    with Worn(base) as worn:
        right = score_choices(worn, PROMPTS, ANSWERS, cache=on_disk(tmp_path))
        key = files(tmp_path)[-1].stem
        past, last = on_disk(tmp_path).get(key)
        files(tmp_path)[-1].unlink()
        cache.files = kept.ContextFiles(tmp_path, ROOM)
        cache.put(key, Past(tuple(keys + 0.1 for keys in past.keys), past.values, past.position, past.real), last + 0.1)
        wrong = score_choices(worn, PROMPTS, ANSWERS, cache=cache)
    assert (cache.hits, cache.misses) == (len(PROMPTS) + 1, 0)
    assert (right - wrong).abs().max() > 1e-3
