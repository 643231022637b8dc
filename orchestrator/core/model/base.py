"""The base of every value that survives a round trip through the journal."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]


class FrozenModel(BaseModel):
    """A frozen value; unknown fields are errors, so that a misspelt one cannot vanish."""

    model_config = ConfigDict(frozen=True, extra="forbid")
