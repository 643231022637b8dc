"""Pack the records and files of a run, secrets removed, into one file for people who are asked for help.

The file lists what is missing: it is written for a run that is not over as well, and where files were lost or removed.
"""

import io
import json
import os
import platform
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, BinaryIO

from orchestrator.core.errors import UsageError
from orchestrator.core.facts import FrozenProject
from orchestrator.core.files import opened
from orchestrator.core.ports.recovery import Recovery
from orchestrator.journal.journal import Journal, Record, Run
from orchestrator.redaction.redactor import Redactor
from orchestrator.redaction.secret_patterns import MARK
from orchestrator.redaction.terminal_text import CUT_MARK
from orchestrator.reports.report import RunReport, build_report

_MAX_BYTES = 4 * 1024 * 1024  # of one file; the end of a log says more than its beginning
_PRIVATE = 0o600
_NOTHING = "Nothing was written; the run and the app are as they were."
_ABOUT = (
    "What is known of one run of upgrade-orchestrator. Secrets are masked: each *** was one.",
    "No data of the app is in here, but what it logs is; look through it before you pass it on.",
)
_BUNDLE = ("plan.yaml", "env")


@dataclass(frozen=True)
class Entry:
    """A file in the support file; ``content`` is None where it could not be read, and ``remark`` says why."""

    name: str
    content: bytes | None
    remark: str = ""

    @property
    def masked(self) -> int:
        """The number of secrets that were removed."""
        return (self.content or b"").count(MARK.encode())


@dataclass(frozen=True)
class SupportFile:
    """The path and the contents of a support file that was written."""

    path: Path
    entries: tuple[Entry, ...]

    def to_json(self) -> dict[str, Any]:
        """The document of ``support --json``."""
        listed = [
            {
                "name": entry.name,
                "bytes": None if entry.content is None else len(entry.content),
                "masked": entry.masked,
                "remark": entry.remark,
            }
            for entry in self.entries
        ]
        return {"schema": 1, "file": str(self.path), "contents": listed}


def write_support(journal: Journal, run: Run, mask: Redactor, recovery: Recovery, path: Path) -> SupportFile:
    """Pack a run into ``path``, a new file of mode 0600, with all secrets that ``mask`` knows removed.

    Raises:
        UsageError: ``usage.output_exists``, ``usage.output_unwritable``.
    """
    entries = tuple(collect(journal, run, mask, recovery))
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, _PRIVATE)
    except FileExistsError as error:
        what = f"There is a file {path} already."
        raise UsageError("usage.output_exists", what, impact=_NOTHING, hint="Name another with --output.") from error
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        with os.fdopen(descriptor, "wb") as stream:
            _pack(stream, entries, run)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        with suppress(OSError):
            path.unlink()
        raise _unwritable(path, error) from error
    return SupportFile(path, entries)


def collect(journal: Journal, run: Run, mask: Redactor, recovery: Recovery) -> Iterator[Entry]:
    """Collect the entries for a run, masked, with a list of them at the end."""
    records, project = journal.records(run.id), journal.facts(run.id).find(FrozenProject)
    report, folder = build_report(run, records, recovery), journal.path.parent / "runs" / run.id
    bundle = (*_BUNDLE, *([project.template.name] if project else []))
    found = [*_tell_run(report, records, mask), *_read_folder(folder, bundle, mask)]
    yield from found
    listed = [f"{one.name}  {tell_size(one)}{f'  ({one.remark})' if one.remark else ''}" for one in found]
    yield Entry("contents.txt", "\n".join([*_ABOUT, "", *listed, ""]).encode())


def _tell_run(report: RunReport, records: tuple[Record, ...], mask: Redactor) -> Iterator[Entry]:
    about = {
        "orchestrator": metadata.version("upgrade-orchestrator"),
        "python": platform.python_version(),
        "system": platform.platform(),
        "run": {name: str(value) if value is not None else None for name, value in vars(report.run).items()},
    }
    yield _to_json("about.json", about, mask)
    yield _to_json("report.json", report.to_json(), mask)
    lines = [json.dumps(mask.document({**vars(one), "at": one.at.isoformat()}), ensure_ascii=False) for one in records]
    yield Entry("journal.jsonl", _encode("".join(f"{line}\n" for line in lines)))


def _read_folder(folder: Path, bundle: tuple[str, ...], mask: Redactor) -> Iterator[Entry]:
    found = sorted(path.name for path in folder.glob("*") if path.suffix in (".log", ".json"))
    for name in (*bundle, *(name for name in found if name not in bundle)):
        place = f"{'logs' if name.endswith('.log') else 'bundle'}/{name}"
        try:
            content, remark = _read(folder / name)
        except OSError as error:
            yield Entry(place, None, "is not there" if isinstance(error, FileNotFoundError) else f"{error.strerror}")
            continue
        yield Entry(place, _mask_file(name, content, mask), remark)


def _read(path: Path) -> tuple[bytes, str]:
    with opened(path, follow=False) as descriptor, os.fdopen(os.dup(descriptor), "rb") as stream:
        status = os.fstat(descriptor)
        if status.st_size <= _MAX_BYTES:
            return stream.read(_MAX_BYTES), ""
        stream.seek(-_MAX_BYTES, os.SEEK_END)
        # From the beginning of a line: the redactor would not know the second half of a secret that was cut in two.
        _, _, end = stream.read(_MAX_BYTES).partition(b"\n")
        return f"{CUT_MARK}\n".encode() + end, f"the end of {status.st_size} bytes"


def _mask_file(name: str, content: bytes, mask: Redactor) -> bytes:
    if name.endswith(".json"):
        with suppress(ValueError):
            return _dump(json.loads(content), mask)
    return mask.content(content)


def _to_json(name: str, document: Mapping[str, Any], mask: Redactor) -> Entry:
    return Entry(name, _dump(document, mask))


def _dump(document: object, mask: Redactor) -> bytes:
    text = json.dumps(mask.document(document), indent=2, ensure_ascii=False) + "\n"
    return _encode(text)


# JSON can spell half a character, which UTF-8 cannot: it is replaced.
def _encode(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


def _pack(stream: BinaryIO, entries: tuple[Entry, ...], run: Run) -> None:
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for entry in entries:
            if entry.content is not None:
                header = tarfile.TarInfo(f"support-{run.id}/{entry.name}")  # without names of users of this host
                header.size, header.mode = len(entry.content), _PRIVATE
                header.mtime = (run.ended_at or run.began_at).timestamp()
                archive.addfile(header, io.BytesIO(entry.content))


def tell_size(entry: Entry) -> str:
    """Tell the size of an entry, and how many secrets were removed from it."""
    if entry.content is None:
        return "missing"
    masked = entry.masked
    return f"{len(entry.content)} bytes" + (f", {masked} masked" if masked else "")


def _unwritable(path: Path, error: OSError) -> UsageError:
    return UsageError(
        "usage.output_unwritable",
        f"{path} cannot be written: {error.strerror or error}.",
        impact=_NOTHING,
        hint="Name a file in a folder that this user may write to with --output.",
    )
