"""Reads what Rust wrote, says something about it, and saves it again."""

import struct
import sys

from split_checkpoint import Checkpoint

for case in range(int(sys.argv[1])):
    with Checkpoint('case-%d/1' % case) as there:
        state = there.resume()
    with Checkpoint('again-%d/1' % case) as again:
        assert again.resume() is None
        again.save(state)
    print(state['wide'], len(state['texts']), '%016x' % struct.unpack('>Q', struct.pack('>d', state['real'])))
