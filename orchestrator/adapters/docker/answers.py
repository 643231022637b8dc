"""What the engine answers, read as a document."""

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from orchestrator.adapters.docker.models import explain_shape

DocumentT = TypeVar("DocumentT", bound=BaseModel)


def read(model: type[DocumentT], answer: object) -> DocumentT:
    """The answer as a document. Raises `UnreadableError`, which names the part that is wrong, and none of its text."""
    try:
        return model.model_validate(answer)
    except (ValidationError, RecursionError) as error:
        raise UnreadableError(explain_shape(error)) from error


def read_list(model: type[DocumentT], answer: object) -> tuple[DocumentT, ...]:
    """The answer as documents; raises as `read`."""
    if not isinstance(answer, list):
        raise UnreadableError("it is no list")
    return tuple(read(model, entry) for entry in answer if entry is not None)


class UnreadableError(Exception):
    """What the engine says is not what its API describes."""
