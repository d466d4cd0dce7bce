"""What only concurrent writers could break: overlaps are refused and triggers take effect."""

from __future__ import annotations

import json

from calib.store.store import Store
from support import children, raw
from support.records import NOON, calibration, detector, stamp

WRITERS = 4

AT_ONCE = """
import json, os, sys, time
from calib.errors import CalibError
from calib.store.store import Store
from support.records import NOON, certification, stamp
place, writers, at = sys.argv[1], int(sys.argv[2]), time.time() + 1.0
children = []
for writer in range(writers):
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with Store.open(place, wait_seconds=60.0) as store:
            stored = store.calibrations.get(str(writer + 1))
            time.sleep(max(0.0, at - time.time()))
            try:
                answer = store.certifications.certify(certification(stored)).number
            except CalibError as error:
                answer = error.code
        os.write(writing, json.dumps(answer).encode())
        os._exit(0)
    os.close(writing)
    children.append((child, reading))
answers = [json.loads(os.read(reading, 4096)) for _, reading in children]
assert all(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0 for child, _ in children)
print(json.dumps(answers))
"""


def test_of_overlapping_certifications_at_the_same_time_one_is_recorded(place: str) -> None:
    with Store.open(place) as store:
        for seed in range(WRITERS):
            store.calibrations.add(calibration(seed=seed), (NOON, None), stamp(), detector())
    answers = json.loads(children.run(AT_ONCE, place, str(WRITERS)))
    assert sorted(str(answer) for answer in answers if isinstance(answer, str)) == ["overlap"] * (
        WRITERS - 1
    )
    with Store.open(place) as store:
        certifications = store.certifications.list(detector().serial)
        assert [certified.number for certified in certifications] == [
            one for one in answers if isinstance(one, int)
        ]
        assert store.log.audit().findings == ()


TAMPERS = """
import json, os, sys, time
from calib.store.store import Store
from support import raw
from support.records import calibration, stamp
place, adds = sys.argv[1], int(sys.argv[2])
child = os.fork()
if child == 0:
    with Store.open(place, wait_seconds=60.0) as store:
        for seed in range(100, 100 + adds):
            store.calibrations.add(calibration(seed=seed), (None, None), stamp())
    os._exit(0)
refused = {}
with raw.connection(place) as opened:
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        for statement in ("UPDATE panel SET dx = 0", "DELETE FROM deed", "DELETE FROM entry"):
            try:
                opened.execute(statement)
                refused[statement] = "accepted"
            except Exception as error:
                locked = "locked" in str(error)
                kept = "locked" if locked else "only ever added" in str(error)
                refused.setdefault(statement, kept)
                if not locked:
                    refused[statement] = kept
        if ended:
            break
assert os.waitstatus_to_exitcode(status) == 0
print(json.dumps(refused))
"""


def test_triggers_refuse_while_others_write(place: str) -> None:
    adds = 8
    with Store.open(place) as store:
        store.calibrations.add(calibration(), (NOON, None), stamp(), detector())
    refused = json.loads(children.run(TAMPERS, place, str(adds)))
    assert set(refused.values()) == {True}
    with Store.open(place) as store:
        assert store.log.audit().findings == ()
        assert len(store.calibrations.list()) == adds + 1
    assert len(raw.rows(place, "deed")) == adds + 1
