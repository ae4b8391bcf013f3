"""Checkpoints for loops that carry state from step to step: one file, for Python 3.6 and later, that needs nothing else.

    from split_checkpoint import steps

    state = {'total': 0}
    for i in steps('sum/1', range(1, 101), state):
        state['total'] += i
    print(state['total'])

Run again after a kill, it goes on from what was saved last; run again after the end, it has the answer at once.

    Checkpoint(key)                a loop of one's own: resume(first), tick(state), finish(state)
    steps(key, range, state)       a loop over a range; state is changed in place: a dict, a list, a numpy array
    seed(key, item)                a seed for an item's own random numbers
    until(key, state, step)        calls step(state) until it returns Done(answer)
    Output(path)                   a file that the loop appends to: print(..., file=lines), with the setting outputs=[lines]

A key is a name and, after the first slash, everything else that the state depends on: 'ising/beta=0.44/seed=7'. The name gives the
two files their names, NAME.a.checkpoint and NAME.b.checkpoint in the folder SPLIT_CHECKPOINT_DIR (without it:
checkpoints). A checkpoint of another key, range or kind of loop is refused; of two files that are damaged, too. Where one is, the
other is used, and a line on standard error says so.

It saves at the interval that costs the least (Young 1974, Daly 2006), from what a save was measured to cost and from
SPLIT_INTERRUPTION_SECONDS (without it: 14400), or as these settings of all three have it:

    every=SECONDS, every_steps=N   save so often instead
    at_most_every=SECONDS          never more often than this
    background=True                save in a thread of its own: a copy of the state is taken, and the loop goes on
    interrupted_every=SECONDS      instead of SPLIT_INTERRUPTION_SECONDS
    folder=PATH                    instead of SPLIT_CHECKPOINT_DIR
    version=N, migrate=FUNCTION    the version of the state's layout, and FUNCTION(old_version, old_state), which makes a state of an older one
    outputs=[OUTPUT, ...]          the files that the loop appends to
    pickle=True                    keep objects of any class, by pickle, which runs code when they are read
    return_when_stopped=True       see below

On SIGTERM, which HTCondor sends before it takes a machine away, the next step saves and ends the program with exit code
85 (SystemExit: "saved, start me again"), or raises Interrupted where return_when_stopped is set. Signals reach Python's
main thread alone: a loop in another thread saves by time.

A state is made of None, bool, int, float, str, bytes, bytearray, list, tuple, dict, and numpy's arrays and numbers. Nothing else is
guessed at. The files are those of the Rust library split::checkpoint, whose documentation has their format; either reads
the other's, but for tuples and bytearrays, which are Python's alone.

The state is brought to where it was in place, and so are the lists, dicts and arrays in it. What a loop changes has to be in the
state: `state += i`, and not `state = state + i`, which makes another object (an error), and no counter beside it (a state
that has not changed at all in ten steps or more is told of on standard error). A dict has to begin with the keys that it began with when it was
saved; version and migrate are for other layouts.

An Output is part of what is saved: it is cut back to what it was when the state was saved that the loop goes on from, and where that is not
there, the state is not believed. So each line is in it once, however often the loop is interrupted.

Where other threads change the state, they do so `with checkpoint.lock:`, and no save comes between. Without the lock a save that a thread
changed the state under is done again, and an error after three times.
"""

import errno
import fcntl
import json
import math
import operator
import os
import re
import shlex
import shutil
import signal
import struct
import sys
import threading
import time
import zlib

__all__ = ['Checkpoint', 'CheckpointError', 'Done', 'EXIT_SAVED', 'Interrupted', 'Output', 'interval', 'seed', 'steps', 'until']

_is = operator.is_

#: The exit code of a program that was told to stop, has saved, and wants to be started again.
EXIT_SAVED = 85


class CheckpointError(Exception):
    """A checkpoint could not be read, written or used; the text says which file, why, and what helps."""


class Interrupted(CheckpointError):
    """The state was saved and the program was told to stop."""


class Done:
    """What a step of `until` returns when it is done."""

    def __init__(self, answer):
        self.answer = answer


def interval(cost, interruption):
    """How long to compute between two saves that take `cost` seconds, with an interruption every `interruption` seconds
    (Daly 2006, equation 37)."""
    if cost >= 2 * interruption:
        return interruption
    share = cost / (2 * interruption)
    return math.sqrt(2 * cost * interruption) * (1 + math.sqrt(share) / 3 + share / 9) - cost


def seed(key, item):
    """64 random bits for an item of the loop `key`, the same whenever it is computed: a seed for the item's own random numbers,
    random.Random(seed(key, i)), where one generator for all would have to be part of the state. Output number `item`, from 0, of SplitMix64
    whose state starts at the CRC-32 of the key, twice one behind the other; the same as split::checkpoint::seed in Rust."""
    if type(item) is not int or not 0 <= item < 1 << 64:
        raise CheckpointError('an item that has a seed is a number from 0 to 18446744073709551615, and not %r' % (item,))
    last = (1 << 64) - 1
    bits = (zlib.crc32(key.encode()) * 0x100000001 + (item + 1) * 0x9e3779b97f4a7c15) & last
    bits = (bits ^ bits >> 30) * 0xbf58476d1ce4e5b9 & last
    bits = (bits ^ bits >> 27) * 0x94d049bb133111eb & last
    return bits ^ bits >> 31


def steps(key, items, state, **settings):
    """Goes through a range, each item once, however often it is interrupted; `state` is brought to where it was, in place."""
    if type(items) is not range:
        raise CheckpointError('steps() goes through a range, such as range(len(things)), and not through a %s'
                              % type(items).__name__)
    if _restore(state) is None:
        raise CheckpointError('the state of steps() is changed in place: a dict, a list, a bytearray or a numpy array, '
                              'and not a %s' % type(state).__name__)
    name = 'range %d..%d' % (items.start, items.stop) + ('' if items.step == 1 else ':%d' % items.step)
    engine = _Engine(key, name, settings)
    try:
        engine.begin(state)
        there, position = engine.resume()
        if position is None:
            position = 0
        else:
            try:
                _restore(state)(there)
            except (TypeError, ValueError) as error:
                raise engine.wrong_layout(str(error)) from error
    except BaseException:
        engine.close()
        raise
    # What the caller names the state by.
    caller = sys._getframe(1)
    names = [name for name, value in list(caller.f_locals.items()) if value is state]
    return _steps(engine, items, state, position, (caller.f_code, names))


def _steps(engine, items, state, position, named):
    try:
        count, now = len(items), time.monotonic
        while position < count:
            yield items[position]
            position += 1
            engine.countdown -= 1
            if _sigterm.told or not engine.countdown or now() >= engine.due:
                _check_names(engine, state, named, sys._getframe(1))
                engine.attend(position, state)
        _check_names(engine, state, named, sys._getframe(1))
        engine.finish(position, state)
    finally:
        engine.close()


def _check_names(engine, state, named, caller):
    """Refuses to save a state that the loop does not change any more, as it has made another one."""
    code, names = named
    if not names or caller is None or caller.f_code is not code:
        return
    there = caller.f_locals
    if not any(there.get(name) is state for name in names):
        raise CheckpointError('`%s` is another object than the state of `%s`, so that what the loop did would be lost: change it in place, '
                              'such as %s += ... or %s[...] = ...' % ((names[0], engine.header['key']) + 2 * (names[0],)))


def until(key, state, step, **settings):
    """Calls `step(state)`, which changes the state in place, until it returns `Done(answer)`; gives the answer."""
    if _restore(state) is None:
        raise CheckpointError('the state of until() is changed in place: a dict, a list, a bytearray or a numpy array, '
                              'and not a %s' % type(state).__name__)
    engine = _Engine(key, 'until', settings)
    try:
        done = engine.is_done()
        if not done:
            engine.begin(state)
        there, _ = engine.resume(migrated=not done)
        if done:
            return there
        if engine.header['generation']:
            try:
                _restore(state)(there)
            except (TypeError, ValueError) as error:
                raise engine.wrong_layout(str(error)) from error
        now = time.monotonic
        while True:
            result = step(state)
            if result is not None:
                if type(result) is not Done:
                    raise CheckpointError('a step of until() returns None to go on or Done(answer), and not %r' % (result,))
                engine.finish(None, result.answer)
                return result.answer
            engine.countdown -= 1
            if _sigterm.told or not engine.countdown or now() >= engine.due:
                engine.attend(None, state)
    finally:
        engine.close()


