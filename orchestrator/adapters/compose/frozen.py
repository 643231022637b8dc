"""The template of a frozen project, read only if it is what was frozen."""

import hashlib

from orchestrator.core.errors import PlatformError
from orchestrator.core.facts import FrozenProject
from orchestrator.core.files import MIB, read_file

_MAX_BYTES = 16 * MIB


def read_frozen(project: FrozenProject) -> str:
    """The template.

    Raises:
        PlatformError: ``compose.template_changed``.
    """
    content = read_file(project.template, _MAX_BYTES, follow=False)
    if hashlib.sha256(content).hexdigest() != project.template_sha256:
        raise PlatformError(
            "compose.template_changed",
            f"{project.template} is not what was frozen when the run began.",
            hint="Put the file back from a copy, or bring the services up by hand.",
        )
    return content.decode()
