"""What a person reads, at its edges."""

import click
import pytest

from orchestrator.render import render_dry_run
from orchestrator.service import DryState


@pytest.mark.parametrize("width", [60, 66, 67, 68, 78, 80])
def test_a_dry_run_keeps_a_long_name_whole_and_within_80_columns(width: int) -> None:
    name = "n" * width
    told = click.unstyle(render_dry_run([DryState("prefetch", "pull", (f"download {name} now",), name)])).splitlines()
    assert max(map(len, told)) <= 80
    assert sum(name in line for line in told) == 2
    assert told[0].startswith("  prefetch")
