#!/usr/bin/env python3
"""readme_tour.py BIN_DIR: the tour of README.md, pasted into a shell as one block.

The block is taken out of README.md and given to a shell on its standard input, as a terminal does: a program that reads
what it should not, or that does not wait for another one, breaks it. Only ports and directories are others.
"""
import os
import pathlib
import re
import socket
import subprocess

from harness import HANG, World, check

README = pathlib.Path(__file__).resolve().parents[2] / 'README.md'


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def tour():
    """(the block, the line that stops everything)."""
    text = README.read_text()
    text = text[text.index('## A tour in ten lines'):]
    block = next(b for b in re.findall(r'^```\n(.*?)^```$', text, re.M | re.S) if './farshore-broker' in b)
    stop = re.search(r'^Stop and forget it: `(.*)`$', text, re.M).group(1)
    return block, stop


def main(world):
    block, stop = tour()
    check('the tour has at most ten lines', len(block.splitlines()) <= 10)
    api = f'127.0.0.1:{free_port()}'
    script = block + stop + '\n'
    for port in ('9092', '9192'):
        script = script.replace(f'127.0.0.1:{port}', f'127.0.0.1:{free_port()}')
    script = script.replace('/tmp/farshore-tour', str(world.directory / 'tour'))
    script = script.replace('./farshore-gateway ', f'./farshore-gateway --api {api} ')
    shell = subprocess.Popen(['bash'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             cwd=world.bin, env=dict(os.environ, FARSHORE_API=api))
    world.started.append(shell)
    out, err = shell.communicate(script, timeout=HANG)
    (world.directory / 'tour.log').write_text(f'{script}\n--- output\n{out}\n--- errors\n{err}')
    check('every record is mirrored before the failover', re.search(r'^orders-0  \[0, 1000\)  equal', out, re.M))
    check('the failover loses nothing', re.search(r'^0 +1000 +\d+ +0 records', out, re.M))
    check('the target serves what was sent', out.rstrip().endswith('998\n999\n1000'))
    check('no command of it failed', 'farshore: ' not in err)
    check('everything is stopped and forgotten', not (world.directory / 'tour').exists())


World('readme-tour').run(main)
