"""Write a dump into a gzip file and read it again, at the speed of a disk."""

import hashlib
import os
from collections.abc import Iterator
from typing import Protocol

from isal import isal_zlib

_LEVEL = 2
_BATCH_BYTES = 256 * 1024
_READ_BYTES = 128 * 1024
_DECODED_BYTES = 512 * 1024  # decoded bytes are scanned while still in the processor's cache
_GZIP = 31  # window bits that stand for a gzip header, and a check of length and CRC
# Without name and time. A header has no checksum of its own: only the one that we write counts as undamaged.
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_ISAL_ERROR: type[Exception] = vars(isal_zlib)["error"]  # the stub declares it as an instance


class DecodingError(Exception):
    """The content is not what a `GzipWriter` has written."""


class Digest(Protocol):
    """A hash that is being computed."""

    def update(self, data: bytes, /) -> None:
        """Take the next bytes."""


class GzipWriter:
    """Compresses into a file that it owns, and computes the SHA-256 of its content."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._digest = hashlib.sha256()
        self._compressor = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, _GZIP)
        self._batch = bytearray()  # a dump comes in small pieces, and each call has its price

    @property
    def sha256(self) -> str:
        """SHA-256 of the file, in hex."""
        return self._digest.hexdigest()

    def write(self, chunk: bytes) -> None:
        """Take the next bytes."""
        if len(self._batch) + len(chunk) < _BATCH_BYTES:
            self._batch += chunk
            return
        for each in (self._batch, chunk):
            self._put(self._compressor.compress(each))
        self._batch.clear()

    def finish(self) -> None:
        """Flush the rest; then the file is whole and on the disk."""
        self._put(self._compressor.compress(self._batch))
        self._put(self._compressor.flush())
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Close the file as it is."""
        os.close(self._descriptor)

    def _put(self, compressed: bytes) -> None:
        rest = memoryview(compressed)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]
        self._digest.update(compressed)


def decode(file: int, digest: Digest) -> Iterator[tuple[int, bytes]]:
    """Yield pieces of a file: number of its bytes read, and their decoded content. ``digest`` is fed with the bytes.

    A piece that decodes to much is followed by some of no bytes.

    Raises:
        DecodingError: it is not what was written, or not to its end.
        OSError: it cannot be read.
    """
    decoder = isal_zlib.decompressobj(_GZIP)
    first = True
    while raw := os.read(file, _READ_BYTES):
        if (first and raw[: len(_HEADER)] != _HEADER) or decoder.eof:
            raise DecodingError
        digest.update(raw)
        first, pending, counted = False, raw, len(raw)
        while pending and not decoder.eof:
            try:
                decoded = decoder.decompress(pending, _DECODED_BYTES)
            except _ISAL_ERROR as error:
                raise DecodingError from error
            pending = decoder.unconsumed_tail
            yield counted, decoded
            counted = 0
        if decoder.unused_data:
            raise DecodingError
    if not decoder.eof:
        raise DecodingError
