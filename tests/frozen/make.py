"""Makes files of every kind that calib writes: ``python tests/frozen/make.py NEW_FOLDER``.

``files`` was written once, by the program of the commit that ``files/commit.txt`` names, and is
never written again: tests read it with later programs. Files of a later program go to a folder of
their own. Only the command line is used, so that this runs with any program.
"""

from __future__ import annotations

import gzip
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
FIXTURES = HERE.parents[1] / "fixtures"
CALIB = Path(sys.executable).with_name("calib")
WORK = Path(tempfile.gettempdir()) / "calib-frozen"
"""Where the commands run: stored paths of inputs begin with it."""
NEAR, FAR = "small_near.expt small_near.refl", "small_far.expt small_far.refl"

ELSEWHERE = f"""
init
detector add 3-0999 --from small_near.expt
derive {FAR} --by grace
certify 3-0999:1 --from 2026-01-01 --reason "first light" --by grace
bundle create 3-0999 -o elsewhere.calib-bundle
"""
"""Commands for a second store, from which the first gets a bundle."""
STORY = f"""
init
detector add 3-0999 --from small_near.expt --time-zone Europe/London --description "test detector"
detector add 24-0108 --layout "PILATUS 300K"
detector place 3-0999 --beamline I04 --from 2026-02-01 --reason delivered
derive {NEAR} {FAR}
derive {NEAR}
derive {NEAR} --prior-shift-um 0.001 --freedom in-plane
bundle load elsewhere.calib-bundle --adopt --by grace
combine 3-0999:1 --without small_near
derive --add {FAR} --onto 3-0999:2 --freedom in-plane
certify 3-0999:1 --from 2026-03-01 --to 2026-06-01 --min-distance-mm 40 --max-distance-mm 400 \
    --gap-mm 30 --reason "both distances" --supersede
certify 3-0999:2 --from 2026-04-01 --to 2026-05-01 --min-distance-mm 40 --max-distance-mm 100 \
    --reason "module swap" --supersede
certify 3-0999:3 --from 2025-01-01 --to 2025-02-01 --override "nothing better" --reason "old data"
certify 3-0999:5 --from 2026-07-01 --reason "far alone"
withdraw 3-0999:5 --reason "a beam stop was in the way"
db set demand-actor yes
apply small_near.expt small_near.refl -o applied.expt
apply small_far.expt -o applied_far.expt
apply small_near.expt -o applied_april.expt --at 2026-04-15 --as-known-at 15
derive {FAR} --prior-shift-um 0.001 --freedom in-plane
audit key test.pem
audit checkpoint checkpoint.json --key test.pem
detector place 3-0999 --beamline I03 --from 2026-05-01 --by eve
bundle create 3-0999 -o detector.calib-bundle --with-usage
bundle create 3-0999:1 -o calibration.calib-bundle
summary export 3-0999:1 -o summaries
export 3-0999:1 --like applied.expt -o exported.expt
"""
QUESTIONS = """
list
list --serial 3-0999 --as-known-at 7
show 3-0999:1
show 3-0999:2
show 3-0999:3
show 3-0999:4
show 3-0999:5
show 3-0999:6
show 3-0999:7
show 3-0999:1 --as-known-at 5
history 3-0999
history 3-0999 --as-known-at 10
history 3-0999 --panel 1 --at 2026-04
diff 3-0999:1 3-0999:2
usage list
usage list --calibration 3-0999:1
affected 3-0999:1
resolve 3-0999 --at 2026-03-15 --distance 60 --explain
resolve 3-0999 --at 2026-03-15 --distance 410 --explain
resolve 3-0999 --at 2026-03-15 --distance 410 --distance-policy nearest
resolve 3-0999 --at 2026-04-15 --distance 60
resolve 3-0999 --at 2026-04-15 --distance 60 --as-known-at 12
resolve 3-0999 --at 2026-04-15 --distance 100
resolve 3-0999 --at 2026-05-01T00:00:00+01:00 --distance 60
resolve 3-0999 --at 2026-02-15 --distance 150
resolve 3-0999 --at 2026-07-15 --distance 150
resolve 3-0999 --at 2025-01-15 --distance 60
resolve 3-0999 --at 2024-01-15 --distance 60 --time-policy closest
detector list
detector show 3-0999
detector show 24-0108
summary show 3-0999:1
summary show summaries/small_near.calib.h5
bundle show detector.calib-bundle
bundle show calibration.calib-bundle
bundle show elsewhere.calib-bundle
audit log
audit verify
audit verify --checkpoint checkpoint.json --public-key test.pem.pub
db rules
"""
"""Commands whose answers later programs have to give again."""
KEPT = """
applied.expt applied.expt.calib.json applied_april.expt.calib.json
applied_far.expt applied_far.expt.calib.json calibration.calib-bundle checkpoint.json
detector.calib-bundle elsewhere.calib-bundle exported.expt summaries test.pem.pub
"""


def calib(words: list[str], store: str) -> subprocess.CompletedProcess[str]:
    """Run one command in ``WORK``."""
    variables = {
        "CALIB_STORE": store,
        "CALIB_ACTOR": "ada",
        "XDG_CONFIG_HOME": str(WORK / "settings"),
        "OPENBLAS_NUM_THREADS": "1",
        "PATH": os.environ["PATH"],
    }
    return subprocess.run(
        [CALIB, *words], cwd=WORK, env=variables, capture_output=True, text=True, check=False
    )


def commands(lines: str) -> list[list[str]]:
    """The words of each line."""
    return [shlex.split(line) for line in lines.strip().replace("\\\n", "").splitlines()]


def run(lines: str, store: str) -> None:
    """Run commands that write; 1 is the exit code of a derivation that failed acceptance."""
    for words in commands(lines):
        ended = calib(words, store)
        if ended.returncode > 1 or (ended.returncode == 1 and words[0] != "derive"):
            raise SystemExit(f"calib {shlex.join(words)}\n{ended.stderr}")


def answers() -> list[dict[str, Any]]:
    """What the program answers to each question."""
    found = []
    for words in commands(QUESTIONS):
        ended = calib([*words, "--json"], "store.db")
        if ended.returncode > 1:
            raise SystemExit(f"calib {shlex.join(words)}\n{ended.stderr}")
        answer = json.loads(ended.stdout or ended.stderr.splitlines()[-1])
        found.append({"command": words, "code": ended.returncode, "answer": answer})
    return found


def make(folder: Path) -> None:
    """Fill a new folder."""
    folder.mkdir()
    shutil.rmtree(WORK, ignore_errors=True)
    shutil.copytree(FIXTURES, WORK)
    (WORK / "summaries").mkdir()
    run(ELSEWHERE, "elsewhere.db")
    run(STORY, "store.db")
    lines = [json.dumps(answer, ensure_ascii=False) for answer in answers()]
    (folder / "answers.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for name in KEPT.split():
        copy = shutil.copytree if (WORK / name).is_dir() else shutil.copyfile
        copy(WORK / name, folder / name)
    data = (WORK / "store.db").read_bytes()
    (folder / "store.db.gz").write_bytes(gzip.compress(data, 9, mtime=0))
    commit = subprocess.run(
        ["git", "log", "-1", "--format=%H %cI"],
        cwd=HERE,
        capture_output=True,
        text=True,
        check=True,
    )
    (folder / "commit.txt").write_text(commit.stdout)


if __name__ == "__main__":
    make(Path(sys.argv[1]).absolute())
