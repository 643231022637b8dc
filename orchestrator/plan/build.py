"""Build a `Plan` from the tree of a document, and report all its problems at once."""

from collections.abc import Mapping
from pathlib import Path

from orchestrator.core.errors import InvariantError
from orchestrator.core.state_kind import Kinds
from orchestrator.plan.forms import PlanForm, read_form
from orchestrator.plan.schema import Plan
from orchestrator.plan.standard import STANDARD_INITIAL, build_standard_states
from orchestrator.plan.states import States, read_states
from orchestrator.plan.structure import check_gate_opens, check_graph
from orchestrator.plan.tree import Entry, Node, Problems, build_node, suggest


def build_plan(tree: Node, source: Path, text: str, kinds: Kinds, problems: Problems) -> Plan:
    """Build the plan of a tree. Raises `PlanError`, ``plan.invalid``, with all problems, those in ``problems`` too."""
    if not isinstance(tree.value, Mapping):
        problems.add(tree.position, (), "a plan is a mapping that begins with `plan: 1`")
        problems.raise_if_any(source)
    folder = source.absolute().parent
    standard = not {"initial", "states"} & tree.entries.keys()
    if standard:
        tree = _with_standard_machine(tree)
    # The states are read one by one, so that a mistake in one hides none in another.
    form = read_form(PlanForm, tree.without("states"), (), problems, folder)
    states = read_states(tree.entries.get("states"), kinds, problems, folder)
    initial = _check_initial(tree, states, problems)
    if states.sound:
        check_gate_opens(tree.entries["states"].node, states, kinds, problems)
    _check_database(tree, states, kinds, problems, standard=standard)
    problems.raise_if_any(source)
    if form is None or initial is None:
        raise InvariantError("internal.plan_without_form", f"The plan {source} was refused without a reason.")
    return Plan(
        name=form.name,
        target=form.target,
        database=form.database,
        releases=form.releases,
        backups=form.backups,
        journal_directory=form.journal.directory if form.journal else form.target.project / ".orchestrator",
        initial=initial,
        states=states.states,
        ends=states.ends,
        source=source,
        text=text,
        maintenance_window_s=form.maintenance_window_s,
        notify=form.notify,
        metrics=form.metrics,
    )


def _with_standard_machine(tree: Node) -> Node:
    place = tree.position
    machine = {
        "initial": Entry(place, build_node(STANDARD_INITIAL, place)),
        "states": Entry(place, build_node(build_standard_states(), place)),
    }
    return Node(place, {**tree.entries, **machine})


def _check_initial(tree: Node, states: States, problems: Problems) -> str | None:
    written = tree.entries.get("states")
    names = written.node.entries if written else {}
    initial = tree.entries.get("initial")
    if written is None or not names:
        text = "the machine has no states; write them, or leave out `initial` too for the standard machine (G1)"
        problems.add(tree.find(("states",))[0], ("states",), text)
        return None
    if initial is None:
        problems.add(written.position, ("initial",), "`initial` is missing: which state does a run begin with? (G1)")
        return None
    word = initial.node.value
    if not isinstance(word, str) or word not in names:
        problems.add(initial.node.position, ("initial",), f"there is no state `{word}`{suggest(str(word), names)} (G1)")
        return None
    if word in states.ends:
        problems.add(initial.node.position, ("initial",), f"`{word}` is an end; a run begins with a state (G1)")
    elif states.sound:
        check_graph(written.node, word, states, problems)
    return word


def _check_database(tree: Node, states: States, kinds: Kinds, problems: Problems, *, standard: bool) -> None:
    needing = [state for state in states.states.values() if kinds[state.kind].needs_database]
    if not needing or ("database" in tree.entries and tree.entries["database"].node.value is not None):
        return
    if standard:
        names = ", ".join(f"`{state.name}`" for state in needing)
        text = (
            f"a plan without `states` gets the standard machine, which needs a database ({names}), and this plan "
            "names none; add `database:`, or write `initial` and `states` for an app without one"
        )
        problems.add(tree.position, (), text)
        return
    for state in needing:
        key_path = ("states", state.name, "kind")
        text = f"`{state.kind}` needs a database and the plan names none; add `database:` or leave the state out"
        problems.add(tree.find(key_path)[1].position, key_path, text)
