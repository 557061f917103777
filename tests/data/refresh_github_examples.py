"""Fetches GitHub's published example payloads anew and writes `github_examples.json.xz` beside this file.

    python tests/data/refresh_github_examples.py [VERSION]

The examples are the npm package @octokit/webhooks-examples (MIT licence), of which the part for api.github.com is kept:
event name and payload, nothing changed. Needs `npm`; run by hand, the tests read the committed file.
"""

import json
import lzma
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

PACKAGE = "@octokit/webhooks-examples"
TARGET = Path(__file__).with_name("github_examples.json.xz")


def main(version: str) -> None:
    """Download, unpack, keep what is needed, and say how much it was."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["npm", "pack", f"{PACKAGE}@{version}", "--silent"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        [archive] = Path(folder).glob("*.tgz")
        with tarfile.open(archive) as packed:
            about = json.load(packed.extractfile("package/package.json"))  # type: ignore[arg-type]
            events = json.load(packed.extractfile("package/api.github.com/index.json"))  # type: ignore[arg-type]
    examples = [{"event": event["name"], "payload": payload} for event in events for payload in event["examples"]]
    kept = {"package": about["name"], "version": about["version"], "license": about["license"], "examples": examples}
    TARGET.write_bytes(lzma.compress(json.dumps(kept, separators=(",", ":"), ensure_ascii=False).encode(), preset=9))
    sys.stdout.write(f"{len(examples)} examples of {about['name']} {about['version']} in {TARGET.name}\n")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "latest")