class Checkpoint:
    """The checkpoint of a loop of one's own.

        with Checkpoint('collatz/27') as checkpoint:
            state = checkpoint.resume({'number': 27, 'steps': 0})
            while state['number'] != 1:
                ...
                checkpoint.tick(state)
            checkpoint.finish(state)

    What the loop needs to go on has to be in the state, also whether it is done.
    """

    def __init__(self, key, **settings):
        self._engine = _Engine(key, 'own', settings)
        #: Held by each save: a thread that changes the state holds it meanwhile.
        self.lock = self._engine.lock

    def resume(self, first=None):
        """What was saved last, or `first` where this is the first run."""
        fresh = not self._engine.header['generation']
        if first is not None:
            self._engine.begin(first)
        there, _ = self._engine.resume()
        return first if fresh else there

    def tick(self, state):
        """To be called after each step with the whole state: saves it if a save is due, or if the program was told to stop."""
        engine = self._engine
        engine.countdown -= 1
        if _sigterm.told or not engine.countdown or time.monotonic() >= engine.due:
            engine.attend(None, state)

    def save(self, state):
        """Saves now, due or not."""
        self._engine.going()
        self._engine.save(None, state, False)

    def finish(self, state):
        """Saves the last state: running again gives it back, and nothing more is saved."""
        self._engine.finish(None, state)

    def is_done(self):
        """Whether the computation has come to its end, in this run or an earlier one."""
        return self._engine.is_done()

    def close(self):
        """Gives the files back, for another `Checkpoint` of the same name."""
        self._engine.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def _restore(state):
    """What brings this container to another's content, in place."""
    def into_container(there):
        if type(there) is not type(state):
            raise TypeError('a %s, and no %s' % (type(there).__name__, type(state).__name__))
        _fill(state, there, {})

    def into_bytearray(there):
        if type(there) not in (bytes, bytearray):
            raise TypeError('a %s, and no bytearray' % type(there).__name__)
        state[:] = there

    def into_array(there):
        if getattr(there, 'dtype', None) != state.dtype or there.shape != state.shape:
            raise TypeError('another type or shape than the array of type %s and shape %s' % (state.dtype, state.shape))
        state[...] = there

    if _is_array(state):
        return into_array
    return {dict: into_container, list: into_container, bytearray: into_bytearray}.get(type(state))


def _fill(old, there, filled):
    """Brings `old` and what is in it to `there`, in place where types and shapes allow it, for whoever holds a part of it. Gives what is
    to be there in its place."""
    kind = type(old)
    if _is_array(old):
        is_alike = _is_array(there) and there.dtype == old.dtype and there.shape == old.shape and old.flags.writeable
    else:
        is_alike = type(there) is kind and kind in (dict, list, tuple, bytearray)
    if not is_alike:
        return there
    if id(old) in filled:
        # The same object at two places, which may be two in what was saved.
        return old if _amount(filled[id(old)][1], True) == _amount(there, True) else there
    # Kept, so that its number is no other's.
    filled[id(old)] = old, there
    if kind is dict:
        before = dict(old)
        old.clear()
        old.update((key, _fill(before.get(key), item, filled)) for key, item in there.items())
    elif kind is list:
        before = list(old)
        old[:] = [_fill(before[place], item, filled) if place < len(before) else item for place, item in enumerate(there)]
    elif kind is tuple:
        items = tuple(_fill(old[place], item, filled) if place < len(old) else item for place, item in enumerate(there))
        return old if len(items) == len(old) and all(map(_is, items, old)) else items
    elif kind is bytearray:
        old[:] = there
    else:
        old[...] = there
    return old


# SIGTERM


class _Sigterm:
    """One handler for all loops of the process, there as long as there are loops."""

    def __init__(self):
        self.told = False
        self.loops = 0
        self.process = None
        self.before = None

    def enter(self):
        self.loops += 1
        if self.loops == 1 and threading.current_thread() is threading.main_thread():
            self.process = os.getpid()
            self.before = signal.signal(signal.SIGTERM, self.handle)

    def leave(self):
        self.loops -= 1
        if not self.loops:
            self.restore()

    def restore(self):
        if self.process is not None and threading.current_thread() is threading.main_thread():
            self.process = None
            if signal.getsignal(signal.SIGTERM) == self.handle:
                signal.signal(signal.SIGTERM, signal.SIG_DFL if self.before is None else self.before)

    def handle(self, *_):
        if self.loops and self.process == os.getpid():
            self.told = True
        else:
            # A child, such as one of multiprocessing's, or a program whose loops are over, ends as it would without this.
            self.restore()
            os.kill(os.getpid(), signal.SIGTERM)


    def begin_child(self):
        """A child ends at once, as it would without this: a handler of Python's waits until Python runs."""
        self.restore()
        self.loops, self.told = 0, False


_sigterm = _Sigterm()
if hasattr(os, 'register_at_fork'):
    os.register_at_fork(after_in_child=_sigterm.begin_child)


# What is printed


class _Printed:
    """Standard output, where whoever started the program keeps what is printed from run to run.

    A save notes how much had been printed by then, and a loop that goes on from there has exactly that before it: what this run has
    printed on its way to the loop, and what an earlier one printed after its save, is cut off. One loop may go on where it was
    done, and the next one later: what is cut off comes back from the file with what was printed before.
    """

    def __init__(self):
        # Up to here it is what it was in earlier runs; all of it, as long as nothing was cut off.
        self.kept = math.inf

    def is_kept(self):
        named = os.environ.get('SPLIT_CHECKPOINT_OUTPUT')
        if not named:
            return False
        for stream in (sys.stdout, sys.__stdout__):
            try:
                stream.flush()
            except (OSError, ValueError, AttributeError):
                # What cannot be written is an error for whoever prints.
                pass
        try:
            return os.path.samestat(os.stat(named), os.fstat(1))
        except OSError:
            return False

    def length(self):
        """How much has been printed; None where nobody keeps it."""
        return os.fstat(1).st_size if self.is_kept() else None

    def go_back(self, length):
        """Goes back to where so many bytes had been printed."""
        if not self.is_kept():
            return
        start = min(self.kept, length)
        before = os.environ.get('SPLIT_CHECKPOINT_PRINTED', '')
        try:
            os.ftruncate(1, start)
            os.lseek(1, start, os.SEEK_SET)
            if start < length:
                with open(before, 'rb') as file:
                    file.seek(start)
                    while start < length:
                        part = file.read(min(_BUFFER, length - start))
                        if not part:
                            raise CheckpointError('%s ends too early' % before)
                        _write(1, part, start)
                        start += len(part)
                os.lseek(1, start, os.SEEK_SET)
        except OSError as error:
            raise CheckpointError('cannot read %s: %s' % (error.filename or before, error.strerror)) from error
        self.kept = length


_printed = _Printed()


# What is written


# The outputs that this process has had, by their paths, with their names in the folder of the checkpoints.
_ours = {}


