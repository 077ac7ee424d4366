#!/usr/bin/env python3
"""log_lines.py BIN_DIR: while an end is down, the gateway says so once, and does not repeat itself.

What is logged at warn or error is never the same line twice within a minute; numbers in an error make no difference.
"""
import collections
import re
import time

from harness import World, check, kcat, until


def problems(world):
    """The lines at warn and error: without the time, and with # for each number in them."""
    lines = (world.directory / 'gateway.log').read_text().splitlines()
    found = [line.split(' ', 2)[1:] for line in lines]
    return [re.sub(r'\d+', '#', f'{level} {text}') for level, text in found if level in ('warning', 'error')]


def main(world):
    broker = world.bin / 'farshore-broker'
    east, east_at = world.start('east', broker, '--data', world.directory / 'east', '--listen', '127.0.0.1:0')
    west, west_at = world.start('west', broker, '--data', world.directory / 'west', '--listen', '127.0.0.1:0')
    world.gateway('gateway', west_at)
    for topic in ('a', 'b', 'c'):
        kcat('-P', '-b', east_at, '-t', topic, data=b'record\n')
    world.farshore('link', 'create', 'l', '--source', east_at, '--topics', '*')
    world.farshore('wait', '--link', 'l')
    for process, side, other in ((west, 'target', 'source'), (east, 'source', 'target')):
        process.kill()
        process.wait()
        kcat('-P', '-b', east_at, '-t', 'a', data=b'more\n', expect=None)
        said = f'the {side} has not answered: '
        until(f'the {side} is named', lambda: said in (world.directory / 'gateway.log').read_text())
        time.sleep(5)
    lines = collections.Counter(problems(world))
    for line, times in lines.items():
        print(f'{times:4} {line}')
    for side in ('target', 'source'):
        check(f'the link is UNAVAILABLE because of the {side}, as a warning',
              any(f'to=UNAVAILABLE reason="the {side} has not answered' in line for line in lines))
    check('no line is repeated', all(times <= 1 for times in lines.values()))


World('log-lines').run(main)
