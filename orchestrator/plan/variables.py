"""Replace ``${NAME}`` in a plan with values of the project's ``.env``, so that they need not be written twice."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from orchestrator.plan.load import read_tree
from orchestrator.plan.schema import HealthSpec, Plan, ReleasesSpec, TargetSpec, check_image, check_url
from orchestrator.plan.tree import KeyPath, Problems, suggest

_VARIABLE = re.compile(r"\$\{([^}]*)\}?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def resolve_variables(plan: Plan, environment: Mapping[str, str]) -> Plan:
    """Return the plan with ``${NAME}`` replaced in the image, the health and release addresses and the repository.

    ``environment`` holds the project's ``.env``; the environment of this process plays no part.

    Raises:
        PlanError: ``plan.invalid``: a variable is missing or empty, or the result has not the right form.
    """
    resolver = _Resolver(plan, environment, Problems())
    target, releases = resolver.target(plan.target), resolver.releases(plan.releases)
    resolver.problems.raise_if_any(plan.source)
    return replace(plan, target=target, releases=releases)


@dataclass(frozen=True)
class _Resolver:
    plan: Plan
    environment: Mapping[str, str]
    problems: Problems

    def target(self, target: TargetSpec) -> TargetSpec:
        image = self._replace(target.image, ("target", "image"), check_image)
        return target.model_copy(update={"image": image, "health": self._health(target.health)})

    def releases(self, releases: ReleasesSpec) -> ReleasesSpec:
        url = self._replace(releases.url, ("releases", "url"), check_url)
        repository = self._replace(releases.repository, ("releases", "repository"), str)
        return releases.model_copy(update={"url": url, "repository": repository})

    def _health(self, health: HealthSpec) -> HealthSpec:
        update: dict[str, object] = {"url": self._replace(health.url, ("target", "health", "url"), check_url)}
        if health.version is not None:
            url = self._replace(health.version.url, ("target", "health", "version", "url"), check_url)
            update["version"] = health.version.model_copy(update={"url": url})
        return health.model_copy(update=update)

    def _replace(self, text: str | None, key_path: KeyPath, check: Callable[[str], str]) -> str | None:
        if text is None or "${" not in text:
            return text
        mistakes = [mistake for match in _VARIABLE.finditer(text) if (mistake := self._find_mistake(match))]
        for mistake in mistakes:
            self._add(key_path, mistake)
        if mistakes:
            return text
        resolved = _VARIABLE.sub(lambda match: self.environment[match[1]], text)
        try:
            return check(resolved)
        except ValueError as error:
            self._add(key_path, f"with its variables replaced: {error}")
            return text

    def _find_mistake(self, match: re.Match[str]) -> str:
        name = match[1]
        if not match[0].endswith("}") or not _NAME.fullmatch(name):
            return f"`{match[0]}` is no variable; write `${{NAME}}`, without defaults or conditions"
        if name not in self.environment:
            return f"the project's .env has no `{name}`{suggest(name, self.environment)}"
        return "" if self.environment[name] else f"`{name}` is empty in the project's .env; give it a value"

    def _add(self, key_path: KeyPath, text: str) -> None:
        tree = read_tree(self.plan.text, self.plan.source, Problems())
        self.problems.add(tree.find(key_path)[1].position, key_path, text)
