"""An inference plugin: does a person sign in from a time zone as before?

The formula, bounds and texts are those of the example in Go, plugin-go:

    llr = ln( (n(z) + a/K) / (n + a) * K ),  confidence = n / (n + 3)

It keeps the last 32 sign-ins of a person, none older than 90 days, of at most
20,000 people.
"""

import json
import math
from collections import OrderedDict

import contract
import inference_v2_pb2 as pb

NAME = "plugin-python"
ZONES, ALPHA = 38.0, 1.0
PEOPLE, MOST = 20_000, 32
RETENTION = 90 * 24 * 3600 * 10**9  # nanoseconds


class Inference:
    def __init__(self):
        self.people = OrderedDict()  # person: [[at, zone], ...]; taught longest ago first

    def describe(self):
        return pb.Description(
            name=NAME, version="1", cluster=pb.CLUSTER_NETWORK, features=[pb.FEATURE_ZONE], kinds=[pb.KIND_SIGN_IN],
            keeps=["time and time zone of the last 32 sign-ins"], retention_nanos=RETENTION,
            texts=[
                pb.ReasonText(code="no-history", english="No earlier sign-in is known.", chinese="沒有先前的登入紀錄。"),
                pb.ReasonText(code="no-zone", english="The time zone is not known.", chinese="無法得知時區。"),
                pb.ReasonText(code="zone", english="{times} of {of} earlier sign-ins came from this time zone.",
                              chinese="先前 {of} 次登入中有 {times} 次來自此時區。"),
            ])

    def ready(self):
        return True

    def observe(self, observations):
        learned = 0
        for o in observations:
            if not o.zone_known:
                continue
            kept = self.people.setdefault(o.person, [])
            self.people.move_to_end(o.person)
            if all(at != o.at_unix_nano for at, _ in kept):  # one may come twice
                kept.append([o.at_unix_nano, o.zone_minutes])
                learned += 1
            del kept[:-MOST]
            self.expire(o.at_unix_nano)
        return learned

    def expire(self, now):
        for person in list(self.people):
            if len(self.people) <= PEOPLE and now - max(at for at, _ in self.people[person]) < RETENTION:
                return
            del self.people[person]

    def assess(self, o):
        if not o.zone_known:
            return contract.abstain("no-zone")
        kept = [zone for at, zone in self.people.get(o.person, []) if 0 <= o.at_unix_nano - at < RETENTION]
        if not kept:
            return contract.abstain("no-history")
        n, here = len(kept), kept.count(o.zone_minutes)
        llr = math.log((here + ALPHA / ZONES) / (n + ALPHA) * ZONES)
        return contract.say(llr, n / (n + 3), "zone", times=here, of=n)

    def learn(self, _observation, _genuine):
        return False

    def forget(self, person):
        self.people.pop(person, None)

    def export(self):
        return json.dumps(list(self.people.items())).encode()

    def take(self, state):
        people = OrderedDict((person, [[int(at), int(zone)] for at, zone in kept]) for person, kept in json.loads(state))
        if any(not isinstance(p, str) or not 0 < len(kept) <= MOST for p, kept in people.items()):
            raise ValueError("no state of this plugin")
        self.people = people


if __name__ == "__main__":
    contract.serve(Inference())