class Output:
    """A file that a loop appends to: what is written is in it once, however often the loop is interrupted.

        lines = Output('sums.txt')
        for i in steps('sum/1', range(1, 101), state, outputs=[lines]):
            state['total'] += i
            print(state['total'], file=lines)

    It is written to by the loop alone, from its first step to its end. It takes text, as UTF-8, and bytes. It is there under its name
    while it grows, but where the file system of the checkpoints has no second names (hard links) that reach there: then at the end. A file
    that is there already and is not this loop's is an error, and is replaced in a job of split's below the folder that it starts in, where another item may have left it.
    What the disk has no room for stays in memory, and the next save says so.
    """

    def __init__(self, path):
        self.path = self.shown = os.fspath(path)
        if not isinstance(self.path, str):
            raise CheckpointError('an output has a path of text, and not %r' % (self.path,))
        self.name = os.path.basename(self.path)
        # In the folder of the checkpoints; None until a loop has it.
        self.own = None
        self.wrong = 'which has not begun: it takes outputs=[...]'
        self.lock = threading.RLock()
        # The file while its loop is under way, and whether what there is to go on from has its own name; else it has the program's.
        self.file = None
        self.is_own = True
        # Whether another file may be replaced that has its path: what other items left in the folder that the program starts in, and no
        # output of another loop.
        self.may_replace = False
        # Whether the file has both names.
        self.is_linked = False
        self.buffer = bytearray()
        # Of what is in the file; and so much of it is known to be on the disk.
        self.length = self.checksum = 0
        self.synced = None
        self.process = os.getpid()

    def write(self, data):
        with self.lock:
            self.check()
            self.buffer += data.encode() if isinstance(data, str) else data
            if len(self.buffer) >= _BUFFER:
                try:
                    self.put()
                except OSError:
                    # The next save tries again, and says so.
                    pass
        return len(data)

    def writelines(self, lines):
        for line in lines:
            self.write(line)

    def flush(self):
        """Writes what was collected, for others to read; a save does so by itself."""
        with self.lock:
            self.check()
            self.put()

    def check(self):
        if self.file is None:
            raise CheckpointError('%s is written to by its loop, %s' % (self.shown, self.wrong))
        if os.getpid() != self.process:
            raise CheckpointError('a child process would write into its parent\'s %s' % self.shown)

    def put(self):
        while self.buffer:
            with memoryview(self.buffer) as view:
                written = os.pwrite(self.file, view, self.length)
                self.checksum = zlib.crc32(view[:written], self.checksum)
            self.length += written
            del self.buffer[:written]

    def place(self, folder, name, lock):
        """Gives it its name in the folder of the checkpoints."""
        if self.own is not None:
            raise CheckpointError('%s is the output of another loop' % self.shown)
        if self.name in ('', '.', '..') or len(self.name.encode(errors='replace')) > 100 or re.search(r'[\x00-\x1f\x7f-\x9f\ud800-\udfff]', self.name):
            raise CheckpointError('%s is no output: the name of its file is one line of at most 100 bytes' % _shown(self.shown))
        # The program may change its working folder later on.
        self.path = os.path.abspath(self.path)
        self.own = os.path.join(folder, '%s@%s.output' % (name, self.name))
        is_below = self.path.startswith(os.path.join(os.getcwd(), ''))
        self.may_replace = is_below and _ours.setdefault(self.path, self.own) == self.own
        self.lock = lock

    def missing(self, written, is_done):
        """What is missing of what had been written when something was saved; decides where to take it from."""
        if not written['bytes']:
            # Any file would do.
            self.is_own = os.path.exists(self.own)
            return None
        own = _found(self.own, written)
        self.is_own = own is None
        # After the end the file is its user's.
        if self.is_own or (is_done and os.path.exists(self.path)):
            return None
        there = _found(self.path, written)
        if there is None:
            return None
        return 'goes with %s of %s, %s' % (_bytes(written['bytes']), self.path, there if own == _ABSENT else own)

    def begin(self, written, replaces):
        """Brings it to what it was when the state was saved that the loop goes on from; empties it where there is none."""
        if self.file is not None:
            # It began before, and another output did not.
            self.close()
        self.may_replace = self.may_replace and replaces
        goes_on = written is not None
        if goes_on and not written['bytes']:
            written = None
        if written is not None and not self.is_own:
            # It lost the second name, as files do that are copied by hand.
            if os.path.exists(self.own):
                os.remove(self.own)
            if not _link(self.path, self.own):
                _copy(self.path, self.own)
        self.free_name(written, goes_on)
        if written is None and os.path.exists(self.own):
            # What an earlier run wrote may be its user's by now, under a third name.
            if self.is_linked:
                os.remove(self.path)
                self.is_linked = False
            os.remove(self.own)
        is_new = not os.path.exists(self.own)
        file = os.open(self.own, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            if not self.is_linked:
                self.give_name()
            self.length, self.checksum = (0, 0) if written is None else (written['bytes'], written['checksum'])
            os.ftruncate(file, self.length)
            if is_new:
                _sync_folder(os.path.dirname(self.own))
        except BaseException:
            os.close(file)
            raise
        self.file = file

    def show(self, is_known, replaces):
        """After the end: the file is there under its name."""
        self.may_replace = self.may_replace and replaces
        if is_known and self.is_own and (self.may_replace or not os.path.exists(self.path)):
            self.free_name(None, True)
            if self.is_linked:
                # It has its name anew: whoever collects what this run leaves sees it by that.
                os.remove(self.path)
            self.give_name()
            if not self.is_linked:
                _copy(self.own, self.path)
        self.is_linked = True
        self.close()

    def free_name(self, written, goes_on):
        """Removes what else has the name that the program has for the file, if it may go: also a copy of what was written."""
        self.is_linked = os.path.exists(self.path) and os.path.exists(self.own) and os.path.samefile(self.path, self.own)
        if self.is_linked or not os.path.lexists(self.path):
            return
        if not self.may_replace and (written is None or _found(self.path, written) is not None):
            path = shlex.quote(self.path)
            helps = 'with mv %s %s.other the loop goes on with its own' % (path, path)
            if not goes_on:
                helps = 'rm %s starts it anew, another name keeps both' % path
            raise CheckpointError('%s is there already, and not as this loop left it; %s' % (self.path, helps))
        os.remove(self.path)

    def give_name(self):
        """Gives the file the name that the program has for it, if it can have two."""
        self.is_linked = _link(self.own, self.path)
        if self.is_linked:
            _sync_folder(os.path.dirname(self.path))

    def sync(self, length):
        """Waits for the disk."""
        if self.file is not None and self.synced != length:
            _sync(self.file)
            self.synced = length

    def end(self):
        """Nothing more is written."""
        self.close()
        if not self.is_linked:
            if not self.may_replace and os.path.lexists(self.path):
                path = shlex.quote(self.path)
                raise CheckpointError('%s is there by now, and is none of this loop\'s; with mv %s %s.other the next start puts there '
                                      'what was written, which is in %s' % (self.path, path, path, shlex.quote(self.own)))
            _copy(self.own, self.path)
            self.is_linked = True

    def close(self):
        self.wrong = 'which has ended'
        file, self.file = self.file, None
        if file is not None:
            os.close(file)


class _Outputs:
    """All outputs of a loop."""

    def __init__(self, outputs, folder, name, lock):
        self.all = []
        if type(outputs) not in (list, tuple) or any(type(output) is not Output for output in outputs):
            raise CheckpointError('outputs is a list, such as [Output(\'sums.txt\')], and not %r' % (outputs,))
        if len(outputs) > 16:
            raise CheckpointError('a loop has 16 outputs at most')
        for output in outputs:
            if any(output.name == other.name for other in self.all):
                raise CheckpointError('%s has the same name as another output of the loop' % output.shown)
            output.place(folder, name, lock)
            self.all.append(output)

    def missing(self, header):
        written = {there['name']: there for there in header.get('outputs', [])}
        for output in self.all:
            if output.name in written:
                missing = output.missing(written[output.name], header['done'])
                if missing is not None:
                    return missing
        return None

    def check(self, found, slots):
        """Refuses a checkpoint that was saved with other outputs."""
        there, here = [written['name'] for written in found.get('outputs', [])], [output.name for output in self.all]
        lacking, odd = [name for name in here if name not in there], [name for name in there if name not in here]
        if found['done']:
            # What is not asked for any more does no harm.
            odd = []
        if lacking:
            wrong = 'was saved without the output %s, in which what was due until then would be missing' % lacking[0]
        elif odd:
            wrong = 'was saved with the output %s, which this program does not have' % odd[0]
        else:
            return
        raise CheckpointError('%s %s; a higher version goes on all the same, rm %s starts anew' % (slots.path(), wrong, slots.shown()))

    def begin(self, header, replaces):
        written = {there['name']: there for there in header.get('outputs', [])}
        for output in self.all:
            try:
                if header.get('done'):
                    output.show(output.name in written, replaces)
                else:
                    output.begin(written.get(output.name), replaces)
            except OSError as error:
                raise CheckpointError('cannot write %s: %s' % (error.filename or output.path, error.strerror)) from error

    def put(self):
        """Writes what was collected; says how much there is now."""
        for output in self.all:
            output.put()
        return [{'name': output.name, 'bytes': output.length, 'checksum': output.checksum} for output in self.all]

    def sync(self, written):
        for output, there in zip(self.all, written):
            output.sync(there['bytes'])

    def end(self):
        for output in self.all:
            output.end()

    def close(self):
        for output in self.all:
            output.close()


_ABSENT = 'which is not there'


def _found(path, written):
    """What is wrong with a file into which something had been written; None where all of it is there."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return _ABSENT
    try:
        length = checksum = 0
        while length < written['bytes']:
            part = os.pread(file, min(_BUFFER, written['bytes'] - length), length)
            if not part:
                return 'which has %s' % _bytes(length)
            checksum = zlib.crc32(part, checksum)
            length += len(part)
        return None if checksum == written['checksum'] else 'which are not what was written (checksum)'
    finally:
        os.close(file)


def _link(there, to):
    """Gives a file a second name; False where it cannot have one."""
    try:
        os.link(there, to)
    except OSError as error:
        if error.errno in (errno.EXDEV, errno.EPERM, errno.EACCES, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS):
            return False
        raise
    return True


def _copy(there, to):
    """Copies a file in place of another."""
    new = os.path.join(os.path.dirname(to), '.%s.copying' % os.path.basename(to))
    with open(there, 'rb') as source, open(new, 'wb') as copy:
        shutil.copyfileobj(source, copy)
        copy.flush()
        os.fsync(copy.fileno())
    os.rename(new, to)
    _sync_folder(os.path.dirname(to))


def _bytes(count):
    return '1 byte' if count == 1 else '%d bytes' % count


# When to save


class _Engine:
    """What keeps a checkpoint: the two files, and how far it is."""

    SETTINGS = {'folder': None, 'version': 0, 'migrate': None, 'every': None, 'every_steps': None, 'at_most_every': 0.0,
                'interrupted_every': None, 'background': False, 'pickle': False, 'return_when_stopped': False,
                'outputs': ()}

    def __init__(self, key, kind, settings):
        self.closed = True
        self.lock = threading.RLock()
        # What the state amounted to after the first step, as long as it has not changed since, and the steps that were attended to.
        self.unchanged = None
        self.is_tried = False
        self.ticks = 0
        # The thread of a save that is under way, and what was wrong with it.
        self.thread = None
        self.failed = None
        self.outputs = None
        odd = sorted(set(settings) - set(self.SETTINGS))
        if odd:
            raise CheckpointError('%s is no setting; there are %s' % (odd[0], ', '.join(sorted(self.SETTINGS))))
        chosen = dict(self.SETTINGS, **settings)
        self.chosen = chosen
        if chosen['every'] is not None and chosen['every_steps'] is not None:
            raise CheckpointError('every and every_steps exclude each other')
        if chosen['every_steps'] is not None and (type(chosen['every_steps']) is not int or chosen['every_steps'] < 1):
            raise CheckpointError('every_steps is a number of at least 1, and not %r' % (chosen['every_steps'],))
        for name in ('every', 'at_most_every'):
            seconds = chosen[name]
            if seconds is not None and (type(seconds) not in (int, float) or not seconds >= 0):
                raise CheckpointError('%s is a number of seconds, and not %r' % (name, seconds))
        if type(chosen['version']) is not int or not 0 <= chosen['version'] < 1 << 32:
            raise CheckpointError('version is a number of at least 0, and not %r' % (chosen['version'],))
        name = _name(key)
        self.interruption = _interruption(chosen['interrupted_every'])
        self.header = {'format': 1, 'key': key}
        identity = _line('SPLIT_CHECKPOINT_KEY')
        if identity:
            self.header['identity'] = identity
        self.layout = None
        self.header.update({'loop': kind, 'version': chosen['version'], 'generation': 0, 'done': False})
        folder = chosen['folder']
        if folder is None:
            folder = os.environ.get('SPLIT_CHECKPOINT_DIR')
            if not folder:
                folder = 'checkpoints'
                _say_in_vain()
        # The program may change its working folder later on.
        folder = os.path.abspath(str(folder))
        try:
            _make_folder(folder)
        except OSError as error:
            raise CheckpointError('cannot make the folder %s: %s' % (folder, error.strerror)) from error
        self.process = os.getpid()
        self.outputs = _Outputs(chosen['outputs'], folder, name, self.lock)
        self.slots = _Slots([os.path.join(folder, '%s.%s.checkpoint' % (name, slot)) for slot in 'ab'], key, self.outputs.missing)
        self.closed = False
        self.is_expecting = True
        _sigterm.enter()
        try:
            found = self.slots.found
            if found is not None:
                self.check(found)
                self.header['generation'] = found['generation']
        except BaseException:
            self.close()
            raise
        self.is_resumed = False
        self.cost = None
        self.countdown = chosen['every_steps'] or -1
        self.last = time.monotonic()
        # The first tick finds out whether all is well.
        self.due = 0.0

    def begin(self, state):
        """Notes the keys that the state begins with."""
        self.layout = None
        if type(state) is dict and len(state) <= 100 and all(type(key) is str for key in state):
            layout = sorted(state)
            if len(json.dumps(layout)) <= 4096:
                self.layout = layout

    def check_layout(self, found):
        """Refuses a state that began with other keys than that of the program."""
        there, here = found.get('layout'), self.layout
        if there is None or here is None or there == here or found['version'] != self.header['version'] or found['done']:
            return
        lacks = [('the program\'s has no %r', sorted(set(there) - set(here))), ('it has no %r', sorted(set(here) - set(there)))]
        wrong = ', '.join(text % keys[0] for text, keys in lacks if keys)
        raise self.wrong_layout('a dict with other keys, as ' + wrong)

    def check(self, found):
        for what in ('key', 'identity', 'loop'):
            there, here = found.get(what, ''), self.header.get(what, '')
            if there != here:
                raise CheckpointError(
                    '%s was written for the %s `%s`, and this is `%s`; rm %s starts anew, and %s of another name keeps both'
                    % (self.slots.path(), what, there, here, self.slots.shown(),
                       'a folder' if what == 'identity' else 'a key'))

    def is_done(self):
        if self.is_resumed:
            return self.header['done']
        return self.slots.found is not None and self.slots.found['done']

    def resume(self, migrated=True):
        """The state that was saved last and the item that comes next, or None twice."""
        found = self.slots.found
        if self.is_resumed:
            return None, None
        # Where it runs for split, other items may have left files.
        replaces = 'identity' in self.header
        if found is None:
            self.outputs.begin({}, replaces)
            self.is_resumed = True
            return None, None
        if found['version'] == self.header['version']:
            self.outputs.check(found, self.slots)
        self.check_layout(found)
        data = self.slots.payload()
        try:
            state = _unpack(data, self.chosen['pickle'])
        except (_Unreadable, ValueError, TypeError, RecursionError) as error:
            raise self.wrong_layout(str(error) or type(error).__name__) from error
        if found['version'] != self.header['version']:
            if self.chosen['migrate'] is None or found['version'] > self.header['version'] or not migrated:
                what, helps = 'of the state', 'migrate reads older ones'
                if not migrated:
                    what, helps = 'of the answer', 'version=%d gives it, as answers are not migrated' % found['version']
                elif found['version'] > self.header['version']:
                    helps = 'a later program wrote it, which goes on from it'
                raise CheckpointError(
                    '%s holds version %d %s, and the program\'s is %d; %s, rm %s starts anew'
                    % (self.slots.path(), found['version'], what, self.header['version'], helps, self.slots.shown()))
            state = self.chosen['migrate'](found['version'], state)
        self.outputs.begin(found, replaces)
        if found.get('printed') is not None:
            _printed.go_back(found['printed'])
        # Until here, once what was wrong is mended, it is still there to go on from.
        self.slots.found = None
        self.is_resumed = True
        self.header['done'] = found['done']
        if found['done']:
            self.retire()
        return state, found.get('position')

    def wrong_layout(self, wrong):
        return CheckpointError(
            '%s does not hold what the program\'s state is made of: %s; version and migrate read older layouts, '
            'rm %s starts anew' % (self.slots.path(), wrong, self.slots.shown()))

    def going(self):
        if self.closed:
            raise CheckpointError('the checkpoint `%s` was closed' % self.header['key'])
        if os.getpid() != self.process:
            raise CheckpointError('a child process would save over its parent\'s checkpoint `%s`' % self.header['key'])
        if not self.is_resumed:
            raise CheckpointError('resume() comes before the first tick(), save() or finish(): what an earlier run saved would be lost')
        if self.header['done']:
            raise CheckpointError('the checkpoint `%s` is done: resume() gave its last state, and there is nothing to go '
                                  'on with' % self.header['key'])

    def attend(self, position, state):
        """What a tick does when something may be due."""
        self.going()
        if not self.is_tried:
            # What cannot be saved is refused now, and not only when a save is due.
            self.is_tried = True
            self.unchanged = _amount(state, self.chosen['pickle'])
            self.first = position
        if _sigterm.told:
            # What was wrong with a save before matters less now than whether this one goes well.
            self.settle()
            self.save(position, state, False)
            self.leave()
        try:
            self.attend_to_saves(position, state)
        finally:
            # Also after a failure, so that a program that goes on tries again in a while.
            self.arm()

    def attend_to_saves(self, position, state):
        if self.failed is not None:
            self.check_background()
        by_steps = not self.countdown
        if by_steps:
            self.countdown = self.chosen['every_steps']
        now = time.monotonic()
        # The first tick of a loop that saves by time has a due time of 0 and saves nothing.
        by_time = self.chosen['every_steps'] is None and self.due > 0 and now >= self.due
        if not (by_steps or by_time) or now - self.last < self.chosen['at_most_every']:
            return
        if not self.chosen['background']:
            self.save(position, state, False)
        # By time, a save that is still under way is not waited for.
        elif by_steps or self.thread is None or not self.thread.is_alive():
            self.save_in_background(position, state)

    def arm(self):
        self.set_due()
        if self.failed is not None:
            # A background save has failed meanwhile: the next tick says so.
            self.due = 0.0

    def set_due(self):
        if self.chosen['every_steps'] is not None:
            self.due = math.inf
            return
        every = self.chosen['every']
        if every is None:
            every = interval(0.01 if self.cost is None else self.cost, self.interruption)
        every = max(every, self.chosen['at_most_every'])
        self.due = max(self.last + every, time.monotonic() + every / 16, 1e-9)

    def save(self, position, state, done):
        """Saves now, and waits for the disk."""
        self.check_background()
        self.warn_of_unchanged(position, state)
        start = time.monotonic()
        with self.lock:
            try:
                written = self.outputs.put()
                header = self.next(position, written, done)
                moment = self.of_one_moment(state)
                self.outputs.sync(written)
                self.slots.save(header, moment, self.chosen['pickle'])
            except OSError as error:
                raise self.cannot_write(error) from error
        self.saved(start, done)
        if done:
            try:
                self.outputs.end()
            except OSError as error:
                raise self.cannot_write(error) from error

    def of_one_moment(self, state):
        """The state; a copy where another thread may change it meanwhile."""
        if threading.active_count() == 1:
            return state
        for _ in range(3):
            copy, checksum = _Packed(), None
            try:
                _pack(copy.put, state, self.chosen['pickle'], 'the state', 0)
                checksum = _amount(state, self.chosen['pickle'])
            except RuntimeError as error:
                # A dict that has become longer.
                if isinstance(error, RecursionError):
                    raise
            if checksum == zlib.crc32(copy.data):
                return copy
        raise CheckpointError('another thread changes the state of `%s` while it is saved: with checkpoint.lock: around what changes '
                              'it keeps saves out' % self.header['key'])

    def warn_of_unchanged(self, position, state):
        """Tells of a loop whose state stays as it was: it may be kept somewhere else."""
        if self.unchanged is None or position is None or position - self.first < 10:
            return
        unchanged, self.unchanged = self.unchanged, None
        if state is not None and _is_something(state) and _amount(state, self.chosen['pickle']) == unchanged:
            self.slots.say('checkpoint %s: the state has not changed in %d steps; what the loop changes has to be in it, for all else is lost by '
                           'a kill' % (self.header['key'], position - self.first))

    def save_in_background(self, position, state):
        """Takes a copy of the state, as the bytes that are to be written, and has them written while the loop goes on."""
        # Before the clock starts: this may wait for the disk.
        self.check_background()
        self.warn_of_unchanged(position, state)
        start = time.monotonic()
        with self.lock:
            try:
                written = self.outputs.put()
            except OSError as error:
                raise self.cannot_write(error) from error
            header = self.next(position, written, False)
            copy = self.of_one_moment(state)
            if copy is state:
                copy = _Packed()
                _pack(copy.put, state, self.chosen['pickle'], 'the state', 0)
        thread = threading.Thread(target=self.write, args=(header, copy))
        try:
            thread.start()
        except RuntimeError:
            # There can be no more threads.
            return self.save(position, state, False)
        self.thread = thread
        self.saved(start, False)

    def write(self, header, copy):
        try:
            self.outputs.sync(header.get('outputs', []))
            self.slots.save(header, copy, False)
        except BaseException as error:
            # Of the loop's thread: it is raised there.
            self.failed = error
            self.due = 0.0

    def settle(self):
        """Waits for the save that is under way; gives what was wrong with it."""
        thread, self.thread = self.thread, None
        if thread is not None and os.getpid() == self.process:
            thread.join()
        failed, self.failed = self.failed, None
        return failed

    def check_background(self):
        failed = self.settle()
        if isinstance(failed, OSError):
            raise self.cannot_write(failed) from failed
        if failed is not None:
            raise failed

    def cannot_write(self, error):
        return CheckpointError('cannot write %s: %s' % (error.filename or self.slots.target(), error.strerror))

    def next(self, position, written, done):
        """The header of the next save."""
        header = dict(self.header)
        # As Rust has it: the end of the loop stands last.
        del header['done']
        header['generation'] += 1
        if position is not None:
            header['position'] = position
        if self.layout is not None and not done:
            header['layout'] = self.layout
        printed = _printed.length()
        if printed is not None:
            header['printed'] = printed
        if written:
            header['outputs'] = written
        header['done'] = done
        return header

    def saved(self, start, done):
        self.header['generation'] += 1
        self.header['done'] = done
        self.last = time.monotonic()
        cost = self.last - start
        self.cost = cost if self.cost is None else (self.cost + cost) / 2
        self.countdown = self.chosen['every_steps'] or -1
        if done:
            # Whoever ticks on is told so at once.
            self.due = 0.0
            self.retire()

    def retire(self):
        """Nothing is left to save: SIGTERM ends the process again, unless there are other loops."""
        if self.is_expecting and os.getpid() == self.process:
            self.is_expecting = False
            _sigterm.leave()

    def finish(self, position, state):
        if self.is_resumed and self.header['done']:
            return
        self.going()
        self.save(position, state, True)
        if _sigterm.told:
            self.leave()

    def leave(self):
        if self.chosen['return_when_stopped']:
            raise Interrupted('told to stop; the state is saved')
        sys.exit(EXIT_SAVED)

    def close(self):
        if not self.closed:
            self.closed = True
            self.retire()
            # What is being saved is saved to its end before the files are given back.
            failed = self.settle()
            if failed is not None:
                self.slots.say('checkpoint %s: the last save failed: %s' % (self.header['key'], failed))
            self.outputs.close()
            self.slots.close()

    def __del__(self):
        self.close()


def _say_in_vain():
    """In a job of HTCondor's that carries nothing."""
    global _is_said
    if os.environ.get('_CONDOR_SCRATCH_DIR') and not _is_said:
        _is_said = True
        _Slots.say('split_checkpoint: SPLIT_CHECKPOINT_DIR is not set, so nothing that is saved here outlives the job; '
                   'split plan --checkpoint carries it')


_is_said = False


def _amount(state, pickled):
    """A checksum of a state: the same where it is the same."""
    checksum = [0]

    def put(data):
        checksum[0] = zlib.crc32(data, checksum[0])

    _pack(put, state, pickled, 'the state', 0)
    return checksum[0]


def _is_something(state):
    return _is_array(state) or bool(state)


def _name(key):
    """The name in a key, which names the files."""
    def refused(wrong):
        return CheckpointError('the key `%s` %s; a key is a name and what it depends on, such as sum/1 or '
                               'ising/beta=0.44/seed=7' % (_shown(key), wrong))

    if type(key) is not str:
        raise refused('is no text')
    name = key.split('/')[0]
    if not name:
        raise refused('has no name')
    if name[0] in '.-':
        raise refused('starts with a dot or a dash')
    if len(name) > 100:
        raise refused('has a name of more than 100 letters')
    if not re.match(r'[A-Za-z0-9_.=+-]+\Z', name):
        raise refused('has a name of more than letters, digits and -_.=+ (after a slash anything goes)')
    if re.search(r'[\x00-\x1f\x7f-\x9f\ud800-\udfff]', key):
        raise refused('is more than one line of text')
    if len(key.encode()) > 4096:
        raise refused('is longer than 4096 bytes')
    return name


def _shown(text):
    """On one line, whatever is in it."""
    return ''.join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in str(text))


