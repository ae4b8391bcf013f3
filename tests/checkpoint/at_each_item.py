"""Runs a program as `python3 PROGRAM WORDS...` does, with DIE_AT=1, 2, ... 100 in turn, and says how many were killed.

Each run is a fork of this process: a hundred starts of Python take longer than the hundred programs.
"""

import os
import runpy
import sys

# For the forks, which would import it one by one.
import split_checkpoint  # noqa: F401

sys.argv = sys.argv[1:]
killed = 0
for item in range(1, 101):
    child = os.fork()
    if not child:
        os.environ['DIE_AT'] = str(item)
        runpy.run_path(sys.argv[0], run_name='__main__')
        sys.exit()
    _, status = os.waitpid(child, 0)
    killed += os.WIFSIGNALED(status) and os.WTERMSIG(status) == 9
print(killed)
