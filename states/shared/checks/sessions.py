"""Who is connected to the server: to the app's database beside the app, and the app beside its database."""

from collections.abc import Sequence

from orchestrator.core.errors import DeadlineExceededError
from orchestrator.core.foresight import Obstacle
from orchestrator.core.model.stores import Session
from orchestrator.core.ports.data_store import GRACE_S
from states.shared.checks.surroundings import StoreSurroundings
from states.shared.foreign_sessions import Strangers

_POLL_S = 1.0


def check_sessions(around: StoreSurroundings) -> Sequence[Obstacle]:
    """Nobody but the app and those whom the plan lets us disconnect stays connected to the database."""
    ctx, name = around.ctx, around.facts.name
    allowed = (*ctx.target.services, *ctx.target.disconnect)
    strangers = Strangers(around.neighbourhood, allowed)
    foreign, lasting = _await_strangers(around, strangers, name)
    if lasting:
        peers = {strangers.find_peer(one).cure: None for one in lasting}
        listed = ", ".join(strangers.tell(one) for one in lasting)
        verb = "is" if len(lasting) == 1 else "are"
        return [
            Obstacle(
                code="refused.in_use",
                what=f"Beside the app, {listed} {verb} connected to {name} and would keep it from being copied.",
                hint=" ".join(peers),
            )
        ]
    doubts = [
        Obstacle(
            code="refused.in_use",
            what=f"{listed} may be the app, or somebody else who is connected to {name} and would have to leave.",
            blocks=False,
        )
        for listed in [", ".join(strangers.tell(one) for one in strangers.find_doubtful(_of(around, name)))]
        if listed
    ]
    there = {strangers.find_peer(one).name for one in foreign}
    passing = [
        peer.name
        for peer in strangers.around.peers
        if (peer.names_it or peer.name in there) and peer.service not in allowed
    ]
    if passing:
        doubts.append(
            Obstacle(
                code="refused.in_use",
                what=f"{', '.join(passing)} may connect to the database server, too, and will not get into {name} from"
                " the stop to the end of the upgrade.",
                blocks=False,
            )
        )
    return doubts


def check_other_databases(around: StoreSurroundings) -> Sequence[Obstacle]:
    """The app is connected to the database that the plan names, and to no other."""
    name = around.facts.name
    app = Strangers(around.neighbourhood, around.ctx.target.services)
    own = app.find_own(around.connections)
    others = sorted({one.database for one in own} - {name, *_MAINTENANCE})
    if not others:
        return ()
    who = sorted({app.find_peer(one).name for one in own if one.database in others})
    both = any(one.database == name for one in own)
    listed = " and ".join(others)
    what = f"{' and '.join(who)} is connected to {listed}, and the plan names the database {name}"
    if both:
        return [
            Obstacle(
                code="refused.other_database",
                what=f"{what} alone: what the app keeps in {listed} would be in no backup and would not go back.",
                hint="Have the app keep its data in one database; an upgrade takes one back.",
            )
        ]
    return [
        Obstacle(
            code="refused.other_database",
            what=f"{what}: the backup and the way back would be those of a database that the app does not use.",
            hint=f"Write `name: {others[0]}` under `database:` in the plan.",
        )
    ]


# Databases that clients ask for names and versions, and keep nothing in.
_MAINTENANCE = frozenset({"postgres", "template1"})


# Sessions that end within the time that the fence gives are in nobody's way, and neither are short ones.
def _await_strangers(around: StoreSurroundings, strangers: Strangers, name: str) -> tuple[list[Session], list[Session]]:
    patience = around.ctx.deadline.sooner(GRACE_S)
    first = strangers.find_foreign(_of(around, name))
    staying = first
    while staying and not all(one.age_s >= GRACE_S for one in staying):
        try:
            patience.pause(_POLL_S)
        except DeadlineExceededError:
            around.ctx.deadline.check()
            break
        around.forget_connections()
        pids = {one.pid for one in staying}
        staying = [one for one in strangers.find_foreign(_of(around, name)) if one.pid in pids]
    return first, [one for one in staying if one.age_s >= GRACE_S]


def _of(around: StoreSurroundings, name: str) -> list[Session]:
    return [one for one in around.connections if one.database == name]
