import pytest

from orchestrator.adapters.compose.jobs import TAIL_BYTES, keep_tail


@pytest.mark.parametrize("cut", [1000, 16 * 1024, 1_000_000])
@pytest.mark.parametrize(
    ("log", "tail"),
    [
        (b"", b""),
        (b"one\ntwo\n", b"one\ntwo\n"),
        (b"x" * 2_000_000 + b"\nlast\n", b"x" * (TAIL_BYTES - 6) + b"\nlast\n"),
    ],
)
def test_the_tail_of_a_log_is_never_much_however_it_arrives(log: bytes, tail: bytes, cut: int) -> None:
    assert keep_tail(log[at : at + cut] for at in range(0, len(log), cut)) == tail
