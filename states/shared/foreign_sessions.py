"""Who else is connected to the database, each named as an operator knows it: by service and container."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from orchestrator.core.foresight import Neighbourhood, Peer
from orchestrator.core.model.stores import Session


@dataclass(frozen=True)
class Strangers:
    """Tells sessions apart. ``welcome`` are the services whose sessions may be there."""

    around: Neighbourhood
    welcome: Collection[str]

    def find_own(self, sessions: Sequence[Session]) -> list[Session]:
        """Those that come from a container of the welcome services."""
        return [one for one in sessions if one.address in self._own_addresses]

    def find_foreign(self, sessions: Sequence[Session]) -> list[Session]:
        """Those that certainly are of somebody else."""
        return [one for one in sessions if not self._may_be_own(one)]

    def find_doubtful(self, sessions: Sequence[Session]) -> list[Session]:
        """Those that come through the host, as the app itself may do."""
        own = self.find_own(sessions)
        return [one for one in sessions if one not in own and self._may_be_own(one)]

    def find_peer(self, session: Session) -> Peer:
        """Whose a session is, as far as its address tells."""
        if session.process:
            return Peer(
                name=f"the server's own process {session.process!r}",
                cure="Switch off what runs it in this database for the time of the upgrade.",
            )
        if not session.address or session.address in self.around.inside.addresses:
            return self.around.inside
        found = next((peer for peer in self.around.peers if session.address in peer.addresses), None)
        if found is not None:
            return found
        if session.address in self.around.gateways:
            return self.around.outside
        return self.around.outside.model_copy(update={"name": f"somebody at {session.address}"})

    def tell(self, session: Session) -> str:
        """Who it is, for a sentence."""
        role = f" as {session.user}" if session.user else ""
        return f"{self.find_peer(session).name}{role} ({session.application or 'pid'} {session.pid})"

    @property
    def _own_peers(self) -> list[Peer]:
        return [peer for peer in self.around.peers if peer.service in self.welcome]

    @property
    def _own_addresses(self) -> set[str]:
        return {address for peer in self._own_peers for address in peer.addresses}

    # The app may go through the host itself, unless it is seen to go straight.
    def _may_be_own(self, session: Session) -> bool:
        if session.process:
            return False
        if session.address in self._own_addresses:
            return True
        through_host = any(peer.on_host_network for peer in self._own_peers)
        if session.address in self.around.gateways:
            return through_host or not any(peer.names_it for peer in self._own_peers)
        return through_host and session.address in self.around.inside.addresses
