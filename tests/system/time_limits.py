#!/usr/bin/env python3
"""time_limits.py BIN_DIR: `--timeout` holds for every command: a gateway that takes connections and never answers is given up."""
import socket

from harness import World, check

COMMANDS = [
    'link create l --source 127.0.0.1:1 --topics *', 'link create l --source 127.0.0.1:1 --topics * --dry-run', 'link list',
    'link describe l', 'link update l --set topics=a', 'link pause l', 'link resume l', 'link delete l', 'link task l',
    'mirror create t --link l', 'mirror list', 'mirror describe t --link l', 'mirror pause t --link l', 'mirror resume t --link l',
    'mirror promote t --link l', 'mirror promote t --link l --deadline-ms 60000', 'mirror promote --all --link l --dry-run',
    'mirror unfence t --link l', 'mirror failover t --link l', 'mirror failover --all', 'mirror verify --all --link l',
    'offsets translate --link l --topic t --partition 0 --offset 1', 'offsets groups --link l', 'status', 'wait --link l',
]


def main(world):
    silent = socket.socket()
    silent.bind(('127.0.0.1', 0))
    silent.listen(64)
    world.api = f'127.0.0.1:{silent.getsockname()[1]}'
    for command in COMMANDS:
        run = world.farshore(*command.split(), '--timeout', '1', expect=None)
        said = run.stdout + run.stderr
        check(f'{command}: exit {run.returncode}: {said.strip()}', run.returncode == 1 and '1 s (--timeout)' in said)
    main_help = world.farshore('--help').stdout
    groups = [line.split()[0] for line in main_help.split('Subcommands:')[-1].splitlines() if line.startswith('  ')]
    tried = {command.split()[0] for command in COMMANDS}
    check(f'every group of commands was tried: {groups}', set(groups) <= tried | {'completion'})  # asks no gateway


World('time-limits').run(main)
