#!/usr/bin/env python3
"""command_lines.py BIN_DIR: what all programs have in common: --version, --man, --completion, and wrong arguments.

The completion scripts are run by real shells; zsh and fish only where they are installed (it says so).
"""
import shutil
import subprocess

from harness import World, check

PROGRAMS = ('farshore', 'farshore-broker', 'farshore-gateway')


def run(*words, **more):
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=30, **more)


def bash_completes(script, program, *words):
    """What bash offers for the last of `words`."""
    function = '_' + program.replace('-', '_')
    line = ' '.join(f"'{word}'" for word in (program, *words))
    ran = run('bash', '-c', f'{script}\nCOMP_WORDS=({line}); COMP_CWORD={len(words)}; {function}; printf "%s\\n" "${{COMPREPLY[@]}}"')
    check(f'bash runs the script of {program} ({ran.stderr.strip()})', ran.returncode == 0 and not ran.stderr)
    return ran.stdout.split()


def fish_completes(script, program, *words):
    line = ' '.join((program, *words))
    ran = run('fish', '--no-config', '-c', f'{script}\ncomplete -C "{line}"')
    check(f'fish runs the script of {program} ({ran.stderr.strip()})', ran.returncode == 0 and not ran.stderr)
    return [row.split('\t')[0] for row in ran.stdout.splitlines()]


def zsh_completes(script, program, *words):
    """zsh completes only in an editor: _describe and compadd are replaced by commands that print what they are offered."""
    function = '_' + program.replace('-', '_')
    line = ' '.join(f"'{word}'" for word in (program, *words))
    stubs = 'compdef() { }\n_files() { print files }\ncompadd() { shift; print -l -- "$@" }\n' \
            '_describe() { print -l -- "${(@)${(P)2}%%:*}" }\n'
    ran = run('zsh', '-f', '-c', f'{stubs}{script}\nwords=({line}); CURRENT={len(words) + 1}; {function}')
    check(f'zsh runs the script of {program} ({ran.stderr.strip()})', ran.returncode == 0 and not ran.stderr)
    return ran.stdout.split()


def main(world):
    for name in PROGRAMS:
        program = world.bin / name
        version = run(program, '--version')
        check(f'{name} --version: {version.stdout.splitlines()[0]}', version.returncode == 0 and version.stdout.startswith(f'{name} 0.')
              and all(word in version.stdout for word in ('commit:', 'built:', 'speaks:')))
        for wrong in ('--vershion', '--completion=tcsh'):
            ran = run(program, wrong)
            check(f'{name} {wrong}: exit 2', ran.returncode == 2 and ran.stderr and not ran.stdout)
        check(f'{name} names the nearest option', "did you mean '--version'?" in run(program, '--vershion').stderr)
        page = run(program, '--man')
        check(f'{name} --man is a page', page.returncode == 0 and page.stdout.startswith('.TH ') and '.SH OPTIONS' in page.stdout)
        if shutil.which('groff'):
            read = run('groff', '-man', '-ww', '-Tutf8', input=page.stdout)
            check(f'groff reads the page of {name} without a warning ({read.stderr[:200]})', read.returncode == 0 and not read.stderr)
        else:
            print('groff is not installed: the page is not formatted')
    shells = {'bash': bash_completes, 'zsh': zsh_completes, 'fish': fish_completes}
    for shell, completes in shells.items():
        if not shutil.which(shell):
            print(f'{shell} is not installed: its script is not run')
            continue
        scripts = {name: run(world.bin / name, '--completion', shell).stdout for name in PROGRAMS}
        cli = scripts['farshore']
        check(f'{shell}: farshore completion gives the same script', run(world.bin / 'farshore', 'completion', shell).stdout == cli)
        offered = completes(cli, 'farshore', 'mirror', 'pro')
        check(f'{shell}: commands of commands: {offered}', 'promote' in offered and 'link' not in offered)
        offered = completes(cli, 'farshore', '-o', '')
        check(f'{shell}: values of an option: {offered}', sorted(offered) == ['human', 'json'])
        offered = completes(cli, 'farshore', 'link', 'create', '--')
        check(f'{shell}: options of a command, and of the program: {len(offered)}', '--source' in offered and '--api' in offered)
        offered = completes(scripts['farshore-broker'], 'farshore-broker', '--')
        check(f'{shell}: options of the broker: {len(offered)}', '--listen' in offered)


World('command-lines').run(main)
