"""Becomes the given command, after asking the kernel to kill it when the supervisor dies.

A program of its own (``python -I -S child.py SUPERVISOR_PID NICENESS COMMAND…``) and not code
between fork and exec: that place allows hardly anything in a process with threads. The request
survives exec. It is tied to the thread that made this process, so the supervisor starts its
children from its main thread.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(supervisor: int, niceness: int, command: list[str]) -> None:
    """Replace this process by the command. Ends with code 1 when the supervisor is gone already."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != supervisor:  # it died before the request above
        sys.exit(1)
    if niceness:
        os.nice(niceness)
    try:
        os.execvp(command[0], command)  # noqa: S606  the very purpose: no shell in between
    except OSError as error:
        sys.exit(f"cannot start {command[0]}: {error.strerror}")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
