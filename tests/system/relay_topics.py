#!/usr/bin/env python3
"""relay_topics.py BIN_DIR: what becomes of topics under a relay link into a real Apache Kafka 4.1.1.

Pauses, growth, retention, configs that the target refuses, topics that are made anew at either end or belong to
somebody else, other times at the target, promote, deletion of the link, another cluster behind the target's address.
The source is a Farshore broker.
Skipped (exit 77) where ../shared/peers, a JDK or Maven is missing.
"""
import json
import subprocess
import time

from harness import World, check, kcat, peers_or_skip, until
from kafka_node import KafkaNode
from relay_world import claims_of, compare, fold, lines, produce, read, runs_of
from scrape import get, http_of, total
from wire import Admin

FAST = ('--set', 'group.sync.interval.ms=200', '--set', 'topic.sync.interval.ms=300')
TOPICS = ('orders', 'stamped', 'again', 'swept', 'remade', 'tiny')
EARLIEST = -2


def mirror(world, topic, link='r'):
    rows = json.loads(world.farshore('mirror', 'list', '--link', link, '-o', 'json').stdout)
    return next((m for m in rows if m['topic'] == topic), {'state': 'none', 'state_reason': ''})


def failed(world, topic, link='r'):
    until(f'{topic} is FAILED', lambda: mirror(world, topic, link)['state'] == 'FAILED')
    return mirror(world, topic, link)['state_reason']


def values(at, topic, partitions=1):
    return [record for p in range(partitions) for record in read(at, topic, p).values()]


def arrived(world, topic, count, at, partitions=1):
    until(f'{count} records of {topic} are at the target', lambda: len(values(at, topic, partitions)) == count)


def broker(world, name, *more):
    _, at = world.start(name, world.bin / 'farshore-broker', '--data', world.directory / name, '--listen', '127.0.0.1:0',
                        '--set', 'num.partitions=1', '--set', 'log.retention.check.interval.ms=300', *more)
    return at


def gateway(world, name, target, *more):
    process, world.api = world.start(name, world.bin / 'farshore-gateway', '--target', target, '--api', '127.0.0.1:0',
                                     '--http', '127.0.0.1:0', *more)
    return process, http_of(world, name)


def other_times(world, east, west):
    """A topic that somebody made at the target, with LogAppendTime: the times of the records must not be lost in it."""
    old = int(time.time() * 1000) - 3 * 24 * 3600 * 1000
    subprocess.run([world.bin / 'old-producer', east, 'stamped', str(old), 'lz4'], input=lines(0, 200), check=True, timeout=120)
    west.make('stamped', 1, message_timestamp_type='LogAppendTime', compression_type='gzip')


def refused_config(world, east_admin, west, west_at):
    """Apache Kafka takes no segments below 1 MiB: the topic is relayed all the same, and what differs is shown."""
    arrived(world, 'tiny', 100, west_at)
    shown = lambda: [d for d in mirror(world, 'tiny').get('config_drift', []) if d.startswith('segment.bytes')]
    until('a config that the target refuses is shown', shown)
    check(f'with the reason: {shown()[0]}', 'source 65536' in shown()[0] and '1048576' in shown()[0])
    check('the target has its own', west.config('tiny', 'segment.bytes') == '1073741824' and mirror(world, 'tiny')['state'] == 'ACTIVE')
    east_admin.configure('tiny', segment_bytes=2 << 20)
    until('a value that it takes is followed', lambda: west.config('tiny', 'segment.bytes') == str(2 << 20) and not shown())


def paused(world, east, west_at):
    world.farshore('mirror', 'pause', '--link', 'r', 'again')
    produce(east, 'again', 100, 100)
    produce(east, 'orders', 500, 100)
    arrived(world, 'orders', 600, west_at)
    check('a paused topic takes nothing while another goes on',
          mirror(world, 'again')['state'] == 'PAUSED' and len(values(west_at, 'again')) == 100)
    world.farshore('mirror', 'resume', '--link', 'r', 'again')
    arrived(world, 'again', 200, west_at)
    compare(world, 'after pause and resume', 'r', east, 'again', west_at, 'again', 1)


