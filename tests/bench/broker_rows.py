"""What the broker costs, against Apache Kafka 4.1.1, driven by Kafka's own tools."""
import re
import statistics
import time

from machine import World

RECORD_BYTES = 1000


def produce(world, address, topic, records, throughput=-1, record_bytes=RECORD_BYTES, acks='1'):
    """Kafka's ProducerPerformance; returns its 99th percentile in ms."""
    tool = world.peer('kafka-tool', 'org.apache.kafka.tools.ProducerPerformance', '--topic', topic, '--num-records', records,
                      '--record-size', record_bytes, '--throughput', throughput, '--producer-props', f'bootstrap.servers={address}',
                      f'acks={acks}', 'linger.ms=5', 'batch.size=262144', 'buffer.memory=67108864', heap='512m')
    tool.wait()
    return float(re.search(r'([\d.]+) ms 99th', tool.lines()[-1]).group(1))


def consume(world, address, topic, records):
    tool = world.peer('kafka-tool', 'org.apache.kafka.tools.ConsumerPerformance', '--bootstrap-server', address, '--topic', topic,
                      '--messages', records, '--timeout', 60000, heap='512m')
    tool.wait()


def measured(world, broker, address, quick):
    """One broker, warmed up; what it cost."""
    records = 100_000 if quick else 1_000_000
    found = {}
    produce(world, address, 'warm', records // 2)
    consume(world, address, 'warm', records // 2)
    before = broker.cpu_s()
    produce(world, address, 'bench', records)
    found['produce'] = records * RECORD_BYTES / 1e6 / (broker.cpu_s() - before)
    rates = []
    for _ in range(1 if quick else 3):
        before = broker.cpu_s()
        consume(world, address, 'bench', records)
        rates.append(records * RECORD_BYTES / 1e6 / (broker.cpu_s() - before))
    found['consume'] = statistics.median(rates)
    found['p99_ms'] = statistics.median(
        produce(world, address, 'steady', 40_000 if quick else 200_000, 20_000, acks='all') for _ in range(1 if quick else 3))
    found['rss_mib'] = broker.rss_mib()
    return found


def broker_rows(quick, report):
    with World('broker') as world:
        broker, address = world.broker('ours', 'num.partitions=8')
        ours = measured(world, broker, address, quick)
        broker.kill()
        kafka, address, ready_s = world.kafka('num.partitions=8')
        theirs = measured(world, kafka, address, quick)
        kafka.kill()
        notes = 'ProducerPerformance, 1000 B records, 8 partitions, both warmed up'
        report.row('broker: produced', 'MB/CPU-s', ours['produce'], theirs['produce'], ours['produce'] / theirs['produce'], 3, notes)
        report.row('broker: consumed', 'MB/CPU-s', ours['consume'], theirs['consume'], ours['consume'] / theirs['consume'], 1,
                   'ConsumerPerformance on the same')
        report.row('broker: p99 of produce at 20,000 records/s', 'ms', ours['p99_ms'], theirs['p99_ms'],
                   ours['p99_ms'] / theirs['p99_ms'], 0.5, 'acks=all, linger.ms=5; wall time', less=True)
        report.row('broker: memory after it', 'MiB', ours['rss_mib'], theirs['rss_mib'], ours['rss_mib'] / theirs['rss_mib'], 0.1,
                   'highest; Kafka with a heap of 1 GiB', less=True)
    times = []
    for _ in range(3):
        with World('ready') as world:
            begin = time.monotonic()
            world.broker('ours')
            times.append(time.monotonic() - begin)
    report.row('broker: ready to serve', 's', statistics.median(times), None, statistics.median(times), 0.3,
               f'from its start on an empty directory; Apache Kafka: {ready_s:.1f} s until it answered', less=True)


ROWS = {'broker': broker_rows}
