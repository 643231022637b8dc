"""Where a run works: what is done on another engine or on another database server is done to somebody else's app."""

from contextlib import suppress

from orchestrator.core.errors import StateError, UnfinishedRunError
from orchestrator.core.facts import Facts, Place
from orchestrator.core.ports.recovery import ByHand
from orchestrator.core.state_kind import Ports


def find_place(ports: Ports) -> Place:
    """Which engine and which database server this is.

    Raises:
        PlatformError: the engine cannot be asked.
    """
    stores: dict[str, str] = {}
    for store in ports.stores:
        with suppress(StateError):  # a state that needs it says so in its own words
            stores[store.name] = store.identify()
    return Place(engine_id=ports.workloads.read_engine_id(), stores=stores)


def require_place(facts: Facts, ports: Ports) -> None:
    """See that this is the engine and the database server of the run.

    Raises:
        UnfinishedRunError: ``run.other_place``.
        StateError: one of them cannot be asked: it may be away, which does not make it another one.
    """
    place = facts.find(Place)
    if place is None:
        return
    _compare(place.engine_id, ports.workloads.read_engine_id(), ports)
    for store in ports.stores:
        if store.name in place.stores:
            _compare(place.stores[store.name], store.identify(), ports)


def _compare(expected: str, found: str, ports: Ports) -> None:
    if found != expected:
        raise UnfinishedRunError(
            "run.other_place",
            "This is another engine or database server than the one on which the run began.",
            impact="Nothing was touched here; the run has no end yet.",
            hint=f"Look at {ports.recovery.phrase(ByHand.FIND_ENGINE)}; go on where the run began.",
        )