def own_ends(world, west, west_at):
    """What the API shows of the target is the target's own."""
    row = json.loads(world.farshore('mirror', 'describe', '--link', 'r', 'again', '-o', 'json').stdout)['partitions'][0]
    end = west.list_offset('again', 0, -1)[1]
    last = max(read(west_at, 'again', 0))
    check(f"the target's end is shown in its own offsets ({row['target_end_offset']}; the source's: "
          f"{row['mirrored_end_offset']}, the log's: {end})",
          row['target_end_offset'] == last + 1 and row['mirrored_end_offset'] == 200 and last + 1 > 200)


def owned(world, west_at):
    """Another link that wants a topic which is filled already."""
    north = broker(world, 'north')
    produce(north, 'orders', 5000, 10)
    before = values(west_at, 'orders')
    made = world.farshore('link', 'create', 'n', '--source', north, '--topics', 'orders', '--mode', 'relay', *FAST).stdout
    check('link create warns, and names the link that has the topic', 'warning: ' in made and 'another link, r' in made)
    reason = failed(world, 'orders', 'n')
    check(f'the topic is FAILED, with the name: {reason}', 'another link, r:' in reason)
    check('what is there is unhurt', values(west_at, 'orders') == before)
    world.farshore('link', 'delete', 'n', '--force')
    # The other way round: a relay into Farshore.
    api = world.api
    gateway(world, 'gateway-north', north)
    run = world.farshore('link', 'create', 'x', '--source', west_at, '--topics', '*', '--mode', 'relay', expect=None)
    check(f'a relay into Farshore is refused: {run.stderr.strip()}',
          run.returncode == 2 and 'transactions' in run.stderr and '--mode mirror' in run.stderr)
    world.api = api


def grown(world, east, east_admin, west_at):
    east_admin.grow('orders', 3)
    for first in (1000, 1200):  # clients learn of new partitions by and by
        produce(east, 'orders', first, 200)
    total_at_source = len(values(east, 'orders', 3))
    until('the new partitions are relayed', lambda: mirror(world, 'orders').get('partitions') and len(mirror(world, 'orders')['partitions']) == 3)
    arrived(world, 'orders', total_at_source, west_at, 3)
    check('the new partitions hold records', len(read(east, 'orders', 1)) + len(read(east, 'orders', 2)) > 0)
    compare(world, 'after growth', 'r', east, 'orders', west_at, 'orders', 3)


def made_anew(world, east, east_admin, west, west_at):
    before = values(west_at, 'again')
    east_admin.delete('again')
    east_admin.make('again', 1)
    produce(east, 'again', 9000, 50)
    reason = failed(world, 'again')
    check(f'a source topic that was made anew: {reason}', 'source topic' in reason)
    check('nothing of the new one came to the target, and nothing of the old one is lost', values(west_at, 'again') == before)
    # Discovery or the pump may have found it first: their words differ.
    check('the way out is told', 'delete ' in reason and 'at the target' in reason)
    west.delete('again')
    until('the new one is relayed when the old one is deleted at the target', lambda: mirror(world, 'again')['state'] == 'ACTIVE', 60)
    arrived(world, 'again', 50, west_at)
    compare(world, 'a source topic that was made anew', 'r', east, 'again', west_at, 'again', 1)
    # At the target, while nothing is relayed into it.
    west.delete('remade')
    west.make('remade', 1)
    reason = failed(world, 'remade')
    check(f'a target topic that was made anew: {reason}', 'made anew at the target' in reason and 'id is' in reason)
    produce(east, 'remade', 100, 100)
    produce(east, 'orders', 2000, 100)
    count = len(values(east, 'orders', 3))
    arrived(world, 'orders', count, west_at, 3)
    check('nothing came to the new one, while other topics go on', values(west_at, 'remade') == [])
    world.farshore('mirror', 'resume', '--link', 'r', 'remade')
    arrived(world, 'remade', 200, west_at)
    compare(world, 'a target topic that was made anew, and resumed', 'r', east, 'remade', west_at, 'remade', 1)


