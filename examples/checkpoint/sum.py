#!/usr/bin/env python3
"""The sum of 1 to 100, plain and with a checkpoint in each of the library's forms.

    split python > split_checkpoint.py
    python3 sum.py plain|steps|until|own|output|seed

DIE_AT=37 takes the machine away in the middle of item 37: run it again, and it prints 5050 all the same. `output` writes the sums up to
each item to sums.txt as well, and `seed` adds up random numbers: 47103 for 5050.

    split run --total 1..=100 --chunks 10 -- python3 sum.py {first} {last}

needs none of it: it keeps what each chunk, or slice of a chunk, has computed.
"""

import os
import signal
import sys


def work(item):
    """An hour's work, say."""
    if os.environ.get('DIE_AT') == str(item):
        os.kill(os.getpid(), signal.SIGKILL)
    if 'DIE_AT_FILE' in os.environ:
        die_with_all(item)
    return item


def die_with_all(item):
    """The machine goes, and with it who started this: everything of the session."""
    with open(os.environ['DIE_AT_FILE']) as file:
        if file.read() != str(item):
            return
    session = os.getsid(0)
    for number in [int(name) for name in os.listdir('/proc') if name.isdigit()] + [os.getpid()]:
        try:
            if number != os.getpid() and os.getsid(number) == session:
                os.kill(number, signal.SIGKILL)
        except OSError:
            # It has ended by itself.
            pass
    os.kill(os.getpid(), signal.SIGKILL)


def plain(first=1, last=100):
    total = 0
    for i in range(first, last + 1):
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


def output():
    from split_checkpoint import Output, steps
    state, sums = {'total': 0}, Output('sums.txt')
    for i in steps('sum/1', range(1, 101), state, every_steps=1, outputs=[sums]):
        # What is written before the kill is cut off, and written again.
        print(state['total'] + i, file=sums)
        state['total'] += work(i)
    return state['total']


def seeded():
    from split_checkpoint import seed, steps
    state = {'total': 0}
    for i in steps('sum/1', range(1, 101), state, every_steps=1):
        state['total'] += seed('sum/1', work(i)) % 1000
    return state['total']


if sys.argv[1].isdigit():
    print(plain(int(sys.argv[1]), int(sys.argv[2])))
else:
    print({'plain': plain, 'steps': steps, 'until': until, 'own': own, 'output': output, 'seed': seeded}[sys.argv[1]]())
