"""What the storm kills in Python: a loop that saves every three items, with a state that shows whether it is torn."""

import sys

from split_checkpoint import Checkpoint, Output, steps

ITEMS = 300


def first():
    return {'next': 0, 'hash': 0, 'values': [0.0] * 3000}


def add(state, item):
    sum(range(2000))
    state['hash'] = (state['hash'] * 31 + item * item) % 1000003
    state['next'] += 1
    state['values'][item * 7 % 3000] += state['next']


def answer(state):
    expected = first()
    for item in range(ITEMS):
        expected['values'][item * 7 % 3000] += item + 1
    assert state['values'] == expected['values'] and state['next'] == ITEMS, 'torn'
    return state['hash']


def line(item):
    return '%d %s\n' % (item, 'x' * (item * 37 % 400))


if sys.argv[1] == 'output':
    state, lines = first(), Output('lines.txt')
    for item in steps('storm/1', range(ITEMS), state, every_steps=3, outputs=[lines]):
        add(state, item)
        lines.write(line(item))
    with open('lines.txt') as file:
        assert file.read() == ''.join(map(line, range(ITEMS))), 'other lines than those of the items'
elif sys.argv[1] in ('steps', 'background'):
    state = first()
    for item in steps('storm/1', range(ITEMS), state, every_steps=3, background=sys.argv[1] == 'background'):
        add(state, item)
else:
    with Checkpoint('storm/1', every_steps=3) as checkpoint:
        state = checkpoint.resume(first())
        while state['next'] < ITEMS:
            add(state, state['next'])
            checkpoint.tick(state)
        checkpoint.finish(state)
print(answer(state))