def swept(world, east, east_admin, west, west_at):
    """The source deletes what was relayed: what is kept about it goes, the rest stays exact."""
    until('the declared retention holds once the relay has caught up',
          lambda: west.config('swept', 'retention.ms') == '3600000')
    for n in range(3):  # a new run of the map each time: the marker of a takeover lies between
        world.farshore('mirror', 'pause', '--link', 'r', 'swept')
        world.farshore('mirror', 'resume', '--link', 'r', 'swept')
        padded = b''.join(b'key-%d&%d-%s\n' % (i % 7, n, b'x' * 1000) for i in range(1500))
        kcat('-P', '-b', east, '-t', 'swept', '-K&', data=padded)
        arrived(world, 'swept', 1500 * (n + 1), west_at)
    link = json.loads(world.farshore('link', 'describe', 'r', '-o', 'json').stdout)['link_id']
    runs = [(0, 0), (0, 1500), (0, 3000)]
    # Runs are told by partition and source offset; topics with one partition have runs that look alike.
    until('all runs are written down', lambda: set(runs) <= set(runs_of(west_at, link)))
    alike = runs_of(west_at, link).count((0, 0))
    east_admin.configure('swept', retention_ms=1)
    until('the source deletes all of it', lambda: east_admin.list_offset('swept', 0, EARLIEST)[1] == 4500)
    east_admin.configure('swept', retention_ms=3600000)
    start = 4500
    until('what lies below is forgotten', lambda: (0, 1500) not in runs_of(west_at, link))
    left = runs_of(west_at, link)
    check('so is the run before it; the last one stays, since it says where the relay goes on',
          left.count((0, 0)) == alike - 1 and (0, 3000) in left)
    produce(east, 'swept', 5000, 100)
    arrived(world, 'swept', 4600, west_at)
    at_source, at_target = read(east, 'swept', 0), read(west_at, 'swept', 0)
    rows = json.loads(world.farshore('offsets', 'translate', '--link', 'r', '--topic', 'swept', '--partition', '0', '--offset',
                                     str(start), '--through', str(max(at_source)), '-o', 'json').stdout)
    check('every offset that the source has left translates to its record', len(rows) == len(at_source) and
          all(r['exact'] and at_source[r['source_offset']] == at_target[r['target_offset']] for r in rows))
    below = world.farshore('offsets', 'translate', '--link', 'r', '--topic', 'swept', '--partition', '0', '--offset', '100', expect=None)
    check(f'what it deleted translates no more, and that is said: {below.stderr.strip()}', below.returncode != 0 and '100' in below.stderr)


def promoted(world, east, east_admin, west_at):
    before = {t: mirror(world, t)['state'] for t in TOPICS}
    plan = world.farshore('mirror', 'promote', '--link', 'r', 'orders', '--dry-run').stdout
    check(f'promote --dry-run says what it would do: {plan.strip().splitlines()[0]}', 'would' in plan and 'read-only' in plan)
    produce(east, 'orders', 3000, 100)
    count = len(values(east, 'orders', 3))
    arrived(world, 'orders', count, west_at, 3)
    check('and does nothing', before == {t: mirror(world, t)['state'] for t in TOPICS})
    world.farshore('mirror', 'promote', '--link', 'r', 'orders')
    check('promote ends the topic', mirror(world, 'orders')['state'] == 'STOPPED')
    late = kcat('-P', '-b', east, '-t', 'orders', '-X', 'message.timeout.ms=3000', data=b'late\n', expect=None)
    check('the source takes no more', late.returncode != 0)
    compare(world, 'promoted', 'r', east, 'orders', west_at, 'orders', 3)
    produce(west_at, 'orders', 7000, 10)
    check("the target takes its own", len(values(west_at, 'orders', 3)) == count + 10)


def deleted(world, east, west, west_at):
    link = json.loads(world.farshore('link', 'describe', 'r', '-o', 'json').stdout)['link_id']
    check(f'{len(runs_of(west_at, link))} runs are written down', len(runs_of(west_at, link)) >= 6)
    counts = {t: len(values(west_at, t, 3 if t == 'orders' else 1)) for t in TOPICS}
    plan = world.farshore('link', 'delete', 'r', '--dry-run', '--force').stdout
    check('link delete --dry-run says that the translation goes', 'translation' in plan)
    world.farshore('link', 'delete', 'r', '--force')
    check('nothing of the link is left in the map', claims_of(west_at, link) == {})
    left = [key for key, value in fold(west_at, '__farshore_links').items() if value is not None and key.startswith(b'link/r')]
    check(f'nor in the list of links {left}', left == [])
    check('the records stay', counts == {t: len(values(west_at, t, 3 if t == 'orders' else 1)) for t in TOPICS})
    # A topic that is empty at the target, and nobody's: all that the source has goes into it.
    west.delete('remade')
    west.make('remade', 1)
    world.farshore('link', 'create', 'r', '--source', east, '--topics', 'remade', '--mode', 'relay', *FAST)
    arrived(world, 'remade', 200, west_at)
    compare(world, 'a new link of the same name', 'r', east, 'remade', west_at, 'remade', 1)
    world.farshore('link', 'create', 'r2', '--source', east, '--topics', 'swept', '--mode', 'relay', *FAST)
    reason = failed(world, 'swept', 'r2')
    check(f'a topic with records of a deleted link is not filled again: {reason}', 'holds records' in reason)
    world.farshore('link', 'delete', 'r2', '--force')


