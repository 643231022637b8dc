"""In which volume a database lies, and who else may write there."""

import pytest

from orchestrator.adapters.docker.models import PROJECT_LABEL
from orchestrator.adapters.docker.volumes import MOUNTERS, MOUNTS, find_sharers, find_volume

DATA = "/var/lib/postgresql/data"


@pytest.mark.parametrize(
    ("mounts", "volume"),
    [
        ([("volume", "db", DATA)], "db"),
        ([("volume", "db", "/var/lib/postgresql"), ("volume", "other", "/var/lib")], "db"),
        ([("bind", "", DATA), ("volume", "outer", "/var/lib/postgresql")], ""),
        ([("volume", "near", f"{DATA}base")], ""),
        ([], ""),
    ],
)
def test_the_nearest_mount_around_the_files_counts(mounts: list[tuple[str, str, str]], volume: str) -> None:
    documents = [{"Type": kind, "Name": name, "Destination": place, "RW": True} for kind, name, place in mounts]
    assert find_volume(MOUNTS.validate_python(documents), DATA) == volume


@pytest.mark.parametrize(
    ("labels", "writable", "sharers"),
    [
        ({PROJECT_LABEL: "ours"}, True, ()),
        ({PROJECT_LABEL: "theirs"}, True, ("one (project theirs)",)),
        ({}, True, ("one (of no project)",)),
        ({PROJECT_LABEL: "theirs"}, False, ()),
    ],
)
def test_only_who_may_write_and_is_not_of_the_project_shares(
    labels: dict[str, str], writable: bool, sharers: tuple[str, ...]
) -> None:
    document = {"Names": ["/one"], "Labels": labels, "Mounts": [{"Type": "volume", "Name": "db", "RW": writable}]}
    assert find_sharers(MOUNTERS.validate_python([document]), "db", "ours") == sharers
