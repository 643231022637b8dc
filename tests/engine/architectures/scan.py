"""Says what is in a file tree, in the words that BuildKit asks makers of SBOMs for.

The protocol: https://github.com/moby/buildkit/blob/master/docs/attestations/sbom-protocol.md
"""

import json
import os
import subprocess
from pathlib import Path

source = Path(os.environ["BUILDKIT_SCAN_SOURCE"])
destination = Path(os.environ["BUILDKIT_SCAN_DESTINATION"])

found = subprocess.run(
    ["syft", "scan", f"dir:{source}", "--quiet", "--output", "spdx-json"],
    env={**os.environ, "HOME": "/tmp", "SYFT_CHECK_FOR_APP_UPDATE": "false"},
    stdout=subprocess.PIPE,
    check=True,
)
statement = {
    "_type": "https://in-toto.io/Statement/v0.1",
    "predicateType": "https://spdx.dev/Document",
    "predicate": json.loads(found.stdout),
}
(destination / f"{source.name}.spdx.json").write_text(json.dumps(statement), encoding="utf-8")