def _line(variable):
    value = os.environ.get(variable, '')
    if re.search(r'[\x00-\x1f\x7f-\x9f\ud800-\udfff]', value) or len(value.encode()) > 4096:
        raise CheckpointError('%s is `%s`, and not one line of at most 4096 bytes' % (variable, _shown(value)))
    return value


def _interruption(chosen):
    value = chosen if chosen is not None else _line('SPLIT_INTERRUPTION_SECONDS') or 14400
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        seconds = 0.0
    if not 0 < seconds < 1e18:
        name = 'SPLIT_INTERRUPTION_SECONDS' if chosen is None else 'interrupted_every'
        raise CheckpointError('%s is `%s`, and not a number of seconds over 0' % (name, value))
    return seconds


# The two files

_LINE = 52
_UNFINISHED = b'SPLITCKPT1 -------- ---------- --------------------\n'
_FIRST = re.compile(rb'SPLITCKPT1 ([0-9a-f]{8}) ([0-9]{10}) ([0-9]{20})\n\Z')
_BUFFER = 1 << 18
_SLACK = 1 << 18
_LONGEST_HEADER = 1 << 16

_held = set()


class _Slots:
    """The two files, of which each save overwrites the older and waits for the disk; so one of them is always whole."""

    def __init__(self, paths, key, missing):
        self.paths = paths
        self.files = [None, None]
        # How long each is since its last save here.
        self.lengths = [None, None]
        self.newest = None
        # Whether the newest is known to be on the disk, and not only in the memory of this machine.
        self.lasting = False
        self.found = None
        self.lock = None
        self.place = os.path.join(os.path.realpath(os.path.dirname(paths[0])), os.path.basename(paths[0]))
        try:
            self.take_lock()
            looked = [self.look(0), self.look(1)]
            self.choose(looked, key, missing)
        except BaseException as error:
            self.close()
            if isinstance(error, OSError):
                raise CheckpointError('cannot read %s: %s' % (error.filename or paths[0], error.strerror)) from error
            raise

    def take_lock(self):
        """Keeps others away. A lock of fcntl is the process's: children do not keep it alive."""
        busy = '%s is in use by another %s: two that save into the same files would spoil both'
        if self.place in _held:
            raise CheckpointError(busy % (self.paths[0], 'part of this program'))
        self.files[0] = os.open(self.paths[0], os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.lockf(self.files[0], fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CheckpointError(busy % (self.paths[0], 'process')) from error
        except PermissionError as error:
            raise CheckpointError(busy % (self.paths[0], 'process')) from error
        except OSError:
            # A file system that knows no locks.
            pass
        self.lock = self.place
        _held.add(self.place)

    def look(self, slot):
        """(None, header, where its payload is) of a file that is whole, or what is wrong with it."""
        if self.files[slot] is None:
            try:
                self.files[slot] = os.open(self.paths[slot], os.O_RDWR | os.O_CLOEXEC)
            except FileNotFoundError:
                return 'is not there', None, None
        file = self.files[slot]
        length = os.fstat(file).st_size
        if not length:
            return 'is empty', None, None
        line = _read(file, _LINE, 0)
        if len(line) < _LINE:
            return 'ends too early', None, None
        if line == _UNFINISHED:
            return 'is unfinished (its save was interrupted)', None, None
        first = _FIRST.match(line)
        if first is None or int(first.group(2)) > _LONGEST_HEADER or int(first.group(3)) >= 1 << 64:
            return 'is damaged (first line)', None, None
        start = _LINE + int(first.group(2))
        end = start + int(first.group(3))
        if end > length:
            return 'ends too early', None, None
        text = _read(file, start - _LINE, _LINE)
        checksum, offset = zlib.crc32(text), start
        while offset < end:
            part = _read(file, min(_BUFFER, end - offset), offset)
            if not part:
                return 'ends too early', None, None
            checksum = zlib.crc32(part, checksum)
            offset += len(part)
        checksum = zlib.crc32(line[20:51], checksum)
        if checksum != int(first.group(1), 16):
            return 'is damaged (checksum)', None, None
        try:
            header = json.loads(text.decode())
            if header['format'] == 1 and {'key', 'loop', 'version', 'generation', 'done'} - set(header):
                return 'is damaged (header)', None, None
        except (ValueError, KeyError, TypeError, RecursionError):
            return 'is damaged (header)', None, None
        if header['format'] != 1:
            raise CheckpointError('%s has format %s, which a later version of the library wrote; this one reads format 1'
                                  % (self.paths[slot], header['format']))
        return None, header, (start, end)

    def choose(self, looked, key, missing):
        """Takes the newer one; `missing` says what a whole one is of no use without."""
        parted = False
        while self.newest is None:
            whole = [slot for slot in (0, 1) if looked[slot][0] is None]
            if not whole:
                break
            newest = max(whole, key=lambda slot: looked[slot][1]['generation'])
            without = missing(looked[newest][1])
            if without is None:
                self.newest = newest
                _, self.found, self.where = looked[newest]
            else:
                parted = True
                looked[newest] = without, None, None
        wrong = [looked[0][0], looked[1][0]]
        absent = ('is not there', 'is empty')
        if self.newest is None:
            # The second is made after the first is whole.
            if wrong[0] in absent and wrong[1] == 'is not there':
                return
            if wrong[1] == 'is not there' and not parted:
                self.say('checkpoint %s: %s %s and is the first; starting anew' % (key, self.paths[0], wrong[0]))
                return
            raise CheckpointError('the checkpoint `%s` is lost: %s %s, %s %s; rm %s starts anew' % (
                key, self.paths[0], wrong[0], self.paths[1], wrong[1], self.shown()))
        other = 1 - self.newest
        if wrong[other] is not None and (other == 0 or wrong[other] not in absent):
            self.say('checkpoint %s: %s %s; going on from %s' % (
                key, self.paths[other], wrong[other], self.paths[self.newest]))

    @staticmethod
    def say(text):
        try:
            sys.stderr.write(text + '\n')
        except (OSError, ValueError, AttributeError):
            # Nobody is there to read it.
            pass

    def path(self):
        return self.paths[self.newest or 0]

    def target(self):
        return self.paths[0 if self.newest is None else 1 - self.newest]

    def shown(self):
        return ' '.join(shlex.quote(path) for path in self.paths)

    def payload(self):
        start, end = self.where
        return _read(self.files[self.newest], end - start, start)

    def save(self, header, state, pickled):
        target = 0 if self.newest is None else 1 - self.newest
        if self.newest is not None and not self.lasting:
            # An earlier process may have been killed between its last write and the disk's answer.
            _sync(self.files[self.newest])
        self.lasting = True
        if self.files[target] is None:
            self.files[target] = os.open(self.paths[target], os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        file = self.files[target]
        # Once it was asked for, the kernel gives the next write a time of its own, which goes through the file system's journal and makes
        # a small save half as long again: so it is remembered.
        before, self.lengths[target] = self.lengths[target], None
        if before is None:
            before = os.fstat(file).st_size
        if not before:
            _sync_folder(os.path.dirname(self.paths[target]) or '.')
        length = _Writer(file).write(header, state, pickled)
        if before // 2 > length + _SLACK:
            os.ftruncate(file, length)
            before = length
        _sync(file)
        self.lengths[target] = max(before, length)
        self.newest = target

    def close(self):
        for slot, file in enumerate(self.files):
            if file is not None:
                os.close(file)
                self.files[slot] = None
        if self.lock is not None:
            _held.discard(self.lock)
            self.lock = None


def _read(file, count, offset):
    """So many bytes, fewer where the file ends before."""
    parts = []
    while count:
        part = os.pread(file, count, offset)
        if not part:
            break
        parts.append(part)
        count -= len(part)
        offset += len(part)
    return parts[0] if len(parts) == 1 else b''.join(parts)


def _write(file, data, offset):
    view = memoryview(data)
    while view:
        written = os.pwrite(file, view, offset)
        view = view[written:]
        offset += written


def _sync(file):
    getattr(os, 'fdatasync', os.fsync)(file)


def _make_folder(folder):
    """Makes it and those above it, so that they last through a loss of power."""
    missing = []
    above = folder
    while not os.path.exists(above):
        missing.append(above)
        above = os.path.dirname(above)
    os.makedirs(folder, exist_ok=True)
    for made in missing:
        _sync_folder(os.path.dirname(made))


def _sync_folder(folder):
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    except OSError as error:
        # Some network file systems refuse to sync a folder: they keep names by themselves.
        if error.errno != 22:
            raise
    finally:
        os.close(file)


# The payload: MessagePack

_WIDE, _TUPLE, _HEAD, _SCALAR, _PICKLE, _BYTEARRAY = 1, 2, 3, 4, 5, 6

#: Deeper is taken for a container that contains itself.
_DEEPEST = 200

#: So many floats are packed at once.
_FLOATS = 1024
_PACK_FLOATS = struct.Struct('>' + 'Bd' * _FLOATS)


class _Unreadable(Exception):
    pass


class _Packed:
    """A state that is packed, in memory."""

    def __init__(self):
        self.data = bytearray()
        self.put = self.data.extend

    def write(self, put):
        with memoryview(self.data) as view:
            for start in range(0, len(view), _BUFFER):
                put(view[start:start + _BUFFER])


class _Writer:
    """Writes a checkpoint, and keeps no more of it than a buffer."""

    def __init__(self, file):
        self.file = file
        self.buffer = bytearray()
        self.offset = 0
        self.checksum = 0

    def write(self, header, state, pickled):
        text = json.dumps(header, separators=(',', ':'), ensure_ascii=False).encode() + b'\n'
        self.buffer += _UNFINISHED
        self.put(text)
        if type(state) is _Packed:
            state.write(self.put)
        else:
            _pack(self.put, state, pickled, 'the state', 0)
        payload = self.offset + len(self.buffer) - _LINE - len(text)
        lengths = b'%010d %020d' % (len(text), payload)
        # The first line is no part of the checksum, and the lengths in it end it.
        unread = memoryview(self.buffer)[_LINE if not self.offset else 0:]
        checksum = zlib.crc32(lengths, zlib.crc32(unread, self.checksum))
        unread.release()
        line = b'SPLITCKPT1 %08x %s\n' % (checksum, lengths)
        if not self.offset:
            self.buffer[:_LINE] = line
            _write(self.file, self.buffer, 0)
        else:
            _write(self.file, self.buffer, self.offset)
            _write(self.file, line, 0)
        return _LINE + len(text) + payload

    def put(self, data):
        self.buffer += data
        if len(self.buffer) >= _BUFFER:
            with memoryview(self.buffer) as view:
                self.checksum = zlib.crc32(view[_LINE if not self.offset else 0:], self.checksum)
                _write(self.file, view, self.offset)
            self.offset += len(self.buffer)
            self.buffer = bytearray()


def _pack(put, value, pickled, where, depth):
    kind = type(value)
    if kind is float:
        put(struct.pack('>Bd', 0xcb, value))
    elif kind is int:
        _pack_int(put, value)
    elif kind is str:
        try:
            data = value.encode()
        except UnicodeEncodeError as error:
            raise CheckpointError('%s cannot be saved: a text that is not Unicode' % where) from error
        put(_head(len(data), 0xa0, 32, 0xd9, where) + data)
    elif value is None:
        put(b'\xc0')
    elif kind is bool:
        put(b'\xc3' if value else b'\xc2')
    elif kind is bytes:
        _pack_bytes(put, value, where)
    elif kind is bytearray:
        _pack_extension(put, _BYTEARRAY, value, where)
    elif depth > _DEEPEST:
        raise CheckpointError('%s... cannot be saved: it is nested too deeply, or contains itself' % where[:60])
    elif kind is list:
        put(_head(len(value), 0x90, 16, 0xdb, where))
        _pack_items(put, value, pickled, where, depth)
    elif kind is dict:
        put(_head(len(value), 0x80, 16, 0xdd, where))
        for key, item in value.items():
            _pack(put, key, pickled, 'the key %r of %s' % (key, where), depth + 1)
            _pack(put, item, pickled, '%s[%r]' % (where, key), depth + 1)
    elif kind is tuple:
        inner = bytearray()
        put_inner = inner.extend
        put_inner(_head(len(value), 0x90, 16, 0xdb, where))
        _pack_items(put_inner, value, pickled, where, depth)
        _pack_extension(put, _TUPLE, inner, where)
    elif _is_array(value) and _is_plain(value.dtype):
        _pack_array(put, value, where)
    elif _is_numpy(value, 'generic') and _is_plain(value.dtype):
        inner = bytearray()
        _pack(inner.extend, [value.dtype.str, value.tobytes()], False, where, depth + 1)
        _pack_extension(put, _SCALAR, inner, where)
    elif pickled:
        import pickle
        _pack_extension(put, _PICKLE, pickle.dumps(value, protocol=4), where)
    else:
        raise CheckpointError(
            '%s is a %s, which cannot be saved; a state is made of None, bool, int, float, str, bytes, bytearray, list, tuple, '
            'dict and numpy arrays, or pickle=True keeps objects as well' % (where, kind.__name__))


def _pack_items(put, items, pickled, where, depth):
    if len(items) > 16 and set(map(type, items)) == {float}:
        for start in range(0, len(items), _FLOATS):
            part = items[start:start + _FLOATS]
            mixed = [0xcb] * (2 * len(part))
            mixed[1::2] = part
            packer = _PACK_FLOATS if len(part) == _FLOATS else struct.Struct('>' + 'Bd' * len(part))
            put(packer.pack(*mixed))
        return
    for place, item in enumerate(items):
        _pack(put, item, pickled, '%s[%d]' % (where, place) if depth < 8 else where, depth + 1)


def _pack_int(put, value):
    # In as few bytes as possible, as Rust does it.
    if value >= 0:
        if value < 1 << 7:
            return put(struct.pack('>B', value))
        kinds = ((0xcc, '>BB', 1 << 8), (0xcd, '>BH', 1 << 16), (0xce, '>BI', 1 << 32), (0xcf, '>BQ', 1 << 64))
    else:
        if value >= -1 << 5:
            return put(struct.pack('>b', value))
        kinds = ((0xd0, '>Bb', 1 << 7), (0xd1, '>Bh', 1 << 15), (0xd2, '>Bi', 1 << 31), (0xd3, '>Bq', 1 << 63))
    for code, form, limit in kinds:
        if -limit <= value < limit:
            return put(struct.pack(form, code, value))
    # One bit for the sign.
    bits = (value if value >= 0 else ~value).bit_length() + 1
    _pack_extension(put, _WIDE, value.to_bytes((bits + 7) // 8, 'little', signed=True), 'a number')


def _pack_bytes(put, data, where):
    count = len(data)
    if count < 1 << 8:
        put(struct.pack('>BB', 0xc4, count))
    elif count < 1 << 16:
        put(struct.pack('>BH', 0xc5, count))
    else:
        _check_length(count, where)
        put(struct.pack('>BI', 0xc6, count))
    with memoryview(data) as view:
        for start in range(0, count, _BUFFER):
            put(view[start:start + _BUFFER])


def _pack_extension(put, tag, data, where):
    count = len(data)
    if count in (1, 2, 4, 8, 16):
        put(struct.pack('>Bb', 0xd3 + count.bit_length(), tag))
    elif count < 1 << 8:
        put(struct.pack('>BBb', 0xc7, count, tag))
    elif count < 1 << 16:
        put(struct.pack('>BHb', 0xc8, count, tag))
    else:
        _check_length(count, where)
        put(struct.pack('>BIb', 0xc9, count, tag))
    put(data)


def _pack_array(put, array, where):
    import numpy
    order = 'F' if array.flags.f_contiguous and not array.flags.c_contiguous else 'C'
    head = bytearray()
    _pack(head.extend, [array.dtype.str, list(array.shape), order], False, where, 0)
    flat = array.ravel(order=order)
    data = memoryview(flat.view(numpy.uint8)) if flat.nbytes else memoryview(b'')
    part = 1 << 20
    starts = range(0, len(data), part)
    put(_head(1 + len(starts), 0x90, 16, 0xdb, where))
    _pack_extension(put, _HEAD, head, where)
    for start in starts:
        _pack_bytes(put, data[start:start + part], where)


def _head(count, fix, limit, code, where):
    """The head of a text, an array or a map: in one byte, or by the length of its length."""
    if count < limit:
        return struct.pack('>B', fix | count)
    if code == 0xd9 and count < 1 << 8:
        return struct.pack('>BB', code, count)
    # A text has 0xda and 0xdb for longer ones; arrays (0xdc, 0xdd) and maps (0xde, 0xdf) begin there.
    code = {0xd9: 0xda, 0xdb: 0xdc, 0xdd: 0xde}[code]
    if count < 1 << 16:
        return struct.pack('>BH', code, count)
    _check_length(count, where)
    return struct.pack('>BI', code + 1, count)


def _check_length(count, where):
    if count >= 1 << 32:
        raise CheckpointError('%s cannot be saved: it is longer than MessagePack\'s 4294967295' % where)


def _is_numpy(value, name):
    """Whether it is one of numpy's, which is not imported for this."""
    numpy = sys.modules.get('numpy')
    return numpy is not None and isinstance(value, getattr(numpy, name, ()))


def _is_array(value):
    return type(value).__name__ == 'ndarray' and _is_numpy(value, 'ndarray')


def _is_plain(dtype):
    return dtype.kind in 'biufcSUMm' and dtype.names is None and dtype.itemsize > 0


def _unpack(data, pickled):
    reader = _Reader(data, pickled)
    value = reader.value(0)
    if type(value) is _ArrayHead or reader.offset != len(data):
        raise _Unreadable('more or less than one value')
    return value


class _ArrayHead:
    def __init__(self, name, shape, order):
        self.name, self.shape, self.order = name, shape, order


class _Reader:
    _NUMBERS = {0xca: '>f', 0xcb: '>d', 0xcc: '>B', 0xcd: '>H', 0xce: '>I', 0xcf: '>Q',
                0xd0: '>b', 0xd1: '>h', 0xd2: '>i', 0xd3: '>q'}
    _NUMBERS = {code: struct.Struct(form) for code, form in _NUMBERS.items()}
    _PLAIN = {0xc0: None, 0xc2: False, 0xc3: True}

    def __init__(self, data, pickled):
        self.data, self.pickled, self.offset = data, pickled, 0

    def take(self, count):
        start = self.offset
        if count > len(self.data) - start:
            raise _Unreadable('it ends too early')
        self.offset = start + count
        return self.data[start:start + count]

    def number(self, count):
        return int.from_bytes(self.take(count), 'big')

    def value(self, depth):
        if depth > _DEEPEST:
            raise _Unreadable('it is nested too deeply')
        code = self.take(1)[0]
        if code < 0x80:
            return code
        if code >= 0xe0:
            return code - 0x100
        packed = self._NUMBERS.get(code)
        if packed is not None:
            return packed.unpack(self.take(packed.size))[0]
        if code in self._PLAIN:
            return self._PLAIN[code]
        if code < 0x90:
            return self.dict(code & 0x0f, depth)
        if code < 0xa0:
            return self.list(code & 0x0f, depth)
        if code < 0xc0:
            return str(self.take(code & 0x1f), 'utf-8')
        if 0xc4 <= code <= 0xc6:
            return bytes(self.take(self.number(1 << (code - 0xc4))))
        if 0xc7 <= code <= 0xc9:
            count = self.number(1 << (code - 0xc7))
            return self.extension(count, depth)
        if 0xd4 <= code <= 0xd8:
            return self.extension(1 << (code - 0xd4), depth)
        if 0xd9 <= code <= 0xdb:
            return str(self.take(self.number(1 << (code - 0xd9))), 'utf-8')
        if code in (0xdc, 0xdd):
            return self.list(self.number(2 << (code - 0xdc)), depth)
        if code in (0xde, 0xdf):
            return self.dict(self.number(2 << (code - 0xde)), depth)
        raise _Unreadable('the byte 0x%02x stands for nothing' % code)

    def list(self, count, depth):
        if count > len(self.data) - self.offset:
            raise _Unreadable('it ends too early')
        items = [self.value(depth + 1) for _ in range(count)]
        return _array(items) if items and type(items[0]) is _ArrayHead else items

    def dict(self, count, depth):
        if 2 * count > len(self.data) - self.offset:
            raise _Unreadable('it ends too early')
        items = {}
        for _ in range(count):
            key = self.value(depth + 1)
            items[key] = self.value(depth + 1)
        return items

    def extension(self, count, depth):
        tag = struct.unpack('>b', self.take(1))[0]
        data = self.take(count)
        if tag == _WIDE:
            return int.from_bytes(data, 'little', signed=True)
        if tag == _PICKLE:
            if not self.pickled:
                raise _Unreadable('an object that was kept with pickle=True, which runs code when it is read')
            import pickle
            return pickle.loads(data)
        if tag == _BYTEARRAY:
            return bytearray(data)
        if tag not in (_TUPLE, _HEAD, _SCALAR):
            raise _Unreadable('the extension %d, which this library does not know' % tag)
        inner = _Reader(data, self.pickled)
        items = inner.value(depth + 1)
        if type(items) is not list or inner.offset != count:
            raise _Unreadable('the extension %d holds no list' % tag)
        if tag == _TUPLE:
            return tuple(items)
        if tag == _HEAD:
            name, shape, order = items
            return _ArrayHead(name, shape, order)
        name, data = items
        return _numpy().frombuffer(data, dtype=name)[0]


def _numpy():
    try:
        import numpy
    except ImportError as error:
        raise _Unreadable('an array of numpy, which this Python does not have') from error
    return numpy


def _array(items):
    head, parts = items[0], items[1:]
    if any(type(part) is not bytes for part in parts):
        raise _Unreadable('an array of something else than bytes')
    numpy = _numpy()
    dtype = numpy.dtype(head.name)
    if not _is_plain(dtype):
        raise _Unreadable('an array of the type %s' % head.name)
    # Of a bytearray, so that it may be written to.
    flat = numpy.frombuffer(bytearray(b''.join(parts)), dtype=dtype) if parts else numpy.empty(0, dtype)
    return flat.reshape(tuple(head.shape), order=head.order)
