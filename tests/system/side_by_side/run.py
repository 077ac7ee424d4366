"""Runs cases against both ends and keeps what differs."""
import time

from .compare import differences
from .world import codes

# Apache Kafka shows a change a moment after it has answered it.
RETRIED = {3, 5, 6, 14, 15, 16, 45}
TRIES, PAUSE_SECONDS = 60, 0.05


class Difference:
    def __init__(self, api, version, words, path, kafka, ours):
        self.api, self.version, self.words, self.path, self.kafka, self.ours = api, version, words, path, kafka, ours

    def __str__(self):
        return f'{self.api} {self.version} | {self.words} | {self.path}: Kafka {short(self.kafka)}, here {short(self.ours)}'


def short(value):
    text = repr(value)
    return text if len(text) <= 200 else text[:200] + '...'


class Runner:
    def __init__(self, kafka, ours, apis, first):
        """`first`: fresh names are numbered from here on."""
        self.kafka, self.ours, self.apis = kafka, ours, apis
        self.serial, self.asked, self.found = first, 0, []

    def run(self, case):
        for version in case.versions_of(self.apis[case.api]):
            self.serial += 1
            for end in (self.kafka, self.ours):
                for step in case.prepare:
                    self.prepare(end, step)
            self.found += self.differences(case.api, version, case.words, case.request, case.save)
            for step in case.then:
                self.found += self.settled(step, f'{case.words}, then {step.api} (after {case.api} {version})')

    def prepare(self, end, step):
        for _ in range(TRIES):
            answer = end.ask(step.api, step.version, step.request, self.serial)
            if not isinstance(answer, dict) or not RETRIED & set(codes(answer)):
                break
            time.sleep(PAUSE_SECONDS)
        if step.api == 'CreateTopics':
            for topic in step.request['topics']:
                self.wait_for(end, topic)
        if step.save:
            step.save(end, answer)

    def wait_for(self, end, topic):
        request = {'replica_id': -1, 'topics': [{'name': topic['name'], 'partitions': [
            {'partition_index': n, 'timestamp': -1} for n in range(topic['num_partitions'])]}]}
        for _ in range(TRIES):
            if not any(codes(end.ask('ListOffsets', 4, request, self.serial))):
                return
            time.sleep(PAUSE_SECONDS)

    def differences(self, api, version, words, request, save=None):
        """Asks both at the same time."""
        self.asked += 1
        ends, answers = (self.kafka, self.ours), []
        for end in ends:
            end.send(self.apis[api], version, request, self.serial)
        for end in ends:
            answers.append(end.receive(self.apis[api], version))
        for end, answer in zip(ends, answers):
            if save:
                save(end, answer)
        kafka, ours = (end.comparable(answer) for end, answer in zip(ends, answers))
        return [Difference(api, version, words, *each) for each in differences(kafka, ours)]

    def settled(self, step, words):
        for _ in range(TRIES // 6):
            found = self.differences(step.api, step.version, words, step.request)
            if not found:
                break
            time.sleep(PAUSE_SECONDS)
        return found
