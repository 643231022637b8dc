"""Whether a restored database is the one that was dumped."""

import pytest

from orchestrator.adapters.postgres.comparison import find_other_inventory
from orchestrator.adapters.postgres.model import Inventory, PgSequence

BEFORE = Inventory(
    relations={"public.entries": "r app"},
    sequences={"public.ids": PgSequence(owner="app", last_value=10, increment=1, cycles=False)},
    extensions={"plpgsql": "1.0"},
    large_objects=2,
)


def sequence(last_value: int | None, *, owner: str = "app", increment: int = 1, cycles: bool = False) -> Inventory:
    """The inventory with another sequence."""
    changed = PgSequence(owner=owner, last_value=last_value, increment=increment, cycles=cycles)
    return BEFORE.model_copy(update={"sequences": {"public.ids": changed}})


def test_the_same_inventory_differs_in_nothing() -> None:
    assert find_other_inventory(BEFORE, BEFORE) == ()


@pytest.mark.parametrize("found", [sequence(11), sequence(3, cycles=True)])
def test_a_sequence_that_has_gone_on_is_the_same(found: Inventory) -> None:
    assert find_other_inventory(BEFORE, found) == ()


@pytest.mark.parametrize(
    "found", [sequence(9), sequence(None), sequence(10, owner="other"), sequence(11, increment=-1)]
)
def test_a_sequence_that_would_give_a_number_twice_differs(found: Inventory) -> None:
    assert find_other_inventory(BEFORE, found) == ("sequence public.ids",)


def test_a_sequence_that_counts_down_goes_on_downwards() -> None:
    assert find_other_inventory(sequence(10, increment=-1), sequence(9, increment=-1)) == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"relations": {"public.entries": "r other"}}, "relation public.entries"),
        ({"relations": {"public.entries": "r app", "public.more": "r app"}}, "relation public.more"),
        ({"sequences": {}}, "sequence public.ids"),
        ({"extensions": {"plpgsql": "1.1"}}, "extension plpgsql"),
        ({"large_objects": 1}, "large objects (1 instead of 2)"),
    ],
)
def test_what_differs_is_named(change: dict[str, object], words: str) -> None:
    assert find_other_inventory(BEFORE, BEFORE.model_copy(update=change)) == (words,)
