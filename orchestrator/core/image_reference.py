"""Parse the name of an image: repository, tag and digest are compared whole, never as parts of a text."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reference:
    """``repository[:tag][@digest]``; an image that is named by its id alone has nothing but that id."""

    repository: str = ""
    tag: str = ""
    digest: str = ""
    image_id: str = ""

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Parse a reference. A colon before the last slash is that of a port: ``host:5000/app`` has no tag."""
        if text.startswith("sha256:"):
            return cls(image_id=text)
        name, _, digest = text.partition("@")
        folder, slash, last = name.rpartition("/")
        last, _, tag = last.partition(":")
        return cls(repository=f"{folder}{slash}{last}", tag=tag, digest=digest)

    @property
    def pin(self) -> str:
        """Value of a version variable for it: ``tag`` or ``tag@digest``; empty where it has no tag."""
        if not self.tag:
            return ""
        return f"{self.tag}@{self.digest}" if self.digest else self.tag

    @property
    def named(self) -> str:
        """Its name without the digest; empty where it has no tag."""
        return f"{self.repository}:{self.tag}" if self.tag else ""

    def __str__(self) -> str:
        if self.image_id:
            return self.image_id
        return f"{self.named or self.repository}{f'@{self.digest}' if self.digest else ''}"
