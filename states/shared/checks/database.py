"""A store and its server."""

from collections.abc import Sequence

from orchestrator.core.errors import RefusedError
from orchestrator.core.foresight import Obstacle
from states.shared.checks.surroundings import StoreSurroundings

_LONG_TRANSACTION_S = 300.0
_CONNECTIONS_NEEDED = 5


def check_volume(around: StoreSurroundings) -> None:
    """The database's files are its own, and stay."""
    load = around.load
    if load.sharers:
        raise RefusedError(
            "refused.volume_shared",
            f"Others may write into the volume of the database: {', '.join(load.sharers)}.",
            hint="Two servers on one volume destroy it: give each project a volume of its own, or mount it read-only.",
        )
    if load.anonymous:
        raise RefusedError(
            "refused.volume_anonymous",
            f"The database lies in a volume without a name ({load.anonymous[:12]}…), which is replaced by an empty"
            " one when its container is made anew.",
            hint="Move it into a named volume: stop the app, copy the data over, and list it under `volumes:`.",
        )


def check_state(around: StoreSurroundings) -> Sequence[Obstacle]:
    """It can be copied, closed, swapped and migrated."""
    return around.store.find_obstacles(around.facts.name, rehearsed=around.ctx.rehearsed)


def check_load(around: StoreSurroundings) -> None:
    """Nothing keeps an upgrade from having the database to itself."""
    name, load = around.facts.name, around.load
    if load.prepared:
        raise RefusedError(
            "refused.prepared",
            f"Prepared transactions wait in {name} for their commit: {', '.join(load.prepared)}.",
            hint="End them in the program that prepared them, or by hand: COMMIT PREPARED or ROLLBACK PREPARED.",
        )
    if load.slots:
        raise RefusedError(
            "refused.replication",
            f"Logical replication reads from {name} (slots {', '.join(load.slots)}) and would not follow a way back.",
            hint="Drop the slots for the upgrade and set the replication up anew after it.",
        )
    if load.subscriptions:
        raise RefusedError(
            "refused.replication",
            f"Logical replication writes into {name} (subscriptions {', '.join(load.subscriptions)}), and would go on"
            " writing into what a way back sets aside.",
            hint="Drop the subscriptions for the upgrade and set the replication up anew after it.",
        )
    if load.oldest is not None and load.oldest_s > _LONG_TRANSACTION_S:
        raise RefusedError(
            "refused.long_transaction",
            f"{load.oldest.user} ({load.oldest.application or 'pid'} {load.oldest.pid}) has had a transaction open in"
            f" {name} for {load.oldest_s / 60:.0f} min.",
            hint="Let it end, or end it with pg_terminate_backend, and run the upgrade again.",
        )
    if load.free_connections < _CONNECTIONS_NEEDED:
        raise RefusedError(
            "refused.connections",
            f"The database server has {load.free_connections} connections left; {_CONNECTIONS_NEEDED} are needed.",
            hint="Raise max_connections, or end what holds them.",
        )
