"""Images and the pins that name them. Sizes are bytes."""

import re
from typing import Self

from orchestrator.core.model.base import Digest, FrozenModel

_PIN = re.compile(r"^(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})(?:@(?P<digest>sha256:[0-9a-f]{64}))?$")


class Pin(FrozenModel):
    """Which image the project is set to: the text of the version variable, ``v1.1.0@sha256:…`` or ``v1.0.0``."""

    tag: str
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text of a pin.

        Raises:
            ValueError: it is no image tag, with or without a digest.
        """
        match = _PIN.match(text)
        if match is None:
            raise ValueError(f"{text!r} is no image tag")
        return cls(tag=match["tag"], digest=match["digest"])

    def __str__(self) -> str:
        return f"{self.tag}@{self.digest}" if self.digest else self.tag


class RemoteImage(FrozenModel):
    """Image of a tag in the registry: its digest and the platforms (``linux/amd64``) it is built for."""

    digest: Digest
    platforms: tuple[str, ...] = ()


class LocalImage(FrozenModel):
    """An image that the engine has."""

    image_id: str
    digests: tuple[str, ...] = ()
    size_bytes: int = 0
