"""The command line that builds a release of the ledger."""

from pathlib import Path

from deploy.demo.images import DOCKERFILE, build_command


def test_a_build_has_no_network_and_takes_its_wheels_from_the_host() -> None:
    argv = build_command(
        "127.0.0.1:5000/ledger:v1.1.0",
        target="app",
        contexts={"wheels": Path("/cache/wheels")},
        arguments={"VERSION": "1.1.0", "RELEASE": "1.1.0"},
        labels={"upgrade-orchestrator.bed": "bed-1"},
    )
    assert argv[:3] == ["docker", "buildx", "build"]
    assert argv[-1] == str(DOCKERFILE.parents[1])
    for option, value in [
        ("--network", "none"),
        ("--target", "app"),
        ("--build-context", "wheels=/cache/wheels"),
        ("--tag", "127.0.0.1:5000/ledger:v1.1.0"),
        ("--label", "upgrade-orchestrator.bed=bed-1"),
    ]:
        assert argv[argv.index(option) + 1] == value
