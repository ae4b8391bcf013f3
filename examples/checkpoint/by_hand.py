#!/usr/bin/env python3
"""The sum of 1 to 100 with a checkpoint made by hand, with each of the mistakes that are made.

    python3 by_hand.py other-name|counted-twice|torn|no-identity|clock|clock-none|random|output|output-lost|threads|pickle|none [LAST]

DIE_AT=50 takes the machine away after item 50 is done, DIE_WRITING=4:3 while item 4 is saved, after 3 bytes. Each prints what it takes
for the sum, how much it computed in this run, and how many lines there are of those that it writes. `none` makes no mistake here: it
is that its file is not carried to the next machine.
"""

import os
import pickle
import random
import signal
import sys
import threading
import time

mistake = sys.argv[1]
last = int(sys.argv[2]) if len(sys.argv) > 2 else 100


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def save(item, content, name='checkpoint'):
    global saves
    saves += 1
    if mistake != 'torn':
        with open(name + '.new', 'w') as file:
            file.write(content)
        os.rename(name + '.new', name)
        return
    # The mistake: from here to the last byte there is no checkpoint at all.
    with open(name, 'w') as file:
        at, _, count = os.environ.get('DIE_WRITING', '').partition(':')
        if at == str(item):
            file.write(content[:int(count)])
            file.flush()
            die()
        file.write(content)


def load(name='checkpoint'):
    with open(name) as file:
        first, total = file.read().split()
    return int(first), int(total)


class Sum:
    def __init__(self, first, total):
        self.first, self.total = first, total


if os.environ.get('RENAMED'):
    # A later version of the program, in which the class has a better name.
    Total = Sum
    Total.__qualname__ = Total.__name__ = 'Total'
    del Sum
else:
    Total = Sum

first, total, computed, saves = 1, 0, 0, 0
start = time.monotonic()
generator = random.Random(1)

if mistake == 'pickle' and os.path.exists('checkpoint'):
    # The mistake: the file names the program's classes, and running code is how it is read.
    with open('checkpoint', 'rb') as file:
        state = pickle.load(file)
    first, total = state.first, state.total
elif os.path.exists('checkpoint'):
    # The mistake of no-identity: whatever is there is taken for ours.
    first, total = load()

shared = {'next': first, 'total': total}


def save_now_and_then():
    # The mistake of threads: this one saves, and that one changes what is saved.
    while not shared.get('done'):
        save(0, '%d %d' % (shared['next'], shared['total']))
        time.sleep(0.001)


saver = threading.Thread(target=save_now_and_then, daemon=True)
if mistake == 'threads':
    saver.start()
lines = None
if mistake in ('output', 'output-lost'):
    # The mistake of output: what was written after the last save is there, and is written again.
    lines = open('sums.txt', 'a')

for i in range(first, last + 1):
    # The mistake of random: the generator begins anew, and the numbers are others.
    total += generator.randrange(1000) if mistake == 'random' else i
    computed += 1
    if lines is not None:
        lines.write('%d\n' % total)
        if mistake == 'output':
            lines.flush()
        # The mistake of output-lost: a kill takes what is still in the program's memory, and the state says that it is written.
    if mistake == 'counted-twice':
        # The mistake: what is resumed is done once more, and that after the end, too.
        save(i, '%d %d' % (i, total))
    elif mistake == 'other-name':
        # The mistake: nobody reads this.
        save(i, '%d %d' % (i + 1, total), 'checkpoint.dat')
    elif mistake == 'clock':
        # The mistake: this is true all through a second.
        if int(time.monotonic() - start) % 100 == 0:
            save(i, '%d %d' % (i + 1, total))
    elif mistake == 'clock-none':
        # The mistake: this is never true.
        if (time.monotonic() - start) % 100 == 0:
            save(i, '%d %d' % (i + 1, total))
    elif mistake == 'output':
        if i % 10 == 0:
            save(i, '%d %d' % (i + 1, total))
    elif mistake == 'threads':
        shared['total'] = total
        if os.environ.get('DIE_AT') == str(i):
            # It is taken away once the other thread has saved what there is now: one save is begun after this, and ended.
            before = saves
            while saves < before + 2:
                time.sleep(0.001)
            die()
        shared['next'] = i + 1
    elif mistake == 'pickle':
        with open('checkpoint', 'wb') as file:
            pickle.dump(Total(i + 1, total), file)
    else:
        save(i, '%d %d' % (i + 1, total))
    if os.environ.get('DIE_AT') == str(i):
        die()

words = '%d, %d computed' % (total, computed)
if mistake.startswith('clock'):
    words += ', %d saves' % saves
if lines is not None:
    lines.close()
    with open('sums.txt') as file:
        words += ', %d lines' % len(file.readlines())
shared['done'] = True
print(words)
