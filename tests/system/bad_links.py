#!/usr/bin/env python3
"""bad_links.py BIN_DIR: links to clusters that are not what they should be.

To itself, to nobody, onto a topic that another link or nobody fills, a foreign cluster behind a known address, a wiped
one with the same cluster id (source and target), damage in the source's files: each is refused or FAILED with the
reason, counted, and nothing that was mirrored is hurt; when the cause is gone, the link goes on where it was.
"""
import json
import os

from harness import World, check, files_of, kcat, until
from scrape import get, http_of, total

EAST_ID, WEST_ID = 'AAAAAAAAAAAAAAAAAAAAAQ', 'AAAAAAAAAAAAAAAAAAAAAg'
BROKER_ERRORS = 'farshore_broker_response_errors_total'
REFUSED = 'farshore_gateway_calls_refused_total'


class Clusters:
    def __init__(self, world):
        self.world, self.runs = world, 0

    def start(self, directory, cluster_id, listen='127.0.0.1:0'):
        """(process, kafka address, http address) of a broker on a data directory."""
        self.runs += 1
        name = f'{directory}-{self.runs}'
        process, at = self.world.start(name, self.world.bin / 'farshore-broker', '--data', self.world.directory / directory,
                                       '--listen', listen, '--http', '127.0.0.1:0', '--set', f'cluster.id={cluster_id}')
        return process, at, http_of(self.world, name)


def stop(process):
    process.terminate()
    process.wait()


def link(world, name='l'):
    return json.loads(world.farshore('link', 'describe', name, '-o', 'json').stdout)


def mirror(world, topic, name='l'):
    return next(m for m in json.loads(world.farshore('mirror', 'list', '--link', name, '-o', 'json').stdout) if m['topic'] == topic)


def equal(world):
    return files_of(world.directory / 'west', 'orders', 1) == files_of(world.directory / 'east', 'orders', 1)


def produce(at, topic, first, count):
    kcat('-P', '-b', at, '-t', topic, data=b''.join(b'record-%d\n' % n for n in range(first, first + count)))


def refused_links(world, east_at, west_at, http):
    for what, code, exit_code, words, arguments in (
            ('a link of a cluster to itself', 'invalid argument', 2, 'joins two clusters', ['--source', west_at]),
            ('the same by another name of the address', 'invalid argument', 2, 'joins two clusters',
             ['--source', west_at.replace('127.0.0.1', 'localhost')]),
            ('a link to a cluster that is down', None, 1, '127.0.0.1:1', ['--source', '127.0.0.1:1']),
            ('a link to what is no Kafka', None, 1, world.api, ['--source', world.api]),
            ('a source without a port', 'invalid argument', 2, 'the port is missing', ['--source', 'east']),
            ('an unknown property', 'invalid argument', 2, "did you mean 'group.sync.interval.ms'?",
             ['--source', east_at, '--set', 'group.sync.intervall.ms=200']),
            ('a wrong value of a property', 'invalid argument', 2, 'milliseconds',
             ['--source', east_at, '--set', 'group.sync.interval.ms=1']),
            ('another cluster than was named', 'conflict', 1, EAST_ID,
             ['--source', east_at, '--source-cluster-id', 'BBBBBBBBBBBBBBBBBBBBBQ'])):
        labels = {'code': code} if code else {}
        before = total(http, REFUSED, **labels)
        run = world.farshore('link', 'create', 'bad', *arguments, '--topics', '*', expect=None)
        if run.returncode != exit_code or words not in run.stderr:
            print(f'exit {run.returncode}: {run.stdout}{run.stderr}')
        check(f'{what}: {run.stderr.strip()}', run.returncode == exit_code and words in run.stderr)
        check('and it is counted', total(http, REFUSED, **labels) == before + 1)
    check('no link was made', json.loads(world.farshore('link', 'list', '-o', 'json').stdout) == [])


