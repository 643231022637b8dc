"""Exit status 0 when the ledger in this container is healthy; the image has no curl."""

import os
import sys
import urllib.error
import urllib.request

TIMEOUT_S = 5


def main() -> int:
    """Ask the application on loopback; 1 and its reason on stdout when it is not healthy."""
    url = f"http://127.0.0.1:{os.environ.get('PORT', '5100')}/api/health"
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S):
            return 0
    except urllib.error.HTTPError as error:
        print(error.read(1000).decode(errors="replace").strip())
    except OSError as error:
        print(error)
    return 1


if __name__ == "__main__":
    sys.exit(main())
