"""Return memory of a long-lived process to the system once an answer of a source was read."""

from __future__ import annotations

import ctypes
from contextlib import suppress

_MMAP_THRESHOLD = -3  # M_MMAP_THRESHOLD in malloc.h
_BLOCK_BYTES = 64 * 1024


def give_back_large_blocks() -> None:
    """Have the C library map blocks from 64 KiB on by themselves, so that freeing one returns it at once.

    By default glibc raises that size with each such block that is freed, up to 32 MiB, and keeps the next ones in a
    heap of each thread: 16 MiB of answers held 200 MiB. Without effect where the C library has no such setting.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, _BLOCK_BYTES)