def owned_topics(world, clusters, west_at, west_http, http):
    """A second source that wants to fill topics which are somebody's already."""
    north, north_at, _ = clusters.start('north', 'AAAAAAAAAAAAAAAAAAAAAw')
    produce(north_at, 'orders', 5000, 10)
    produce(north_at, 'local', 5000, 10)
    produce(west_at, 'local', 0, 10)
    before = [files_of(world.directory / 'west', t, 1) for t in ('orders', 'local')]
    refused = total(west_http, BROKER_ERRORS, code='POLICY_VIOLATION')
    made = world.farshore('link', 'create', 'n', '--source', north_at, '--topics', 'orders,local').stdout
    print(made.strip())
    check('link create warns of a topic that another link fills, and of one that clients write',
          made.count('warning: ') >= 2 and 'another link, l (' in made)
    until('both are FAILED', lambda: all(mirror(world, t, 'n')['state'] == 'FAILED' for t in ('orders', 'local')))
    reasons = [mirror(world, t, 'n')['state_reason'] for t in ('orders', 'local')]
    print('\n'.join(reasons))
    check('each says why, and whose the topic is', 'another link, l (' in reasons[0] and 'orders' in reasons[0] and 'local' in reasons[1])
    check('the target counted the refusals', total(west_http, BROKER_ERRORS) > refused)
    check('the gateway shows them', total(http, 'farshore_link_mirror_topics', link='n', state='FAILED') == 2
          and total(http, 'farshore_link_task_errors_total', link='n', task='topic-discovery') > 0)
    check('what was there is unhurt', before == [files_of(world.directory / 'west', t, 1) for t in ('orders', 'local')])
    world.farshore('link', 'delete', 'n', '--force')
    check('a deleted link has no series any more', total(http, 'farshore_link_info', link='n') == 0)
    stop(north)


def other_clusters(world, clusters, east, east_at):
    """Another cluster at the source's address, then a wiped one with the same id, then the true one again."""
    before = files_of(world.directory / 'west', 'orders', 1)
    for what, directory, cluster_id, words in (('foreign', 'foreign', 'CCCCCCCCCCCCCCCCCCCCCQ', ['CCCCCCCCCCCCCCCCCCCCCQ', EAST_ID]),
                                               ('wiped', 'wiped', EAST_ID, ['source', 'wiped', EAST_ID])):
        stop(east)
        other, _, _ = clusters.start(directory, cluster_id, east_at)
        produce(east_at, 'orders', 7000, 500)
        until(f'the link is FAILED: {what}', lambda: link(world)['state'] == 'FAILED')
        reason = link(world)['state_reason']
        check(f'a {what} source: {reason}', all(word in reason for word in words))
        check('nothing of it came to the target', files_of(world.directory / 'west', 'orders', 1) == before)
        stop(other)
        east, _, _ = clusters.start('east', EAST_ID, east_at)
        world.farshore('link', 'resume', 'l')
        if mirror(world, 'orders')['state'] == 'FAILED':
            world.farshore('mirror', 'resume', '--link', 'l', 'orders')
        produce(east_at, 'orders', 1000, 100)
        until('the link goes on with the true source', lambda: equal(world) and link(world)['state'] == 'ACTIVE')
        now = files_of(world.directory / 'west', 'orders', 1)
        check('where it was', now[0].startswith(before[0]) and now != before)
        before = now
    return east


def wiped_target(world, clusters, west, west_at, east_at):
    before = files_of(world.directory / 'west', 'orders', 1)
    stop(west)
    other, _, _ = clusters.start('wiped-west', WEST_ID, west_at)
    produce(east_at, 'orders', 2000, 100)
    until('the link is FAILED', lambda: link(world)['state'] == 'FAILED')
    reason = link(world)['state_reason']
    check(f'a wiped target: {reason}', 'target' in reason and 'wiped' in reason)
    check('nothing was made there', not list((world.directory / 'wiped-west').glob('orders-*')))
    stop(other)
    west, _, _ = clusters.start('west', WEST_ID, west_at)
    # The first try may find the connection to the wiped one, which is over; it is not repeated unasked.
    until('the link can be resumed', lambda: world.farshore('link', 'resume', 'l', expect=None).returncode == 0)
    if mirror(world, 'orders')['state'] == 'FAILED':
        world.farshore('mirror', 'resume', '--link', 'l', 'orders')
    until('the link goes on with the true target', lambda: equal(world) and link(world)['state'] == 'ACTIVE')
    now = files_of(world.directory / 'west', 'orders', 1)
    check('where it was', now[0].startswith(before[0]) and now != before)
    return west


