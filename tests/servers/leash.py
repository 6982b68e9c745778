"""Runs a command that dies with the process that started it: PR_SET_PDEATHSIG (prctl(2)), then exec.

Called as a script: `python -I -S leash.py PARENT SIGNAL USER COMMAND…`, USER being "-" for no change.
A script of its own rather than a `preexec_fn`: that is unsafe (and warned of) where threads run. The
user is changed here, before prctl, because a change of credentials clears the death signal.
"""

from __future__ import annotations

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def become(name: str) -> None:
    """Gives up root for good: that user, its main group and no other groups."""
    import pwd

    entry = pwd.getpwnam(name)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    os.environ.update(HOME=entry.pw_dir, USER=name, LOGNAME=name)


def main() -> None:
    parent, signal, user, *command = sys.argv[1:]
    if user != "-":
        become(user)
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(signal), 0, 0, 0)
    if os.getppid() != int(parent):
        sys.exit("leash: the parent was gone before the command could start")
    # By its full path: Python's own modules may be closed to the new user.
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
