#!/usr/bin/env python3
"""The sum of 1 to 100, plain and with a checkpoint in each of the library's forms.

    split python > split_checkpoint.py
    python3 sum.py plain|steps|until|own

DIE_AT=37 takes the machine away in the middle of item 37: run it again, and it prints 5050 all the same.
"""

import os
import signal
import sys


def work(item):
    """An hour's work, say."""
    if os.environ.get('DIE_AT') == str(item):
        os.kill(os.getpid(), signal.SIGKILL)
    return item


def plain():
    total = 0
    for i in range(1, 101):
        total += work(i)
    return total


# Saved after each item, so that there is something to see; without every_steps it is every few seconds.


def steps():
    from split_checkpoint import steps
    state = {'total': 0}
    for i in steps('sum/1', range(1, 101), state, every_steps=1):
        state['total'] += work(i)
    return state['total']


def until():
    from split_checkpoint import Done, until

    def step(state):
        if state['next'] > 100:
            return Done(state['total'])
        state['total'] += work(state['next'])
        state['next'] += 1

    return until('sum/1', {'next': 1, 'total': 0}, step, every_steps=1)


def own():
    from split_checkpoint import Checkpoint
    with Checkpoint('sum/1', every_steps=1) as checkpoint:
        state = checkpoint.resume({'next': 1, 'total': 0})
        while state['next'] <= 100:
            state['total'] += work(state['next'])
            state['next'] += 1
            checkpoint.tick(state)
        checkpoint.finish(state)
    return state['total']


print({'plain': plain, 'steps': steps, 'until': until, 'own': own}[sys.argv[1]]())
