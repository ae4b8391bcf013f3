"""The library for Python: what it keeps, what it refuses, and what it survives."""

import contextlib
import io
import math
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import unittest

import split_checkpoint
from split_checkpoint import Checkpoint, CheckpointError, Done, Interrupted, Output, interval, steps, until

try:
    import numpy
except ImportError:
    numpy = None


class Case(unittest.TestCase):
    def setUp(self):
        # In memory, where there is such a place: thousands of saves wait for nobody's disk.
        self.folder = tempfile.mkdtemp(dir='/dev/shm' if os.access('/dev/shm', os.W_OK) else None)
        self.addCleanup(shutil.rmtree, self.folder)
        os.chdir(self.folder)

    def path(self, slot, name='sum'):
        return os.path.join('checkpoints', '%s.%s.checkpoint' % (name, slot))

    def bytes(self, slot, name='sum'):
        with open(self.path(slot, name), 'rb') as file:
            return file.read()

    def put(self, slot, data, name='sum'):
        with open(self.path(slot, name), 'wb') as file:
            file.write(data)

    def again(self, state, **settings):
        """What is read of what was written."""
        with Checkpoint('again', **settings) as checkpoint:
            checkpoint.resume()
            checkpoint.save(state)
        with Checkpoint('again', **settings) as checkpoint:
            there = checkpoint.resume()
        shutil.rmtree('checkpoints')
        return there

    def refused(self, part, function, *words, **settings):
        with self.assertRaises(CheckpointError) as caught:
            function(*words, **settings)
        self.assertIn(part, str(caught.exception))
        self.assertNotIn('\n', str(caught.exception))


def save(generations, **settings):
    """So many saves, each of a process of its own, as far as files can tell."""
    for generation in range(1, generations + 1):
        with Checkpoint('sum', **settings) as checkpoint:
            checkpoint.resume()
            checkpoint.save(state_of(generation))


def state_of(generation):
    return {'generation': generation, 'data': 'x' * (generation * 37 % 100)}


