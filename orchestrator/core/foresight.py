"""Values of the checks that look ahead, before anything is touched."""

from orchestrator.core.model.base import FrozenModel


class Peer(FrozenModel):
    """A running container that may be connected to the database, as an operator knows it.

    ``name`` and ``cure`` are words for a sentence. ``service`` is empty where it is none of the project's, or a
    one-off. ``names_it``: its settings name the database's service, so that it may connect when nobody looks.
    """

    name: str
    cure: str
    service: str = ""
    addresses: tuple[str, ...] = ()
    on_host_network: bool = False
    names_it: bool = False


class Neighbourhood(FrozenModel):
    """Who can be connected to the server of a service.

    ``inside`` is the peer for what has no address of its own: a program in the server's container. From
    ``gateways`` comes what is no container, ``outside``: a program of the host, or somebody at a published port.
    """

    inside: Peer
    outside: Peer
    peers: tuple[Peer, ...] = ()
    gateways: tuple[str, ...] = ()


class PlannedCommand(FrozenModel):
    """A program that a plan names. ``place`` is where in the plan, ``service`` is None for one on the host.

    ``migrates``: it is the new version's migration, so that it must be in an image of the release.
    """

    place: str
    service: str | None
    argv: tuple[str, ...]
    migrates: bool = False


class Obstacle(FrozenModel):
    """Something in the way of an upgrade, found before anything was touched, and what to do about it.

    ``blocks``: an upgrade would fail of it; otherwise an operator should know it.
    """

    code: str
    what: str
    hint: str = ""
    blocks: bool = True


class PlannedUse(FrozenModel):
    """The parts of a project that a plan uses, to be looked up before anything is touched.

    ``named``: place in the plan → services that it names there. ``pin`` is the version that it is to become.
    ``rehearsed``: the app is to be tried on a stage.
    """

    named: dict[str, tuple[str, ...]]
    commands: tuple[PlannedCommand, ...]
    pin: str
    rehearsed: bool = False
