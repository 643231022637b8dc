"""Script the faults of a test, and trace the effects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

When = Literal["before", "after"]


class Call(NamedTuple):
    """One effect: the port and method (``database.copy``) and its telling arguments."""

    method: str
    arguments: tuple[str, ...] = ()


@dataclass
class _Planned:
    method: str
    happening: Callable[[], object]
    when: When
    times: int


class Killed(BaseException):
    """SIGKILL: nobody handles it, and what would tidy up afterwards finds that nothing works any more."""


@dataclass
class Script:
    """Traces effects in order and lets planned things happen around calls.

    An effect is traced as it is asked for, so one that fails is in the trace too.
    """

    calls: list[Call] = field(default_factory=list)
    looks: list[str] = field(default_factory=list)
    _plans: list[_Planned] = field(default_factory=list)
    _at_effects: dict[tuple[int, When], Callable[[], object]] = field(default_factory=dict)
    _at_looks: dict[int, Callable[[], object]] = field(default_factory=dict)
    _refusals: dict[str, Exception] = field(default_factory=dict)
    _dead: bool = False

    def fail(self, method: str, error: BaseException, *, times: int = 1, when: When = "before") -> None:
        """Let the next calls of a method raise; ``after`` does the work first, as when the answer is lost."""

        def raise_it() -> None:
            raise error

        self.happen(method, raise_it, times=times, when=when)

    def happen(self, method: str, happening: Callable[[], object], *, times: int = 1, when: When = "before") -> None:
        """Let something happen around the next calls of a method."""
        self._plans.append(_Planned(method, happening, when, times))

    def refuse(self, methods: Iterable[str], error: Exception) -> None:
        """Let every call of these methods raise until `allow`; ``database.`` is all methods that begin so."""
        self._refusals.update(dict.fromkeys(methods, error))

    def allow(self, methods: Iterable[str]) -> None:
        """End what `refuse` began with the same methods; repeating is harmless."""
        for method in methods:
            self._refusals.pop(method, None)

    @contextmanager
    def effect(self, method: str, *arguments: str) -> Iterator[None]:
        """Around everything that changes the world."""
        number = len(self.calls)
        self._reach(self._at_effects.get((number, "before")))
        self.calls.append(Call(method, arguments))
        self._meet(method, "before")
        yield
        self._meet(method, "after")
        self._reach(self._at_effects.get((number, "after")))

    def look(self, method: str) -> None:
        """At the beginning of everything that only reads."""
        self._reach(self._at_looks.get(len(self.looks)))
        self.looks.append(method)
        self._meet(method, "before")

    def chain(self) -> list[str]:
        """The effects' names alone, in order."""
        return [call.method for call in self.calls]

    def die_at(self, number: int, when: When) -> None:
        """Let the process be killed around the effect with this number, counted from 0: nothing works after it."""
        self.at_effect(number, when, self.kill)

    def at_effect(self, number: int, when: When, happening: Callable[[], object]) -> None:
        """Let something happen around the effect with this number, counted from 0."""
        self._at_effects[len(self.calls) + number, when] = happening

    def at_look(self, number: int, happening: Callable[[], object]) -> None:
        """Let something happen at the look with this number, counted from 0."""
        self._at_looks[len(self.looks) + number] = happening

    def kill(self) -> None:
        """End the process here and now; nothing works after it."""
        self._dead = True
        raise Killed

    def revive(self) -> None:
        """Another process looks at the same world."""
        self._at_effects.clear()
        self._at_looks.clear()
        self._dead = False

    def _reach(self, happening: Callable[[], object] | None) -> None:
        if self._dead:
            raise Killed
        if happening is not None:
            happening()

    def _meet(self, method: str, when: When) -> None:
        for refused, error in self._refusals.items():
            if when == "before" and (method == refused or (refused.endswith(".") and method.startswith(refused))):
                raise error
        due = [plan for plan in self._plans if plan.method == method and plan.when == when and plan.times > 0]
        for plan in due:
            plan.times -= 1
            plan.happening()


@dataclass
class StagedScript(Script):
    """What is done on a stage, traced and planned as ``stage.…`` in the script of the world around it."""

    around: Script = field(default_factory=Script)

    @contextmanager
    def effect(self, method: str, *arguments: str) -> Iterator[None]:
        with self.around.effect(f"stage.{method}", *arguments):
            yield

    def look(self, method: str) -> None:
        self.around.look(f"stage.{method}")