def found(notice=None):
    """The generation that is found, and what is said."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        with Checkpoint('sum') as checkpoint:
            there = checkpoint.resume({'generation': 0})
    if there['generation']:
        assert there == state_of(there['generation']), there
    if notice is not None:
        assert notice in said.getvalue(), said.getvalue()
    assert said.getvalue().count('\n') <= 1
    return there['generation']


def anything(chance, depth=0):
    kinds = [
        lambda: None, lambda: True, lambda: False, lambda: chance.choice([0.0, -0.0, math.inf, 5e-324, chance.random()]),
        lambda: chance.choice([1, -1]) * (1 << chance.randrange(300)) + chance.randrange(-2, 3),
        lambda: chance.randrange(-40000, 70000), lambda: '\u20acx' * chance.randrange(40), lambda: bytes(chance.randrange(400)),
    ]
    if depth < 4:
        kinds += [
            lambda: [anything(chance, depth + 1) for _ in range(chance.randrange(20))],
            lambda: tuple(anything(chance, depth + 1) for _ in range(chance.randrange(6))),
            lambda: {key: anything(chance, depth + 1) for key in ['', 'a', 1, -5, None, True, 2.5, (1, 'x'), b'x'][:chance.randrange(9)]},
            lambda: [chance.random() for _ in range(chance.randrange(3000))],
        ] * 2
    return chance.choice(kinds)()


def typed(value):
    """The value with the types of all that is in it, for 1 == 1.0 == True."""
    if type(value) in (list, tuple):
        return type(value).__name__, [typed(item) for item in value]
    if type(value) is dict:
        return [(typed(key), typed(item)) for key, item in value.items()]
    return type(value).__name__, repr(value)


class Values(Case):
    def test_everything_comes_back_as_it_was(self):
        chance = random.Random(1)
        for _ in range(150):
            state = anything(chance)
            self.assertEqual(typed(self.again(state)), typed(state))

    def test_the_ends_of_each_kind_of_number(self):
        numbers = [sign * (1 << bits) + more for bits in range(130) for sign in (1, -1) for more in (-1, 0, 1)]
        self.assertEqual(self.again(numbers), numbers)

    def test_lengths(self):
        for count in (0, 1, 15, 16, 17, 31, 32, 255, 256, 65535, 65536, 300000):
            for state in ('x' * count, b'x' * count, [1] * count, [0.5] * count, (None,) * count, {i: i for i in range(count)}):
                self.assertEqual(self.again(state), state)

    def test_a_random_generator(self):
        generator = random.Random(5)
        there = self.again(generator.getstate())
        other = random.Random()
        other.setstate(there)
        self.assertEqual(generator.random(), other.random())

    def test_nan(self):
        self.assertTrue(math.isnan(self.again(math.nan)))

    def test_what_cannot_be_kept_is_named(self):
        class Own(dict):
            pass

        cycle = []
        cycle.append(cycle)
        for state, part in [({'a': [1, {2}]}, "the state['a'][1] is a set"), (Own(), 'the state is a Own'),
                            ({'f': len}, "the state['f'] is a builtin_function_or_method"), (cycle, 'contains itself'),
                            ({'t': '\ud800'}, 'not Unicode')]:
            with Checkpoint('odd') as checkpoint:
                checkpoint.resume()
                self.refused(part, checkpoint.save, state)

    def test_pickle_only_if_asked_for(self):
        self.assertEqual(self.again({'a': {1, 2}}, pickle=True), {'a': {1, 2}})
        with Checkpoint('set', pickle=True) as checkpoint:
            checkpoint.resume()
            checkpoint.save({1, 2})
        with Checkpoint('set') as checkpoint:
            self.refused('pickle=True, which runs code', checkpoint.resume)

    @unittest.skipIf(numpy is None, 'numpy is not here')
    def test_arrays(self):
        chance = numpy.random.RandomState(1)
        for array in [chance.rand(3), chance.rand(400, 700), numpy.asfortranarray(chance.rand(5, 6)), chance.rand(9, 9)[::2, 1:],
                      numpy.zeros((0, 3)), numpy.array(2.5), numpy.arange(5, dtype='>i4'), numpy.array(['a', 'bcd']),
                      numpy.array(['2024-02-29'], dtype='M8[D]'), chance.rand(4) > 0.5, chance.rand(3).astype('f4') * 1j]:
            there = self.again({'x': array})['x']
            self.assertEqual((there.dtype, there.shape), (array.dtype, array.shape))
            self.assertTrue((there == array).all() and there.flags.writeable)
            self.assertEqual(there.flags.f_contiguous and not there.flags.c_contiguous,
                             array.flags.f_contiguous and not array.flags.c_contiguous)
        packed = bytearray()
        split_checkpoint._pack(packed.extend, numpy.array([1.0]), False, '', 0)
        # What the Rust library writes for a vector of one number.
        self.assertEqual(packed, b'\x92\xc7\x09\x03\x93\xa3<f8\x91\x01\xa1C\xc4\x08' + b'\0' * 6 + b'\xf0\x3f')
        number = numpy.float32(0.1)
        self.assertEqual(typed(self.again([number])), typed([number]))
        with Checkpoint('odd') as checkpoint:
            checkpoint.resume()
            self.refused('ndarray', checkpoint.save, numpy.array([{}]))
        state = numpy.zeros(3)
        for i in steps('array', range(10), state):
            state += i
        state = numpy.zeros(3)
        self.assertEqual(list(steps('array', range(10), state)), [])
        self.assertEqual(list(state), [45.0] * 3)
        self.refused('another type or shape', steps, 'array', range(10), numpy.zeros(4))


class Loops(Case):
    def test_it_goes_on_where_it_was(self):
        for every in (1, 3, 7):
            state, seen = {'total': 0}, []
            for stop in (5, 20, 21, 77, 1000):
                state = {'total': 0}
                for i in steps('sum/%d' % every, range(0, 200, 2), state, every_steps=every, folder=str(every)):
                    state['total'] += i
                    seen.append(i)
                    if i >= stop:
                        break
            self.assertEqual(state['total'], sum(range(0, 200, 2)))
            self.assertEqual(sorted(set(seen)), list(range(0, 200, 2)))
            self.assertLess(len(seen), 100 + 4 * (every + 1))

    def test_the_end_is_recorded(self):
        for _ in range(3):
            state = [0]
            for i in steps('sum/1', range(1, 101), state):
                state[0] += i
            self.assertEqual(state, [5050])

        def newton(state):
            better = (state['x'] + 2 / state['x']) / 2
            if better == state['x']:
                return Done(better)
            state['x'] = better

        root = until('newton/2', {'x': 1.0}, newton)
        self.assertEqual(until('newton/2', {'x': 1.0}, lambda state: 1 / 0), root)
        self.assertAlmostEqual(root * root, 2)
        with Checkpoint('own') as checkpoint:
            checkpoint.resume()
            checkpoint.finish('end')
            self.refused('is done', checkpoint.tick, 'more')
        with Checkpoint('own') as checkpoint:
            self.assertTrue(checkpoint.is_done())
            self.assertEqual(checkpoint.resume('first'), 'end')
            self.refused('is done', checkpoint.tick, 'more')
            checkpoint.finish('other')
        with Checkpoint('own') as checkpoint:
            self.assertEqual(checkpoint.resume(), 'end')

    def test_until_is_interrupted(self):
        def step_to(stop):
            def step(state):
                state['n'] += 1
                if state['n'] == stop:
                    raise ZeroDivisionError
                return Done(state['n']) if state['n'] == 50 else None
            return step

        for stop in (10, 30):
            self.assertRaises(ZeroDivisionError, until, 'n', {'n': 0}, step_to(stop), every_steps=1)
        calls = []
        end = step_to(None)
        self.assertEqual(until('n', {'n': 0}, lambda state: calls.append(1) or end(state), every_steps=1), 50)
        self.assertEqual(len(calls), 50 - 29)

    def test_what_was_written_for_something_else(self):
        list(steps('sum/1', range(10), {}))
        self.refused('the key `sum/1`, and this is `sum/2`; rm ', steps, 'sum/2', range(10), {})
        self.refused('the loop `range 0..10`, and this is `range 0..11`', steps, 'sum/1', range(11), {})
        self.refused('`range 0..10:3`', steps, 'sum/1', range(0, 10, 3), {})
        self.refused('this is `until`', until, 'sum/1', {}, None)
        self.refused('this is `own`', Checkpoint, 'sum/1')
        self.refused('a dict, and no list', steps, 'sum/1', range(10), [])
        os.environ['SPLIT_CHECKPOINT_KEY'] = 'plan 1'
        try:
            self.refused('the identity ``, and this is `plan 1`', steps, 'sum/1', range(10), {})
        finally:
            del os.environ['SPLIT_CHECKPOINT_KEY']

    def test_older_layouts(self):
        with Checkpoint('v', version=1) as checkpoint:
            checkpoint.resume()
            checkpoint.save([7])
        with Checkpoint('v', version=2) as checkpoint:
            self.refused('holds version 1 of the state, and the program\'s is 2', checkpoint.resume)
        with Checkpoint('v', version=0, migrate=lambda version, state: state) as checkpoint:
            self.refused('holds version 1', checkpoint.resume)
        with Checkpoint('v', version=2, migrate=lambda version, state: {'version': version, 'state': state}) as checkpoint:
            self.assertEqual(checkpoint.resume(), {'version': 1, 'state': [7]})

    def test_nonsense(self):
        for part, settings in [('no setting', {'evry': 1}), ('exclude', {'every': 1, 'every_steps': 1}), ('every_steps', {'every_steps': 0}),
                               ('interrupted_every', {'interrupted_every': 0}), ('every is', {'every': '5'}), ('every is', {'every': -1}),
                               ('at_most_every is', {'at_most_every': math.nan}), ('version', {'version': -1}),
                               ('cannot make', {'folder': '/proc/none'})]:
            self.refused(part, Checkpoint, 'sum', **settings)
        for key in ('', '/1', '../x', '.x', '-x', 'a b', 'a/\n', '\xe4', 'x' * 101, 'x/' + 'y' * 5000, 7):
            self.refused('the key', Checkpoint, key)
        self.refused('range(len(things))', steps, 'sum', [1, 2], {})
        self.refused('in place', steps, 'sum', range(3), 0)
        self.refused('None to go on or Done(answer)', until, 'n', {}, lambda state: 5)
        with Checkpoint('sum') as checkpoint:
            self.refused('resume() comes before', checkpoint.tick, 1)
        self.refused('was closed', checkpoint.tick, 1)
        for value in ('soon', '0', '-1', 'nan', 'inf'):
            os.environ['SPLIT_INTERRUPTION_SECONDS'] = value
            try:
                self.refused('SPLIT_INTERRUPTION_SECONDS is `%s`' % value, Checkpoint, 'sum')
            finally:
                del os.environ['SPLIT_INTERRUPTION_SECONDS']

    def test_the_working_folder_may_change(self):
        with Checkpoint('sum') as checkpoint:
            checkpoint.resume()
            checkpoint.save(1)
            os.mkdir('elsewhere')
            os.chdir('elsewhere')
            checkpoint.save(2)
        os.chdir('..')
        with Checkpoint('sum') as checkpoint:
            self.assertEqual(checkpoint.resume(), 2)

    def test_two_at_once(self):
        with Checkpoint('sum'):
            self.refused('another part of this program', Checkpoint, 'sum/2')
            other = subprocess.run([sys.executable, '-c', 'from split_checkpoint import *; Checkpoint("sum")'],
                                   stderr=subprocess.PIPE)
            self.assertIn(b'another process', other.stderr)
        Checkpoint('sum').close()

    def test_when_a_save_is_due(self):
        def saves(**settings):
            folder = tempfile.mkdtemp(dir='.')
            with Checkpoint('sum', folder=folder, **settings) as checkpoint:
                checkpoint.resume()
                end, ticks = time.monotonic() + 0.2, 0
                while time.monotonic() < end and ticks < settings.get('every_steps', 10 ** 9) * 5:
                    checkpoint.tick({})
                    ticks += 1
                return checkpoint._engine.header['generation']

        self.assertEqual(saves(every_steps=10), 5)
        self.assertEqual(saves(every_steps=10, at_most_every=3600), 0)
        self.assertEqual(saves(every=3600), 0)
        self.assertTrue(2 <= saves(every=0.01) <= 20)
        self.assertTrue(1 <= saves(interrupted_every=0.3) <= 200)
        self.assertEqual(saves(), 0)

    def test_the_interval(self):
        for cost, interruption, expected in [(0.05, 7200, 26.8), (10, 14400, 530), (60, 14400, 1275), (10, 3, 3)]:
            self.assertAlmostEqual(interval(cost, interruption) / expected, 1, delta=0.01)


class Mistakes(Case):
    """What a program that is right as long as nobody kills it may have wrong."""

    def steps_to(self, stop, state, change, **settings):
        for i in steps('sum/1', range(1, 101), state, **settings):
            if i == stop:
                break
            change(i)

    def said(self, function, *words, **settings):
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            function(*words, **settings)
        return said.getvalue()

    def test_a_state_that_is_another_object(self):
        def rebinds():
            state = [1]
            for i in steps('sum/1', range(1, 101), state):
                state = state + [i]

        def goes_on():
            state = mine = [0]
            for i in steps('sum/2', range(1, 101), state):
                state[0] += i
                mine = None
            self.assertIsNone(mine)

        self.refused('`state` is another object than the state of `sum/1`', rebinds)
        goes_on()

    def test_a_state_that_does_not_change(self):
        outside = []
        said = self.said(self.steps_to, 50, {'total': 0}, outside.append, every_steps=30)
        self.assertIn('sum/1: the state has not changed in 29 steps', said)
        self.assertEqual(said.count('\n'), 1)
        shutil.rmtree('checkpoints')
        state = {'total': 0}
        self.assertEqual(self.said(self.steps_to, 0, state, lambda i: state.update(total=i), every_steps=30), '')
        shutil.rmtree('checkpoints')
        # Nothing is kept, on purpose.
        self.assertEqual(self.said(self.steps_to, 0, {}, outside.append, every_steps=30), '')

    def test_what_is_inside_is_restored_in_place(self):
        for stop in (40, 0):
            grid, deep, both = [0] * 4, {'a': [1, [0]]}, bytearray(3)
            inner, state = deep['a'][1], {'grid': grid, 'deep': deep, 'both': [both, both], 'pair': ([0], 1)}
            pair = state['pair'][0]

            def change(i):
                grid[0] += i
                inner[0] += i
                both[0] = i
                pair[0] += i

            self.steps_to(stop, state, change, every_steps=7)
        self.assertEqual((grid[0], inner[0], both[0], pair[0]), (5050, 5050, 100, 5050))
        self.assertEqual(state, {'grid': grid, 'deep': deep, 'both': [both, both], 'pair': ([5050], 1)})
        self.assertIs(state['both'][0], state['both'][1])

    def test_what_has_another_length_inside(self):
        for stop in (40, 0):
            seen = []
            state = {'seen': seen, 'last': None}

            def change(i):
                seen.append(i)
                state['last'] = [i]

            self.steps_to(stop, state, change, every_steps=7)
        self.assertEqual(seen, list(range(1, 101)))

    def test_a_bytearray_stays_one(self):
        there = self.again({'bits': bytearray(b'\x00\x01'), 'bytes': b'12'})
        self.assertEqual(typed(there), typed({'bits': bytearray(b'\x00\x01'), 'bytes': b'12'}))
        for count in (0, 1, 255, 256, 65535, 65536):
            self.assertEqual(typed(self.again(bytearray(count))), typed(bytearray(count)))
        for stop in (40, 0):
            state = bytearray(1)
            self.steps_to(stop, state, lambda i: state.__setitem__(0, i), every_steps=7)
        self.assertEqual(state, b'd')

    def test_what_cannot_be_kept_is_found_at_the_first_step(self):
        state = {'seen': {1}}
        self.refused("the state['seen'] is a set", self.steps_to, 0, state, lambda i: self.assertEqual(i, 1))
        with Checkpoint('own', every=3600) as checkpoint:
            checkpoint.resume()
            self.refused('is a set', checkpoint.tick, {1})

    def test_a_thread_that_changes_the_state(self):
        end, state = threading.Event(), {'a': 0, 'pad': list(range(20000)), 'b': 0}
        with Checkpoint('sum', every_steps=1) as checkpoint:
            checkpoint.resume(state)

            def change(lock):
                while not end.is_set():
                    with lock:
                        state['a'] += 1
                        state['b'] += 1

            def run(lock, function):
                end.clear()
                thread = threading.Thread(target=change, args=(lock,))
                thread.start()
                try:
                    function()
                finally:
                    end.set()
                    thread.join()

            def save():
                for _ in range(20):
                    checkpoint.tick(state)

            run(checkpoint.lock, save)
            self.refused('with checkpoint.lock:', run, threading.Lock(), save)
        with Checkpoint('sum') as checkpoint:
            there = checkpoint.resume()
        self.assertEqual(there['a'], there['b'])

    def test_another_layout_is_refused_by_name(self):
        keys = {'total': 0, 'n': 0}
        self.steps_to(40, keys, lambda i: keys.update({'n': i, 'more': 1}), every_steps=7)
        self.refused("it has no 'largest'", self.steps_to, 0, {'total': 0, 'n': 0, 'largest': 0}, None)
        self.refused("the program's has no 'n'", self.steps_to, 0, {'total': 0}, None)
        self.refused("the program's has no 'n'", self.steps_to, 0, {'total': 0}, None, migrate=lambda version, state: state)
        state = {'total': 0}
        self.steps_to(0, state, lambda i: None, version=1, migrate=lambda version, old: {'total': old['n']})
        self.assertEqual(state, {'total': 35})
        with Checkpoint('own') as checkpoint:
            checkpoint.save(checkpoint.resume({'a': 1}))
        with Checkpoint('own') as checkpoint:
            self.refused("it has no 'b'", checkpoint.resume, {'a': 1, 'b': 1})

    def test_an_answer_of_another_version(self):
        until('n', {'n': 0}, lambda state: Done(5), version=1)
        self.refused('version 1 of the answer, and the program\'s is 2; version=1 gives it', until, 'n', {'n': 0}, None, version=2,
                     migrate=lambda version, state: state)
        self.assertEqual(until('n', {'n': 0}, None, version=1), 5)

    def test_seeds(self):
        # As the Rust library gives them.
        self.assertEqual([split_checkpoint.seed('', 0), split_checkpoint.seed('sum/1', 7)], [0xe220a8397b1dcdaf, 0xa5177c22a6c93c65])
        self.refused('0 to 18446744073709551615', split_checkpoint.seed, 'sum/1', -1)

    def test_nothing_is_carried_in_a_job_that_was_not_told(self):
        program = 'from split_checkpoint import *; Checkpoint("a").close(); Checkpoint("b").close()'
        for variables, lines in ({'_CONDOR_SCRATCH_DIR': '/x'}, 1), ({}, 0), ({'_CONDOR_SCRATCH_DIR': '/x', 'SPLIT_CHECKPOINT_DIR': 'y'}, 0):
            process = subprocess.run([sys.executable, '-c', program], stderr=subprocess.PIPE, env=dict(os.environ, **variables))
            self.assertEqual(process.stderr.count(b'split plan --checkpoint'), lines, process.stderr)

    @unittest.skipIf(sys.version_info < (3, 8), 'this Python parses no older ones\'')
    def test_it_is_python_3_6(self):
        import ast
        with open(split_checkpoint.__file__, encoding='utf-8') as file:
            ast.parse(file.read(), feature_version=(3, 6))

    @unittest.skipIf(numpy is None, 'numpy is not here')
    def test_arrays_inside_are_restored_in_place(self):
        for stop in (40, 0):
            grid = numpy.zeros(3)
            state = {'grid': grid, 'other': [numpy.zeros(2)]}

            def change(i):
                grid[0] += i
                state['other'][0] = numpy.full(i, 1.0)

            self.steps_to(stop, state, change, every_steps=7)
        self.assertEqual((grid[0], len(state['other'][0])), (5050.0, 100))

        def rebinds():
            total = numpy.zeros(1)
            for i in steps('array', range(1, 101), total):
                total = total + i

        self.refused('`total` is another object', rebinds)


class Damage(Case):
    def test_no_flipped_bit_and_no_truncation_is_accepted(self):
        save(2)
        whole, chance = self.bytes('b'), random.Random(2)
        self.assertEqual(found(), 2)
        for _ in range(2000):
            bit = chance.randrange(len(whole) * 8)
            flipped = bytearray(whole)
            flipped[bit // 8] ^= 1 << bit % 8
            self.put('b', flipped)
            self.assertEqual(found('sum.b.checkpoint'), 1)
        for length in range(len(whole)):
            self.put('b', whole[:length])
            self.assertEqual(found(), 1)
        self.put('b', whole + b'left of a longer one')
        self.assertEqual(found(), 2)
        self.put('b', whole)
        self.put('a', self.bytes('a')[:-1])
        self.assertEqual(found('sum.a.checkpoint ends too early; going on from'), 2)
        self.put('b', whole[:-1])
        self.refused('is lost: ', found)

    def test_a_first_save_that_was_interrupted_is_no_loss(self):
        save(1)
        self.put('a', self.bytes('a')[:70])
        self.assertEqual(found('starting anew'), 0)

    def test_two_empty_files_once_held_something(self):
        save(2)
        self.put('a', b'')
        self.put('b', b'')
        self.refused('is lost: ', found)

    def test_a_later_format(self):
        save(2)
        import zlib
        header = b'{"format":2}'
        lengths = b'%010d %020d' % (len(header), 0)
        self.put('b', b'SPLITCKPT1 %08x %s\n' % (zlib.crc32(header + lengths), lengths) + header)
        self.refused('has format 2', found)

    def test_lengths_that_nothing_stands_behind(self):
        # A list, a text, a map and an array of 4294967295: none takes the memory that it claims.
        for payload in (b'\xdd\xff\xff\xff\xff', b'\xdb\xff\xff\xff\xff', b'\xdf\xff\xff\xff\xff', b'\xc6\xff\xff\xff\xff',
                        b'\xc9\xff\xff\xff\xff\x01', b'\x91' * 100000, b'\xc1', b'', b'\x01\x02', b'\xd4\x63x', b'\xd4\x03\x90'):
            with self.assertRaises(Exception) as caught:
                split_checkpoint._unpack(payload, False)
            self.assertIn(type(caught.exception).__name__, ('_Unreadable', 'ValueError'))


class Outputs(Case):
    DUE = ''.join('%d\n' % (i * (i + 1) // 2) for i in range(1, 101))

    def run_until(self, last, **settings):
        """Is interrupted in the middle of the item after the last; says with which it began."""
        state, lines, first = {'total': 0}, Output('sums.txt'), None
        settings.setdefault('every_steps', 1)
        try:
            for i in steps('sum', range(1, 101), state, outputs=[lines], **settings):
                first = i if first is None else first
                state['total'] += i
                print(state['total'], file=lines, flush=True)
                if i > last:
                    raise KeyboardInterrupt
        except KeyboardInterrupt:
            pass
        return first

    def lines(self):
        with open('sums.txt') as file:
            return file.read()

    def shorten(self, length):
        os.truncate('sums.txt', length)

    def test_what_was_written_after_the_last_save_is_cut_off(self):
        for background in (False, True):
            for last in (0, 3, 3, 4, 50, 99, 100, 100):
                self.run_until(last, background=background)
            self.assertEqual(self.lines(), self.DUE)
            os.remove('sums.txt')
            self.assertIsNone(self.run_until(100))
            self.assertEqual(self.lines(), self.DUE)
            shutil.rmtree('checkpoints')
            os.remove('sums.txt')

    def test_a_file_that_is_shorter_or_another_one(self):
        self.run_until(30)
        length = len(self.lines().rstrip('\n').rpartition('\n')[0])
        self.shorten(length)
        with contextlib.redirect_stderr(io.StringIO()) as said:
            self.assertEqual(self.run_until(40), 30)
        self.assertIn('goes with', said.getvalue())
        self.assertEqual(self.lines(), self.DUE[:len(self.lines())])
        with open('sums.txt', 'r+') as file:
            file.seek(7)
            file.write('x')
        self.refused('which are not what was written (checksum)', self.run_until, 100)
        self.shorten(5)
        self.refused('which has 5 bytes', self.run_until, 100)
        os.remove('sums.txt')
        os.remove(os.path.join('checkpoints', 'sum@sums.txt.output'))
        self.refused('which is not there', self.run_until, 100)

    def test_either_name_is_enough(self):
        for name in ('sums.txt', os.path.join('checkpoints', 'sum@sums.txt.output')):
            self.run_until(30)
            os.remove(name)
            self.assertEqual(self.run_until(100), 31)
            self.assertEqual(self.lines(), self.DUE)
            shutil.rmtree('checkpoints')
            os.remove('sums.txt')

    def test_where_a_file_has_one_name(self):
        def link(*_):
            raise OSError(18, 'Invalid cross-device link')

        real, os.link = os.link, link
        self.addCleanup(setattr, os, 'link', real)
        self.run_until(30)
        self.assertFalse(os.path.exists('sums.txt'))
        self.run_until(100)
        self.assertEqual(self.lines(), self.DUE)
        self.assertEqual(sorted(os.listdir('.')), ['checkpoints', 'sums.txt'])

    def test_what_is_not_the_loops(self):
        with open('sums.txt', 'w') as file:
            file.write('mine')
        self.refused('is there already', self.run_until, 100)
        self.assertEqual(self.lines(), 'mine')
        os.remove('sums.txt')
        self.run_until(30)
        self.refused('was saved with the output sums.txt', steps, 'sum', range(1, 101), {'total': 0})
        self.refused('was saved without the output more.txt', steps, 'sum', range(1, 101), {'total': 0},
                     outputs=[Output('sums.txt'), Output('more.txt')])
        lines = Output('x')
        self.refused('which has not begun', lines.write, 'x')
        with Checkpoint('other', outputs=[lines]) as checkpoint:
            self.refused('which has not begun', lines.write, 'x')
            checkpoint.resume()
            self.assertEqual(lines.write('x\n'), 2)
            lines.write(b'y\n')
            checkpoint.finish(1)
            self.refused('which has ended', lines.write, 'x')
        self.refused('the output of another loop', Checkpoint, 'third', outputs=[lines])
        self.refused('outputs is a list', Checkpoint, 'fourth', outputs='x')
        self.refused('same name', Checkpoint, 'fifth', outputs=[Output('a/x'), Output('b/x')])
        with open('x') as file:
            self.assertEqual(file.read(), 'x\ny\n')

    def test_what_is_its_users_stays(self):
        # A result that was renamed, and the loop starts anew.
        self.run_until(100)
        os.rename('sums.txt', 'first.txt')
        for slot in 'ab':
            os.remove(self.path(slot))
        self.run_until(3)
        with open('first.txt') as file:
            self.assertEqual(file.read(), self.DUE)
        # A file in the way, where something is there to go on from, and the same loop once more.
        lines = Output('own.txt')
        with Checkpoint('own', outputs=[lines]) as checkpoint:
            checkpoint.resume()
            lines.write('one\n')
            checkpoint.save(1)
        os.remove('own.txt')
        with open('own.txt', 'w') as file:
            file.write('mine')
        with Checkpoint('own', outputs=[Output('own.txt')]) as checkpoint:
            self.refused('with mv', checkpoint.resume)
            with open('own.txt') as file:
                self.assertEqual(file.read(), 'mine')
            os.remove('own.txt')
            self.assertEqual(checkpoint.resume(), 1)
        with open('own.txt') as file:
            self.assertEqual(file.read(), 'one\n')
        # Saved before anything was written: any file would do, and none is the loop's.
        with Checkpoint('early', outputs=[Output('early.txt')]) as checkpoint:
            checkpoint.resume()
            checkpoint.save(1)
        os.remove('early.txt')
        with open('early.txt', 'w') as file:
            file.write('mine')
        with Checkpoint('early', outputs=[Output('early.txt')]) as checkpoint:
            self.refused('with mv', checkpoint.resume)
        with open('early.txt') as file:
            self.assertEqual(file.read(), 'mine')
        # Done without the output.
        with Checkpoint('done') as checkpoint:
            checkpoint.resume()
            checkpoint.finish(1)
        with Checkpoint('done', outputs=[Output('done.txt')]) as checkpoint:
            self.refused('was saved without the output done.txt', checkpoint.resume)
        # Another loop's file, and odd paths.
        os.environ['SPLIT_CHECKPOINT_KEY'] = 'plan 1f2e, chunk 3'
        self.addCleanup(os.environ.pop, 'SPLIT_CHECKPOINT_KEY')
        with Checkpoint('other', outputs=[Output('sums.txt')]) as checkpoint:
            self.refused('is there already', checkpoint.resume)
        self.refused('is no output', Checkpoint, 'odd', outputs=[Output('..')])
        self.refused('a path of text', Output, b'x')

    def test_a_fault_at_every_call_of_a_save(self):
        for generation in (1, 2, 3):
            for at in range(1, 40):
                shutil.rmtree('checkpoints', ignore_errors=True)
                if os.path.exists('sums.txt'):
                    os.remove('sums.txt')
                for before in range(1, generation):
                    self.save(before)
                real, faulty = split_checkpoint.os, Faulty(at)
                lines = Output('sums.txt')
                checkpoint = Checkpoint('sum', outputs=[lines])
                checkpoint.resume()
                lines.write(self.line(generation))
                split_checkpoint.os = faulty
                failed = False
                try:
                    checkpoint.save(generation)
                except CheckpointError:
                    failed = True
                finally:
                    split_checkpoint.os = real
                    checkpoint.close()
                with contextlib.redirect_stderr(io.StringIO()):
                    with Checkpoint('sum', outputs=[Output('sums.txt')]) as checkpoint:
                        there = checkpoint.resume(0)
                self.assertIn(there, (generation - 1, generation) if failed else (generation,))
                self.assertEqual(self.lines(), ''.join(map(self.line, range(1, there + 1))))
                if not failed:
                    break
            self.assertGreater(at, 6)

    def line(self, generation):
        return '%d %s\n' % (generation, 'x' * 1000)

    def save(self, generation):
        lines = Output('sums.txt')
        with Checkpoint('sum', outputs=[lines]) as checkpoint:
            checkpoint.resume()
            lines.write(self.line(generation))
            checkpoint.save(generation)

    def test_a_full_disk_keeps_what_was_written_for_later(self):
        lines = Output('sums.txt')
        with Checkpoint('sum', outputs=[lines]) as checkpoint:
            checkpoint.resume()
            checkpoint.save(0)
            real = split_checkpoint.os
            split_checkpoint.os = Faulty(1)
            try:
                lines.write('x' * 1000000)
                self.refused('No space left', checkpoint.save, 1)
            finally:
                split_checkpoint.os = real
            checkpoint.save(1)
        self.assertEqual(self.lines(), 'x' * 1000000)

    def test_a_child_does_not_write(self):
        lines = Output('sums.txt')
        with Checkpoint('sum', outputs=[lines]) as checkpoint:
            checkpoint.resume()
            child = os.fork()
            if not child:
                try:
                    lines.write('x')
                except CheckpointError:
                    os._exit(7)
                os._exit(0)
            self.assertEqual(os.waitpid(child, 0)[1] >> 8, 7)
            checkpoint.finish(1)
        self.assertEqual(self.lines(), '')


class Faulty:
    """The module os, of which the n-th call that a save makes fails, after half of its bytes."""

    CALLS = ('open', 'pwrite', 'ftruncate', 'fdatasync', 'fsync', 'fstat')

    def __init__(self, at):
        self.at, self.calls = at, 0

    def __getattr__(self, name):
        real = getattr(os, name)
        if name not in self.CALLS:
            return real

        def call(*words):
            self.calls += 1
            if self.calls < self.at:
                return real(*words)
            if name == 'pwrite' and self.calls == self.at:
                file, data, offset = words
                real(file, data[:len(data) // 2], offset)
            raise OSError(28, 'No space left on device')

        return call


class Faults(Case):
    def test_a_fault_at_every_call_of_a_save_leaves_the_old_or_the_new_state(self):
        faults = {}
        for generation, large in ((1, False), (2, False), (3, True), (4, True), (5, False), (6, False)):
            for at in range(1, 30):
                shutil.rmtree('checkpoints', ignore_errors=True)
                for before in range(1, generation):
                    self.save(before, 3 <= before <= 4)
                real, faulty = split_checkpoint.os, Faulty(at)
                checkpoint = Checkpoint('sum')
                checkpoint.resume()
                split_checkpoint.os = faulty
                try:
                    checkpoint.save(self.state(generation, large))
                except CheckpointError as error:
                    self.assertIn('No space left', str(error))
                    failed = True
                else:
                    failed = False
                finally:
                    split_checkpoint.os = real
                    checkpoint.close()
                with contextlib.redirect_stderr(io.StringIO()):
                    with Checkpoint('sum') as checkpoint:
                        there = checkpoint.resume({'generation': 0})['generation']
                if not failed:
                    self.assertEqual(there, generation)
                    break
                self.assertIn(there, (generation - 1, generation))
                faults[generation] = at
        # The older one's sync, opening, its length, the folder's opening and sync, writes, shortening, sync.
        self.assertEqual(faults, {1: 5, 2: 7, 3: 8, 4: 8, 5: 5, 6: 5})

    def test_a_save_that_fails_is_tried_again_in_a_while(self):
        with Checkpoint('sum', every=0.02) as checkpoint:
            checkpoint.resume()
            checkpoint.tick(1)
            os.mkdir(self.path('b'))
            failures, end = 0, time.monotonic() + 20
            while failures < 3 and time.monotonic() < end:
                try:
                    checkpoint.tick(failures)
                except CheckpointError as error:
                    self.assertIn('cannot write', str(error))
                    failures += 1
            self.assertEqual(failures, 3)
            os.rmdir(self.path('b'))
            while not os.path.exists(self.path('b')) and time.monotonic() < end:
                checkpoint.tick(7)
        self.assertEqual(found_state(), 7)

    def state(self, generation, large):
        return {'generation': generation, 'data': ['x' * 1000] * (900 if large else 1)}

    def save(self, generation, large):
        with Checkpoint('sum') as checkpoint:
            checkpoint.resume()
            checkpoint.save(self.state(generation, large))


class Background(Case):
    def slow(self):
        """Has each wait for the disk take until it is let go; gives what lets go of it, and what tells that it waits."""
        go, waits, real = threading.Event(), threading.Event(), split_checkpoint._sync

        def sync(file):
            waits.set()
            self.assertTrue(go.wait(20))
            real(file)

        split_checkpoint._sync = sync
        self.addCleanup(setattr, split_checkpoint, '_sync', real)
        self.addCleanup(go.set)
        return go, waits

    def test_each_save_is_of_one_moment(self):
        state = {'total': 0, 'data': [0] * 100000}
        for i in steps('sum/1', range(1, 101), state, every_steps=1, background=True):
            state['total'] += i
            state['data'][i] = i
        self.assertEqual(state['total'], 5050)
        # There is a save for each step, one after another, and one at the end.
        self.assertIn(b'"generation":101,"position":100,"done":true', self.bytes('a')[:200])
        self.assertIn(b'"generation":100,"position":100,"layout":["data","total"],"done":false', self.bytes('b')[:200])

    def test_the_loop_goes_on_and_the_copy_is_as_it_was(self):
        go, waits = self.slow()
        with Checkpoint('sum', every_steps=1, background=True) as checkpoint:
            checkpoint.resume()
            state = {'n': 1, 'data': bytearray(b'x' * 1000000)}
            checkpoint.tick(state)
            self.assertTrue(waits.wait(20))
            # It is being written, and the tick has not waited for it.
            state['n'] = 2
            state['data'][:] = b'y' * 1000000
            go.set()
        self.assertEqual(found_state(), {'n': 1, 'data': b'x' * 1000000})

    def test_by_time_a_save_under_way_is_not_waited_for(self):
        go, waits = self.slow()
        with Checkpoint('sum', every=0.001, background=True) as checkpoint:
            checkpoint.resume()
            while not waits.is_set():
                checkpoint.tick(1)
            for _ in range(20):
                time.sleep(0.002)
                checkpoint.tick(2)
            go.set()
        self.assertEqual(found_state(), 1)

    def test_a_failure_is_told_by_a_later_tick(self):
        with Checkpoint('sum', every_steps=1, background=True) as checkpoint:
            checkpoint.resume()
            os.mkdir(self.path('b'))
            checkpoint.tick(1)
            checkpoint.tick(2)
            end = time.monotonic() + 20
            with self.assertRaises(CheckpointError) as caught:
                while time.monotonic() < end:
                    checkpoint.tick(3)
            self.assertIn('cannot write', str(caught.exception))
            os.rmdir(self.path('b'))
            checkpoint.finish(4)
        self.assertEqual(found_state(), 4)

    def test_by_time_a_failure_is_told_as_well(self):
        with Checkpoint('sum', every=0.001, background=True) as checkpoint:
            checkpoint.resume()
            os.mkdir(self.path('b'))
            end = time.monotonic() + 20
            with self.assertRaises(CheckpointError) as caught:
                while time.monotonic() < end:
                    checkpoint.tick(3)
            self.assertIn('cannot write', str(caught.exception))

    def test_what_cannot_be_kept_is_refused_at_once(self):
        with Checkpoint('sum', every_steps=1, background=True) as checkpoint:
            checkpoint.resume()
            self.refused('cannot be saved', checkpoint.tick, {'f': len})


class Signals(Case):
    def run_until_ready(self, program):
        process = subprocess.Popen([sys.executable, '-c', textwrap.dedent(program)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.assertEqual(process.stdout.readline(), b'ready\n')
        return process

    def test_sigterm_saves_and_ends_with_85(self):
        process = self.run_until_ready('''
            import sys, time
            from split_checkpoint import steps
            state = {'n': 0}
            for i in steps('sum', range(10 ** 9), state, every=3600):
                state['n'] += 1
                if i == 5: print('ready', flush=True)
                time.sleep(0.001)
        ''')
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(), 85, process.stderr.read())
        state = {'n': 0}
        first = next(iter(steps('sum', range(10 ** 9), state)))
        self.assertTrue(first == state['n'] >= 6)

    def test_after_the_loops_sigterm_is_what_it_was(self):
        process = self.run_until_ready('''
            import time
            from split_checkpoint import steps
            for i in steps('sum', range(3), {}): pass
            print('ready', flush=True)
            time.sleep(60)
        ''')
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(), -signal.SIGTERM)

    def test_after_the_end_of_ones_own_loop_sigterm_is_what_it_was(self):
        for _ in range(2):
            # The second time what it resumes is done.
            process = self.run_until_ready('''
                import time
                from split_checkpoint import Checkpoint
                checkpoint = Checkpoint('sum')
                checkpoint.resume()
                checkpoint.finish(1)
                print('ready', flush=True)
                time.sleep(60)
            ''')
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(), -signal.SIGTERM)

    def test_it_may_return(self):
        with Checkpoint('sum', return_when_stopped=True) as checkpoint:
            checkpoint.resume()
            checkpoint.tick(1)
            os.kill(os.getpid(), signal.SIGTERM)
            try:
                self.assertRaises(Interrupted, checkpoint.tick, 2)
            finally:
                split_checkpoint._sigterm.told = False
        with Checkpoint('sum') as checkpoint:
            self.assertEqual(checkpoint.resume(), 2)

    def test_children_end_and_do_not_save(self):
        with Checkpoint('sum') as checkpoint:
            checkpoint.resume()
            # Not daemonic: what a pool's terminate() does to each of its processes.
            context = multiprocessing.get_context('fork')
            results = context.SimpleQueue()
            child = context.Process(target=wait_in_a_child, args=(results,))
            child.start()
            # From Python 3.7 on.
            self.assertTrue(results.get() or not hasattr(os, 'register_at_fork'))
            child.terminate()
            child.join(20)
            self.assertEqual(child.exitcode, -signal.SIGTERM)
            # The first child may have died with the lock of its queue.
            results = context.SimpleQueue()
            child = context.Process(target=tick_in_a_child, args=(checkpoint, results))
            child.start()
            self.assertIn('a child process would save', results.get())
            child.join()
            checkpoint.save('mine')


def found_state():
    with Checkpoint('sum') as checkpoint:
        return checkpoint.resume()


def wait_in_a_child(results):
    results.put(signal.getsignal(signal.SIGTERM) == signal.SIG_DFL)
    time.sleep(60)


def tick_in_a_child(checkpoint, results):
    try:
        checkpoint.save('the child\'s')
        results.put('saved')
    except CheckpointError as error:
        results.put(str(error))


if __name__ == '__main__':
    unittest.main()
