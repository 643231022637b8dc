"""Compares what two databases are, apart from what is in their rows. Pure."""

from collections.abc import Mapping

from orchestrator.adapters.postgres.model import DatabaseProperties, Inventory, PgSequence


def find_other_inventory(expected: Inventory, found: Inventory) -> tuple[str, ...]:
    """What else is not the same; ``expected`` is older, so a sequence may have gone on since."""
    names = sorted({*expected.relations, *found.relations})
    different = [f"relation {name}" for name in names if expected.relations.get(name) != found.relations.get(name)]
    names = sorted({*expected.extensions, *found.extensions})
    different += [f"extension {name}" for name in names if expected.extensions.get(name) != found.extensions.get(name)]
    names = sorted({*expected.sequences, *found.sequences})
    different += [
        f"sequence {name}" for name in names if _is_behind(expected.sequences.get(name), found.sequences.get(name))
    ]
    if expected.large_objects != found.large_objects:
        different.append(f"large objects ({found.large_objects} instead of {expected.large_objects})")
    return tuple(different)


def find_other_rows(expected: Mapping[str, int], found: Mapping[str, int]) -> tuple[str, ...]:
    """Tables whose numbers of rows are not the same, each with both numbers."""
    tables = sorted({*expected, *found})
    return tuple(
        f"{table} ({found.get(table, 'no')} rows instead of {expected.get(table, 'no')})"
        for table in tables
        if expected.get(table) != found.get(table)
    )


def find_other_properties(expected: DatabaseProperties, found: DatabaseProperties) -> tuple[str, ...]:
    """Properties that are not the same; the order of grants and settings means nothing."""
    one, other = _comparable(expected), _comparable(found)
    return tuple(name for name in one if one[name] != other[name])


def _is_behind(earlier: PgSequence | None, later: PgSequence | None) -> bool:
    if earlier is None or later is None or earlier.owner != later.owner:
        return True
    if earlier.last_value is None or later.cycles:
        return False
    forward = 1 if later.increment > 0 else -1
    return later.last_value is None or (later.last_value - earlier.last_value) * forward < 0


def _comparable(properties: DatabaseProperties) -> dict[str, object]:
    values: dict[str, object] = properties.model_dump(exclude={"grants", "settings", "version"})
    values["grants"] = None if properties.grants is None else frozenset(map(str, properties.grants))
    values["settings"] = frozenset(map(str, properties.settings))
    return values
