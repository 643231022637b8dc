"""The plan of a command: where it is found, and whose files are obeyed for it."""

import os
from pathlib import Path

import click

_NAMED = "orchestrator.trusted-owners"
_DEFAULT_PLANS = ("upgrade.yaml", "plans/upgrade.yaml")


def _trust(context: click.Context, parameter: click.Parameter, names: tuple[str, ...]) -> None:
    from orchestrator.core.accounts import find_user
    from orchestrator.core.trust import TRUST

    for name in names:
        try:
            user = find_user(name)
        except KeyError:
            raise click.BadParameter(f"there is no user {name!r} on this host", context, parameter) from None
        TRUST.accept(user)
        if context.get_parameter_source(str(parameter.name)) is click.core.ParameterSource.COMMANDLINE:
            context.find_root().meta.setdefault(_NAMED, set()).add(user)


trust_option = click.option(
    "--trust-owner",
    metavar="USER",
    multiple=True,
    expose_value=False,
    callback=_trust,
    envvar="ORCHESTRATOR_TRUST_OWNER",
    help="Obey files of this user too, now and later: a plan can run programs as you.",
)


def find_plan(plan: Path | None) -> Path:
    """Return the plan that was named, or the first of the default places that exists. Raises `UsageError`."""
    from orchestrator.core.errors import UsageError

    if plan is not None:
        remember_trusted(plan)
        return plan
    named = os.environ.get("ORCHESTRATOR_PLAN")
    found = Path(named) if named else next((Path(p) for p in _DEFAULT_PLANS if Path(p).is_file()), None)
    if found is None:
        raise UsageError(
            "usage.no_plan",
            f"No plan was named, and neither {' nor '.join(_DEFAULT_PLANS)} is here.",
            impact="Nothing was touched.",
            hint="Name it: `orchestrator run plans/upgrade.yaml`, or set ORCHESTRATOR_PLAN.",
        )
    remember_trusted(found)
    return found


# Recorded, because the unit that runs `recover` as the host boots has no option to say it again.
def remember_trusted(plan: Path) -> None:
    """Record the owners that ``--trust-owner`` named for this plan, and say so once."""
    context = click.get_current_context(silent=True)
    named = context.find_root().meta.get(_NAMED) if context else None
    if not named or not plan.is_file():
        return
    from orchestrator.core.accounts import find_name
    from orchestrator.journal.file_permissions import read_trusted_owners, record_trusted_owners

    if named <= read_trusted_owners(plan):
        return
    users = ", ".join(map(find_name, sorted(named)))
    try:
        place = record_trusted_owners(plan, named)
        click.echo(f"note: files of {users} are obeyed for {plan} from now on; deleting {place} ends that.", err=True)
    except OSError as error:
        click.echo(f"note: files of {users} are obeyed this time only: {error}.", err=True)
