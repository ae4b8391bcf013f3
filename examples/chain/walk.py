"""A random walk in segments: python3 walk.py REPLICA SEGMENT SEGMENTS.

Each segment takes 1,000 steps from where the one before has ended, which is in state.json, and adds its path to what is printed:
the generator's state is part of it, so that the walk is the same in one segment and in a hundred.
"""

import json
import os
import random
import sys

replica, segment, segments = map(int, sys.argv[1:])
walk = random.Random(replica)
position = 0
if segment > 1:
    with open('state.json') as file:
        state = json.load(file)
    position = state['position']
    walk.setstate((state['random'][0], tuple(state['random'][1]), state['random'][2]))

for _ in range(1000):
    position += walk.choice((-1, 1))
print(position)

with open('state.json', 'w') as file:
    json.dump({'position': position, 'random': walk.getstate()}, file)
if abs(position) > 100:
    # It has left the region that is of interest: no more segments are needed.
    open(os.environ['SPLIT_FINISHED'], 'w').close()
