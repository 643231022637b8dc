"""Check the states of a plan, each by itself: its kind, its outcomes, its deadline and its options."""

import keyword
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from orchestrator.core.model.verdict import Verdict
from orchestrator.core.state_kind import EXHAUSTED, FAILED, INTERRUPTED, TIMEOUT, Kind, Kinds
from orchestrator.plan.durations import format_duration
from orchestrator.plan.forms import EndForm, StateForm, read_form
from orchestrator.plan.schema import COMMON_OUTCOMES, StateSpec
from orchestrator.plan.tree import Entry, KeyPath, Node, Position, Problems, build_node, suggest

MAX_TIMEOUT_S: Final = 24 * 3600.0

# Words that the state machine library gives a meaning of its own, as names or as the beginning of names.
_STATE_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}", re.ASCII)
_RESERVED: Final = frozenset({"state", "states", "trigger", "initial", "model", "models", "machine", "events"})
_RESERVED_BEGINNINGS: Final = ("is_", "to_", "may_", "on_enter_", "on_exit_")


@dataclass
class States:
    """The states that could be read. ``sound``: no problem was found, so that they can be checked as a graph."""

    states: dict[str, StateSpec] = field(default_factory=dict)
    ends: dict[str, Verdict] = field(default_factory=dict)
    sound: bool = True


def read_states(states: Entry | None, kinds: Kinds, problems: Problems, folder: Path) -> States:
    """Read every state and end of a plan; a state with a problem is left out, and the problem is added."""
    if states is None:
        return States(sound=False)
    before = len(problems.found)
    reader = _Reader(kinds, problems, folder, frozenset(states.node.entries))
    found = States()
    for name, entry in states.node.entries.items():
        reader.check_name(name, entry.position)
        if "end" in entry.node.entries:
            end = read_form(EndForm, entry.node, ("states", name), problems, folder)
            found.ends |= {name: Verdict(end.end)} if end else {}
        else:
            state = reader.read(name, entry)
            found.states |= {name: state} if state else {}
    found.sound = len(problems.found) == before
    return found


@dataclass(frozen=True)
class _Reader:
    kinds: Kinds
    problems: Problems
    folder: Path
    names: frozenset[str]

    def check_name(self, name: str, position: Position) -> None:
        key_path = ("states", name)
        if not _STATE_NAME.fullmatch(name):
            text = "a state's name is small letters, digits and `_`, begins with a letter and has at most 63"
            self.problems.add(position, key_path, text)
        elif keyword.iskeyword(name) or name in _RESERVED or name.startswith(_RESERVED_BEGINNINGS):
            self.problems.add(position, key_path, f"`{name}` is a reserved word; give the state another name")

    def read(self, name: str, entry: Entry) -> StateSpec | None:
        node, key_path = entry.node, ("states", name)
        if not isinstance(node.value, Mapping):
            self.problems.add(node.position, key_path, "a state is `{kind: …, then: {…}}` and an end is `{end: …}`")
            return None
        kind = self._find_kind(node, key_path)
        form = read_form(StateForm, node, key_path, self.problems, self.folder)
        if kind is not None and "then" in node.entries and isinstance(node.entries["then"].node.value, Mapping):
            self._check_then(node, kind, key_path)
        options = self._read_options(entry, kind, key_path)
        if kind is None or form is None or options is None:
            return None
        timeout_s = kind.timeout_s if form.timeout_s is None else form.timeout_s
        self._check_timeout(timeout_s, node, key_path)
        return StateSpec(
            name=name,
            kind=kind.kind,
            then={**form.then, TIMEOUT: form.then.get(TIMEOUT, form.then.get(FAILED, ""))},
            interrupted=form.then.get(INTERRUPTED),
            timeout_s=timeout_s,
            attempts=form.attempts,
            options=options,
            former_kind=form.kind if form.kind != kind.kind else "",
        )

    def _find_kind(self, node: Node, key_path: KeyPath) -> Kind | None:
        entry = node.entries.get("kind")
        if entry is None or not isinstance(entry.node.value, str):
            return None  # the form says that it is missing or no text
        word = entry.node.value
        if word not in self.kinds:
            self.problems.add(
                entry.node.position, (*key_path, "kind"), f"there is no kind `{word}`{suggest(word, self.kinds)}"
            )
        return self.kinds.get(word)

    def _check_then(self, node: Node, kind: Kind, key_path: KeyPath) -> None:
        then = node.entries["then"]
        key_path = (*key_path, "then")
        allowed = {*kind.outcomes, TIMEOUT, INTERRUPTED} | ({EXHAUSTED} & {*kind.outcomes})
        if "attempts" in node.entries:
            allowed.add(EXHAUSTED)
        for outcome, target in then.node.entries.items():
            if outcome == EXHAUSTED and outcome not in allowed:
                text = "`exhausted` needs `attempts: N` beside `then`, or it can never be (G7)"
                self.problems.add(target.position, (*key_path, outcome), text)
            elif outcome not in allowed:
                text = f"`{kind.kind}` has no outcome `{outcome}`{suggest(outcome, allowed)} (G2)"
                self.problems.add(target.position, (*key_path, outcome), text)
            word = target.node.value
            if isinstance(word, str) and word not in self.names:
                text = f"there is no state `{word}`{suggest(word, self.names)} (G1)"
                self.problems.add(target.node.position, (*key_path, outcome), text)
        self._check_completeness(node, kind, then, key_path)

    def _check_completeness(self, node: Node, kind: Kind, then: Entry, key_path: KeyPath) -> None:
        written = then.node.entries
        for outcome, impact in kind.outcomes.items():
            if outcome not in written:
                text = f"the outcome `{outcome}` ({impact}) leads nowhere; write `{outcome}: …` (G2)"
                self.problems.add(then.position, key_path, text)
        if FAILED not in kind.outcomes and TIMEOUT not in written:
            text = f"`{kind.kind}` has no `failed` that `timeout` could follow; write `timeout: …` (G2)"
            self.problems.add(then.position, key_path, text)
        if "attempts" in node.entries and EXHAUSTED not in written:
            text = f"`attempts` needs `exhausted: …` ({COMMON_OUTCOMES[EXHAUSTED]}) (G7)"
            self.problems.add(then.position, key_path, text)

    def _check_timeout(self, timeout_s: float, node: Node, key_path: KeyPath) -> None:
        if not 0 < timeout_s <= MAX_TIMEOUT_S:
            text = f"a deadline of {format_duration(timeout_s)} is not between 1ms and 24h (G10)"
            self.problems.add(node.find(("timeout",))[1].position, (*key_path, "timeout"), text)

    def _read_options(self, entry: Entry, kind: Kind | None, key_path: KeyPath) -> BaseModel | None:
        if kind is None:
            return None
        written = entry.node.entries.get("with")
        if written is not None and not isinstance(written.node.value, Mapping | None):
            return None  # the form says that it is no mapping
        node = written.node if written and written.node.value is not None else build_node({}, entry.position)
        return read_form(kind.Options, node, (*key_path, "with"), self.problems, self.folder)
