#!/usr/bin/env python3
"""Kills each form of the sum of 1 to 100 at every item in turn, starts it again each time, and prints what that comes to, as a table.

    split python > split_checkpoint.py
    python3 killed.py [--rust SUM BY_HAND] [--split SPLIT]

SUM and BY_HAND are the commands of the two programs in Rust, such as target/.../examples/checkpoint-sum; SPLIT is that of split, which
computes the plain program in chunks. Each form is killed a hundred times: in the middle of item 1, of item 2, ...; then it is let run to its end, and
once more.
"""

import os
import runpy
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
DUE = [i * (i + 1) // 2 for i in range(1, 101)]


class Form:
    """A program, what it is called with, and what stands in the table for it."""

    def __init__(self, text, program, words, variable='DIE_AT', value='%d', then=(), folder='same', last=None,
                 is_compared=False):
        self.text, self.program, self.words = text, program, words
        # What tells it when to die.
        self.variable, self.value = variable, value
        # Variables, words and folder of the runs after the kills.
        self.then, self.folder, self.last = dict(then), folder, last or words
        # Whether what it prints undisturbed is told as well.
        self.is_compared = is_compared


def by_hand(program):
    """The mistakes, one by one."""
    def form(mistake, text, words=('100',), **more):
        return Form('`%s`: %s' % (mistake, text), program, [mistake] + list(words), **more)

    forms = [
        form('other-name', 'writes `checkpoint.dat`, reads `checkpoint`'),
        form('counted-twice', 'saves the item that is done, not the next'),
        form('torn', 'opens for writing, and is killed before it writes', variable='DIE_WRITING', value='%d:0'),
        form('torn', 'opens for writing, and is killed after 3 bytes', variable='DIE_WRITING', value='%d:3'),
        form('no-identity', '1 to 100, and then 1 to 10, where 55 is due', last=['no-identity', '10']),
        form('clock', '`int(now - start) % 100 == 0`, and begun anew in the end', folder='new'),
        form('clock-none', '`(now - start) % 100 == 0`'),
        form('random', 'the generator is not part of the state', is_compared=True),
        form('output', 'lines that were written after the last save stay'),
        form('output-lost', 'lines that were not written yet are lost'),
        form('threads', 'one saves while another one computes'),
        form('none', 'its file is not carried to the next machine', folder='new'),
    ]
    if program is PYTHON_BY_HAND:
        forms.append(form('pickle', 'the class gets another name', then={'RENAMED': '1'}))
    return forms


def python(name):
    """A Python program, in a fork of this process: a hundred starts of Python take longer than the programs."""
    def run(words, folder, variables):
        with tempfile.TemporaryFile() as said:
            child = os.fork()
            if not child:
                os.chdir(folder)
                os.environ.update(variables)
                sys.argv = [os.path.join(HERE, name)] + words
                os.dup2(said.fileno(), 1)
                os.dup2(said.fileno(), 2)
                sys.stdout, sys.stderr = os.fdopen(1, 'w'), os.fdopen(2, 'w')
                code = 1
                try:
                    runpy.run_path(sys.argv[0], run_name='__main__')
                    code = 0
                except SystemExit as end:
                    code = end.code or 0
                except BaseException as error:
                    print('%s: %s' % (type(error).__name__, error))
                sys.stdout.flush()
                os._exit(code)
            _, status = os.waitpid(child, 0)
            said.seek(0)
            return os.WTERMSIG(status) if os.WIFSIGNALED(status) else -os.WEXITSTATUS(status), said.read().decode()
    return run


def program(command):
    def run(words, folder, variables):
        done = subprocess.run(command + words, cwd=folder, env=dict(os.environ, **variables), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
        return -done.returncode, done.stdout
    return run


def split(command):
    """`split run`, which is killed with everything that it has started, and started again."""
    def run(words, folder, variables):
        at = os.path.join(folder, 'die-at')
        with open(at, 'w') as file:
            file.write(variables.get('DIE_AT', ''))
        shutil.copy(os.path.join(HERE, 'sum.py'), folder)
        words = ['run', '--total', '1..=100', '--chunks', '10', '--jobs', '1', '--env', 'DIE_AT_FILE=' + at, '--', 'python3', 'sum.py'] + words
        done = subprocess.run(command + words, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              universal_newlines=True, start_new_session=True)
        return -done.returncode, done.stdout or done.stderr
    return run


def killed(form):
    """Kills it at each item in turn; gives how often it was, and what it says afterwards, twice."""
    # In memory, where there is such a place: thousands of saves wait for nobody's disk.
    above = tempfile.mkdtemp(dir='/dev/shm' if os.access('/dev/shm', os.W_OK) else None)
    try:
        def folder(number):
            path = os.path.join(above, 'work' if form.folder == 'same' and number != 'undisturbed' else str(number))
            os.makedirs(path, exist_ok=True)
            return path

        kills = 0
        for item in range(1, 101):
            code, _ = form.program(form.words, folder(item), {form.variable: form.value % item})
            kills += code == signal.SIGKILL
        says = []
        for run in range(2):
            code, said = form.program(form.last, folder(101 + run), form.then)
            says.append(said.strip() if not code else 'an error')
        sums = os.path.join(above, 'work', 'sums.txt')
        if form.words[0] == 'output' and len(form.words) == 1:
            with open(sums) as file:
                says[1] += ', with each line once' if [int(line) for line in file] == DUE else ', with other lines'
        if form.is_compared:
            says[1] += '; undisturbed ' + form.program(form.words, folder('undisturbed'), {})[1].strip()
        return kills, says
    finally:
        shutil.rmtree(above)


def ours(program, forms):
    text = {'plain': 'no checkpoint at all', 'seed': '`seed`: random numbers, 47103 due'}
    return [Form(text.get(form, '`%s`' % form), program, [form]) for form in forms]


PYTHON_BY_HAND = python('by_hand.py')


def main():
    # For the forks, which would import it one by one.
    import split_checkpoint  # noqa: F401
    words = sys.argv[1:]
    commands = {}
    while words:
        count = {'--rust': 2, '--split': 1}[words[0]]
        commands[words[0]], words = [shlex.split(word) for word in words[1:1 + count]], words[1 + count:]
    parts = [
        ('by hand, Python', by_hand(PYTHON_BY_HAND)),
        ('the library, Python', ours(python('sum.py'), ['plain', 'steps', 'until', 'own', 'output', 'seed'])),
    ]
    if '--rust' in commands:
        sums, hand = map(program, commands['--rust'])
        parts.append(('by hand, Rust', by_hand(hand)))
        parts.append(('the library, Rust', ours(sums, ['plain', 'range', 'until', 'own', 'threads', 'rayon', 'output', 'seed'])))
    if '--split' in commands:
        form = Form('`split run`, 10 chunks of the plain program', split(commands['--split'][0]), ['{first}', '{last}'])
        parts.append(('split', [form]))
    print('| form | | kills | prints then | and once more |')
    print('| --- | --- | --- | --- | --- |')
    for name, forms in parts:
        for form in forms:
            kills, says = killed(form)
            print('| %s | %s | %d | %s | %s |' % (name, form.text, kills, says[0], says[1]))
            sys.stdout.flush()


main()
