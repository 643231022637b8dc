"""Whether users can be kept out while the new version is judged."""

from typing import Any

from orchestrator.core.errors import RefusedError
from orchestrator.core.facts import FrozenProject
from orchestrator.core.state_kind import StateContext
from states.shared.checks.surroundings import Surroundings

_ANSWER_TIMEOUT_S = 5.0


# Tried on the version that runs: behind the gate a health that cannot be asked would look like an app that is ill.
def check_gate(around: Surroundings) -> None:
    """Users can be kept out, and the app can be asked all the same."""
    ctx = around.ctx
    project = ctx.find(FrozenProject)
    if not ctx.gated or project is None:
        return
    ctx.ports.workloads.check_gate(project, ctx.target.services)
    if ctx.target.health.url is not None:
        _ask_past_gate(ctx, _find_past_gate(ctx, project, ctx.target.health.url), ctx.target.health.url)
        _ask_as_users(ctx, ctx.target.health.url)
    if ctx.target.health.version_url is not None:  # not asked: the version that runs may not have it yet
        _find_past_gate(ctx, project, ctx.target.health.version_url)


def _find_past_gate(ctx: StateContext[Any], project: FrozenProject, url: str) -> str:
    found = ctx.ports.workloads.find_private_url(project, url, ctx.target.services)
    if found is None:
        raise _no_gate(
            f"none of the services publishes the port of {url} over plain http, and they have not one port alone to"
            " which a proxy in front of them could lead"
        )
    return found


# In the name of the address that users ask at: some apps answer to that alone.
def _ask_past_gate(ctx: StateContext[Any], url: str, asked: str) -> None:
    answer = ctx.ports.probe.get(url, timeout_s=_ANSWER_TIMEOUT_S, asked=asked)
    if answer.status not in range(200, 300):
        said = answer.error if answer.status is None else f"status {answer.status}"
        raise _no_gate(f"asked for {asked} at its own address {url}, the version that runs answers with {said}")


# Once the gate is open, the new version is asked there, and then there is no way back any more.
def _ask_as_users(ctx: StateContext[Any], url: str) -> None:
    answer = ctx.ports.probe.get(url, timeout_s=_ANSWER_TIMEOUT_S)
    if answer.status not in range(200, 300):
        said = answer.error if answer.status is None else f"status {answer.status}"
        raise _no_gate(f"asked at {url}, where its users ask, the version that runs answers with {said}")


def _no_gate(why: str) -> RefusedError:
    return RefusedError(
        "refused.gate",
        f"Nobody could tell behind a closed gate whether the new version is healthy: {why}.",
        hint="Correct the addresses under `target: health:`, or write `gate: open` under `with:` of the start state.",
    )
