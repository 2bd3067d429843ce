"""Runs a command for as long as the process that asked for it lives: `python -m ... COMMAND`.

A job that is killed with SIGKILL can stop nothing; this process sees that it is gone and ends the
command with all that it has started. It leads a process group of its own.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

LOOK_EVERY_S = 0.25
GRACE_S = 5.0


def main(command: list[str], parent: int) -> int:
    """Run a command to its end, or to that of the parent; return its exit code."""
    signal.signal(signal.SIGTERM, lambda *_: None)  # the whole group gets it: first the command
    child = subprocess.Popen(command)
    while child.poll() is None:
        if os.getppid() != parent:
            os.killpg(0, signal.SIGTERM)
            time.sleep(GRACE_S)
            os.killpg(0, signal.SIGKILL)
        time.sleep(LOOK_EVERY_S)
    return child.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[2:], int(sys.argv[1])))
