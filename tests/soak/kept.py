"""Which databases beside the live one the runs so far have to have left, from what they have reported."""

from collections.abc import Mapping

from tests.soak.rounds import Kind, Step

COMMITTED = "committed"


class Kept:
    """``must`` be on the server; what ``may`` be there is what a cleanup that was disturbed did not get to.

    ``way_back`` is where a rollback on request finds the data of before.
    """

    def __init__(self) -> None:
        self.must: set[str] = set()
        self.may: set[str] = set()
        self.way_back = ""

    def note(self, step: Step, document: Mapping[str, object]) -> None:
        """Learn from the report of a run. A good upgrade lets go of all snapshots but its own; going back uses that."""
        snapshot, committed = document["snapshot"], document["verdict"] == COMMITTED
        if step.kind is Kind.UPGRADE and committed:
            self.may = set() if _has_cleaned(document) else self.must | self.may
            self.must, self.way_back = set(), str(snapshot)
        if step.kind is Kind.ROLLBACK and (committed or document["quarantine"]):
            self.must.discard(self.way_back)
        if step.kind is Kind.ROLLBACK and not committed:
            self._follow(document)
        if snapshot:
            self.must.add(str(snapshot))

    # What was swapped in and taken back is in the quarantine then, and the next rollback finds it there.
    def _follow(self, document: Mapping[str, object]) -> None:
        names = document["quarantine"]
        assert isinstance(names, list)
        for name in names:
            self.way_back = str(name)
            self.must.add(self.way_back)


def _has_cleaned(document: Mapping[str, object]) -> bool:
    states = document["states"]
    assert isinstance(states, list)
    outcomes = [line["outcome"] for line in states if line["kind"] == "cleanup"]
    return outcomes[-1:] == ["done"]