def foreign_target(world, target, east, http):
    """Another cluster at the target's address."""
    known = json.loads(world.farshore('link', 'describe', 'r', '-o', 'json').stdout)['spec']['target']['cluster_id']
    target.process.kill()
    target.process.wait()
    other, _ = world.start('foreign', world.bin / 'farshore-broker', '--data', world.directory / 'foreign', '--listen', target.at)
    until('the link is FAILED', lambda: json.loads(world.farshore('link', 'describe', 'r', '-o', 'json').stdout)['state'] == 'FAILED', 60)
    reason = json.loads(world.farshore('link', 'describe', 'r', '-o', 'json').stdout)['state_reason']
    check(f'a foreign cluster behind the address of the target: {reason}', known in reason)
    check('it is counted', total(http, 'farshore_link_task_errors_total', link='r', task='topic-discovery') > 0)
    api = world.api
    knowing, second = gateway(world, 'gateway-that-knows', target.at, '--set', f'target.cluster.id={known}')
    until('a new gateway that knows the id counts it', lambda: total(second, 'farshore_gateway_takeover_errors_total', kind='conflict') > 0)
    status, text = get(second, '/readyz')
    check(f'and is not ready: {text.strip()}', status == 503 and known in text)
    world.api = api
    knowing.kill()
    knowing.wait()
    check('nothing was made there', not list((world.directory / 'foreign').glob('remade*')) and not list((world.directory / 'foreign').glob('__farshore*')))
    other.kill()
    other.wait()
    target.process = target.spawn()
    target.ready()
    until('the link can be resumed', lambda: world.farshore('link', 'resume', 'r', expect=None).returncode == 0)
    produce(east, 'remade', 200, 100)
    arrived(world, 'remade', 300, target.at)
    compare(world, 'with the true target again', 'r', east, 'remade', target.at, 'remade', 1)


def main(world):
    target = KafkaNode(world, 'target', 'log.retention.check.interval.ms=3600000')
    east = broker(world, 'east')
    east_admin = Admin(east)
    east_admin.make('swept', 1, retention_ms=3600000, segment_bytes=1 << 20)
    east_admin.make('tiny', 1, segment_bytes=65536)
    for topic, partitions in (('orders', 1), ('again', 1), ('remade', 1), ('stamped', 1)):
        east_admin.make(topic, partitions)
    produce(east, 'orders', 0, 500)
    produce(east, 'again', 0, 100)
    produce(east, 'remade', 0, 100)
    produce(east, 'tiny', 0, 100)
    west_at = target.ready()
    west = Admin(west_at)
    other_times(world, east, west)
    _, http = gateway(world, 'gateway', west_at)
    until('the gateway is ready', lambda: get(http, '/readyz')[0] == 200, 60)
    create = ('link', 'create', 'r', '--source', east, '--topics', ','.join(TOPICS), '--mode', 'relay', *FAST)
    plan = world.farshore(*create, '--dry-run')
    check('link create --dry-run says what the target refuses', 'tiny: segment.bytes: source 65536' in plan.stdout + plan.stderr)
    world.farshore(*create)
    arrived(world, 'orders', 500, west_at)
    arrived(world, 'stamped', 200, west_at)
    compare(world, 'into a topic with LogAppendTime and another compression, the times of the source', 'r', east, 'stamped',
            west_at, 'stamped', 1)
    check('its configs are the relay\'s now', (west.config('stamped', 'message.timestamp.type'), west.config('stamped', 'compression.type'))
          == ('CreateTime', 'producer'))
    refused_config(world, east_admin, west, west_at)
    paused(world, east, west_at)
    own_ends(world, west, west_at)
    owned(world, west_at)
    grown(world, east, east_admin, west_at)
    made_anew(world, east, east_admin, west, west_at)
    swept(world, east, east_admin, west, west_at)
    promoted(world, east, east_admin, west_at)
    deleted(world, east, west, west_at)
    foreign_target(world, target, east, http)


peers_or_skip()
World('relay-topics').run(main)
