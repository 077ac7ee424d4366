"""What many partitions cost while nothing happens, and at a start."""
import os
import signal
import time

from scale_world import ScaleWorld, descriptors, fill, make, memory_kib, share_of_a_core, topics_for

QUIET_S = 20  # how long an idle process is watched
SETTLE_S = 15


def idle_rows(partitions, table):
    """Two brokers, a gateway, one link with all partitions: what each takes while nobody writes."""
    topics = topics_for(partitions)
    with ScaleWorld('idle') as world:
        east, east_at = world.broker('east')
        west, west_at = world.broker('west')
        empty = memory_kib(east), descriptors(east)
        make(east_at, topics)
        fill(east_at, topics)
        gateway = world.gateway(west_at)
        world.farshore('link', 'create', 'link', '--source', east_at, '--topics', '*', '--no-group-sync')
        adopted = world.active(partitions, 600)
        table.row(f'{partitions} partitions mirrored after link create', adopted, 60, 's', 'one record in each')
        time.sleep(SETTLE_S)
        table.row('idle gateway', 100 * share_of_a_core(gateway, QUIET_S), 2, '% of a core')
        table.row('idle source broker', 100 * share_of_a_core(east, QUIET_S), 2, '% of a core', 'the gateway fetches from it')
        table.row('idle target broker', 100 * share_of_a_core(west, QUIET_S), 2, '% of a core')
        table.row('memory of an idle partition in a broker', (memory_kib(east) - empty[0]) / partitions, 4, 'KiB',
                  'anonymous memory, grown since the start')
        table.row('descriptors of an idle partition in a broker', (descriptors(east) - empty[1]) / partitions, 0.2, '')


def start_rows(partitions, table):
    topics = topics_for(partitions)
    with ScaleWorld('start') as world:
        broker, address = world.broker('east')
        make(address, topics)
        fill(address, topics)
        broker.kill()
        broker, seconds = world.restarted(broker, 'east', address)
        table.row(f'start after SIGKILL, {partitions} partitions', seconds, 3, 's', 'until ready')
        broker.child.send_signal(signal.SIGTERM)
        broker.child.wait(120)
        broker, seconds = world.restarted(broker, 'east', address)
        table.row(f'start after a clean stop, {partitions} partitions', seconds, 1, 's', 'until ready')


def adoption_row(partitions, table):
    """A gateway takes over a link whose target has everything already."""
    few, many = partitions // 10, partitions * 8 // 10
    taken = {}
    for count in (few, many):
        with ScaleWorld('adoption') as world:
            _, east = world.broker('east')
            _, west = world.broker('west')
            make(east, topics_for(count))
            gateway = world.gateway(west)
            world.farshore('link', 'create', 'link', '--source', east, '--topics', '*', '--no-group-sync')
            if world.active(count, 600) is None:
                taken[count] = None
                continue
            os.kill(gateway.child.pid, signal.SIGKILL)
            gateway.child.wait()
            begin = time.monotonic()
            world.gateway(west)
            found = world.active(count, 600)
            taken[count] = None if found is None else time.monotonic() - begin
    ratio = None if None in taken.values() else taken[many] / taken[few]
    table.row(f'adoption of {many} partitions against {few}', ratio, 10, 'times',
              ', '.join(f'{n}: {"no end" if s is None else f"{s:.1f} s"}' for n, s in taken.items()))


ROWS = {'idle': idle_rows, 'start': start_rows, 'adoption': adoption_row}