def damaged_source(world, east_at, http):
    """A byte of the source's file changes after it was written, and is repaired later."""
    world.farshore('mirror', 'pause', '--link', 'l', 'orders')
    before = files_of(world.directory / 'east', 'orders', 1)
    produce(east_at, 'orders', 3000, 100)
    path = max((world.directory / 'east' / 'orders-0').glob('*.log'))
    at = os.path.getsize(path) - 3

    def flip():
        with open(path, 'r+b') as file:
            file.seek(at)
            byte = file.read(1)
            file.seek(at)
            file.write(bytes([byte[0] ^ 0xff]))
    flip()
    world.farshore('mirror', 'resume', '--link', 'l', 'orders')
    until('the mirror is FAILED', lambda: mirror(world, 'orders')['state'] == 'FAILED')
    reason = mirror(world, 'orders')['state_reason']
    check(f'damage in the source: {reason}', 'corrupt' in reason and 'offset' in reason)
    check('it is counted', total(http, 'farshore_link_corrupt_batches_total', link='l') >= 3)
    check('no damaged byte came to the target', files_of(world.directory / 'west', 'orders', 1) == before)
    flip()
    world.farshore('mirror', 'resume', '--link', 'l', 'orders')
    until('after the repair it goes on, with everything', lambda: equal(world))


def target_that_is_down(world):
    """ready: is printed all the same, and everywhere it says that there are no links yet, and why."""
    before = world.api
    process, world.api = world.start('lonely', world.bin / 'farshore-gateway', '--target', '127.0.0.1:1', '--api', '127.0.0.1:0',
                                     '--http', '127.0.0.1:0')
    said = next(line for line in (world.directory / 'lonely.out').read_text().splitlines() if line.startswith('ready:'))
    check(f'a gateway whose target is down: {said}', 'no links yet' in said and '127.0.0.1:1' in said)
    code, body = get(http_of(world, 'lonely'), '/readyz')
    check('/readyz is 503 with the reason', code == 503 and '127.0.0.1:1' in body)
    check('farshore status says it, too', 'not ready: ' in world.farshore('status').stdout)
    stop(process)
    world.api = before


def main(world):
    clusters = Clusters(world)
    east, east_at, _ = clusters.start('east', EAST_ID)
    west, west_at, west_http = clusters.start('west', WEST_ID)
    _, world.api = world.start('gateway', world.bin / 'farshore-gateway', '--target', west_at, '--api', '127.0.0.1:0',
                               '--http', '127.0.0.1:0')
    http = http_of(world, 'gateway')
    check('a gateway that says ready: is', get(http, '/readyz')[0] == 200)
    check('and says so in its status', json.loads(world.farshore('status', '-o', 'json').stdout).get('not_ready_reason', '') == '')
    target_that_is_down(world)
    refused_links(world, east_at, west_at, http)
    produce(east_at, 'orders', 0, 1000)
    world.farshore('link', 'create', 'l', '--source', east_at, '--topics', 'orders', '--set', 'topic.sync.interval.ms=300')
    until('lag goes to zero', lambda: world.lag() == 0)
    check('the gateway counts what it moved', total(http, 'farshore_link_bytes_total', link='l') > 0
          and total(http, 'farshore_link_batches_total', link='l') > 0)
    text = get(http, '/metrics')[1].splitlines()
    families = {line.split()[2] for line in text if line.startswith('# TYPE farshore_link_')}
    helped = {line.split()[2] for line in text if line.startswith('# HELP farshore_link_') and len(line.split()) > 5}
    check(f'all {len(families)} families of links say what they are', len(families) > 20 and families == helped)
    owned_topics(world, clusters, west_at, west_http, http)
    east = other_clusters(world, clusters, east, east_at)
    west = wiped_target(world, clusters, west, west_at, east_at)
    damaged_source(world, east_at, http)


World('bad-links').run(main)
