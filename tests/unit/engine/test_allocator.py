"""Freed memory is kept where the C library can be told so, and given back when asked."""

import platform

import pytest

from tuneoff.engine.allocator import keep_freed_memory


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told")
def test_glibc_takes_it():
    assert keep_freed_memory()
