"""Every key that a command prints is in docs/reference/json.md, and every key there is printed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from calib.config.location import Location
from calib.model.result.report import GroupMotion
from calib.report.calibration.groups import group_view
from calib.store.database.database import Database
from calib.store.schema.revision import migrate
from support import raw
from support.clocks import record_in_future
from support.commands import ALL_COMMANDS, calib, done
from support.images import eiger1, master, mini_cbf
from support.json_page import Keys, documented, is_of, leaves, rare_keys, within
from support.mtz import write_mtz
from support.simulated import DETECTOR, SERIAL
from support.workplace import copied_here

CERTIFICATION = documented("A certification")
CALIBRATION = documented("A calibration")
CHANGE = documented("A change")
DETECTOR_KEYS = documented("A detector")
PLACEMENT = documented("A placement")
LAYOUT = documented("A layout")
LOG_HEAD = within("log_head", documented("The head of the log"))
EDIT = documented("A change of a detector")
RETIREMENT = documented("A retirement")
RELABELLING = documented("A relabelling")
HELD = documented("Values of a panel at a time")
HELD |= within("held[].certification", CERTIFICATION)
TYPES = {"text", "time", "integer", "number", "true or false", "object"}
LINE = documented("`calib list`")
BACKUP = documented("`calib db backup`")
CONTRACT: dict[str, Keys] = {
    "derive": CALIBRATION | documented("`calib derive`") | LOG_HEAD,
    "combine": CALIBRATION | documented("`calib derive`") | LOG_HEAD,
    "summary show": documented("`calib summary show`"),
    "summary export": documented("`calib summary export`"),
    "show": CALIBRATION
    | documented("`calib show`")
    | within("certifications[]", CERTIFICATION)
    | within("relabelled", RELABELLING)
    | LOG_HEAD,
    "report": documented("`calib report`"),
    "list": LINE,
    "certify": documented("`calib certify`")
    | within("certification", CERTIFICATION)
    | within("changes[]", CHANGE)
    | LOG_HEAD,
    "withdraw": documented("`calib withdraw`")
    | within("certifications[]", CERTIFICATION)
    | within("changes[]", CHANGE)
    | LOG_HEAD,
    "resolve": documented("`calib resolve`")
    | within("certification", CERTIFICATION)
    | within("candidates[].certification", CERTIFICATION)
    | LOG_HEAD,
    "apply": documented("`calib apply`"),
    "split": documented("`calib split`"),
    "merge": documented("`calib split`"),
    "usage push": documented("`calib usage push`") | LOG_HEAD,
    "usage list": documented("`calib usage list`"),
    "detector add": documented("`calib detector add`")
    | within("detector", DETECTOR_KEYS)
    | LOG_HEAD,
    "detector place": documented("`calib detector place`")
    | within("placement", PLACEMENT)
    | within("before", PLACEMENT)
    | LOG_HEAD,
    "detector edit": documented("`calib detector edit`")
    | within("edit", EDIT)
    | within("detector", DETECTOR_KEYS)
    | LOG_HEAD,
    "detector retire": documented("`calib detector retire`")
    | within("retirement", RETIREMENT)
    | within("before", RETIREMENT)
    | LOG_HEAD,
    "detector relabel": documented("`calib detector relabel`")
    | within("relabelling", RELABELLING)
    | within("withdrawn[]", CERTIFICATION)
    | within("certified[]", CERTIFICATION)
    | LOG_HEAD,
    "detector list": DETECTOR_KEYS,
    "layout list": LAYOUT,
    "layout show": LAYOUT | documented("`calib layout show`"),
    "layout add": documented("`calib layout add`") | within("layouts[]", LAYOUT),
    "detector show": DETECTOR_KEYS
    | documented("`calib detector show`")
    | within("calibrations[]", LINE)
    | within("certifications[]", CERTIFICATION)
    | within("placements[]", PLACEMENT)
    | within("edits[]", EDIT)
    | within("retirements[]", RETIREMENT)
    | LOG_HEAD,
    "affected": documented("`calib affected`")
    | within("files[]", documented("`calib usage list`"))
    | LOG_HEAD,
    "bundle create": documented("A bundle") | documented("`calib bundle create`"),
    "bundle show": documented("A bundle"),
    "bundle load": documented("`calib bundle load`"),
    "diff": documented("`calib diff`") | LOG_HEAD,
    "rederive": documented("`calib rederive`") | LOG_HEAD,
    "history": documented("`calib history`")
    | within("holding[]", CERTIFICATION)
    | within("placement", PLACEMENT)
    | within("events[].certification", CERTIFICATION)
    | within("events[].placement", PLACEMENT)
    | within("events[].edit", EDIT)
    | within("events[].retirement", RETIREMENT)
    | within("events[].relabelling", RELABELLING)
    | LOG_HEAD,
    "history --panel 1": documented("`calib history --panel`")
    | within("then", HELD)
    | within("now", HELD)
    | LOG_HEAD,
    "audit log": documented("`calib audit log`"),
    "audit verify": documented("`calib audit verify`") | LOG_HEAD,
    "audit clock": documented("`calib audit clock`"),
    "audit checkpoint": documented("`calib audit checkpoint`"),
    "audit anchor": documented("`calib audit anchor`"),
    "audit key": documented("`calib audit key`"),
    "audit keys": documented("`calib audit keys`"),
    "audit rotate": documented("`calib audit rotate`") | documented("`calib audit keys`"),
    "export": documented("`calib export`"),
    "identify": documented("`calib identify`"),
    "explain": documented("`calib explain`"),
    "annotate": documented("`calib annotate`"),
    "publish geometry": documented("`calib publish geometry`"),
    "init": documented("`calib init`"),
    "doctor": documented("`calib doctor`"),
    "db current": documented("`calib db current`"),
    "db check": documented("`calib db check`"),
    "db upgrade": documented("`calib db upgrade`"),
    "db backup": BACKUP,
    "db set": documented("`calib db set`"),
    "db rules": documented("`calib db rules`"),
    "db grant": documented("`calib db grant`"),
    "db restore": BACKUP | documented("`calib db restore`"),
}


@pytest.fixture(scope="module")
def answers(story: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """The JSON of every command, rare cases included."""
    with pytest.MonkeyPatch.context() as patched:
        copied_here(story, tmp_path_factory.mktemp("contract"), patched, "beamline.sqlite")
        return all_answers()


def all_answers() -> dict[str, list[Any]]:
    """The same, in the current folder."""
    answers: dict[str, list[Any]] = {name: [] for name in CONTRACT}

    def ask(name: str, *words: str, code: int = 0) -> None:
        answer = calib(*name.split(), *words, "--json")
        assert answer.code == code, answer.stderr
        found = answer.json
        answers[name] += found if isinstance(found, list) else [found]

    night1, night2 = ("night1.expt", "night1.refl"), ("night2.expt", "night2.refl")
    ask("init", "--store", "new.sqlite")
    ask("init", "--store", "new.sqlite", "--dry-run")
    ask("init", "--store", "other.sqlite")
    ask("detector add", "24-0999", "--layout", DETECTOR)
    ask("layout add", "lambda.toml", "--dry-run")
    ask("layout add", "lambda.toml")
    ask("layout list")
    ask("layout show", "EIGER2 16M in 4M ROI")
    ask("layout show", "LAMBDA L")
    ask("derive", *night1, *night2, "--store", "new.sqlite")
    ask("derive", *night1, "--dry-run")
    ask("derive", *night2, "--space-group", "P43212", "--crystals", "varying")
    ask("show", "24-0107:4")
    ask("derive", "--onto", "24-0107:3", "indexed.expt", "indexed.refl", "--dry-run")
    ask("combine", "24-0107:1", "24-0107:4", "--dry-run")
    ask("combine", "24-0107:4")
    ask("show", "24-0107:5")
    ask("combine", "24-0107:3", "--without", "night1", "--dry-run")
    ask("summary show", "24-0107:3")
    ask("summary export", "24-0107:3", "-o", ".")
    ask("summary show", "night1.calib.npz")
    ask("derive", *night2, "--crystals", "varying", "--crystal-interval", "30")
    ask("show", "24-0107:6")
    ask("rederive", "24-0107:1")
    ask("diff", "24-0107:1", "24-0107:2")
    ask("diff", "24-0107:3", "24-0107:3")
    ask("certify", "24-0107:3", "--reason", "new", "--to", "2027-01-01")
    ask("certify", "24-0107:1", "--reason", "old", "--dry-run")
    ask("certify", "24-0107:2", "--reason", "better", "--from", "2026-03-03", "--supersede")
    ask("resolve", "24-0107", "--at", "2026-03-05", "--distance", "200", "--explain")
    Path("x.cbf").write_bytes(mini_cbf(model=f"PILATUS 300K, S/N {SERIAL}"))
    eiger1(Path("x_master.h5"))
    master(Path("y_master.h5"), instrument__detector__detectorSpecific__roi_mode="disabled")
    ask("identify", "imported.expt", "x.cbf")
    ask("identify", "x_master.h5", "y_master.h5", code=1)
    ask("withdraw", "24-0107:2", "--reason", "worse")
    ask("resolve", "24-0107", "--at", "2026-03-05", "--distance", "200")
    ask("apply", "indexed.expt", "indexed.refl", "-o", "a.expt")
    ask("apply", "a.expt", "-o", "b.expt", "--calibration", "24-0107:1")
    ask("apply", "imported.expt", "--dry-run")
    ask("merge", "night1.expt", "night1.refl", "-o", "single.expt")
    ask("merge", "imported.expt", "-o", "single_imported.expt")
    ask("split", "single.expt", "single.refl", "--no-shoeboxes")
    ask("split", "single.expt", "--dry-run", "-o", "dry.expt")
    ask("usage list")
    ask("usage push", "a.expt.calib.json")
    ask("show", "24-0107:3")
    placing = ("24-0107", "--beamline", "I04", "--from")
    ask("detector place", *placing, "2026-03-01", "--dry-run")
    ask("detector place", *placing, "2026-03-01", "--reason", "new")
    ask("detector place", *placing, "2026-04-01")
    ask("detector show", "24-0107")
    ask("history --panel 1", "24-0107", "--at", "2026-03-07", "--as-known-at", "now")
    ask("withdraw", "24-0107:3", "--reason", "moved")
    ask("apply", "imported.expt", "--if-missing", "copy")
    ask("show", "24-0107:3")
    ask("detector show", "24-0107")
    ask("history", "24-0107", "--at", "2026-03-07")
    ask("history", "24-0107", "--at", "2026-03-07", "--as-known-at", "9")
    ask("history", "24-0107", "--as-known-at", "2020-01-01")
    done("certify", "24-0107:1", "--reason", "old")
    done("certify", "24-0107:3", "--from", "2026-03-04", "--reason", "new")
    ask("affected", "24-0107:3")
    ask("bundle create", "24-0107", "--with-usage", "-o", "all.calib-bundle")
    ask("bundle create", "24-0107:3", "-o", "one.calib-bundle")
    ask("bundle show", "all.calib-bundle")
    ask("bundle show", "one.calib-bundle")
    ask("bundle load", "all.calib-bundle", "--adopt", "--store", "other.sqlite")
    ask("show", "24-0107:3", "--store", "other.sqlite")
    ask("list")
    ask("detector list")
    edit = ("24-0107", "--reason", "moved", "--from", "2026-03-01")
    ask("detector edit", *edit, "--layout-name", "P", "--description", "d", "--dry-run")
    ask("detector edit", *edit, "--time-zone", "Europe/Paris")
    ask("detector retire", "24-0107", "--from", "2026-05-01", "--reason", "replaced")
    ask("detector retire", "24-0107", "--undo", "--reason", "spare", "--dry-run")
    ask("detector edit", *edit, "--layout-name", "P", "--description", "d")
    ask("detector add", "24-0107", "--from", "night1.expt")
    ask("detector relabel", "24-0107:3", "--to", "24-0170", "--reason", "mistyped", "--dry-run")
    ask("detector relabel", "24-0107:3", "--to", "24-0170", "--reason", "mistyped", "--certify")
    ask("show", "24-0107:3")
    ask("show", "24-0170:1")
    ask("report", "24-0107:3")
    end = ("--from", "2026-03-01", "--to", "2026-03-02")
    done("certify", "24-0107:2", "--reason", "new", *end, "--supersede")
    ask("detector relabel", "24-0107:2", "--to", "24-0171", "--reason", "mistyped", "--certify")
    ask("detector show", "24-0107")
    ask("detector list")
    ask("history", "24-0107")
    ask("export", "24-0107:3", "--like", "imported.expt", "-o", "reference.expt")
    ask("explain", "b.expt")
    write_mtz(Path("scaled.mtz"))
    ask("annotate", "scaled.mtz", "b.expt", "-o", "annotated.mtz")
    ask("publish geometry", "24-0107", "-o", "geometry.json")
    ask("doctor")
    ask("doctor", "--store", "gone.sqlite", code=1)
    ask("db current")
    ask("db current", "--store", "gone.sqlite")
    ask("db check")
    raw.execute("new.sqlite", "DROP TRIGGER panel_no_delete")
    ask("db check", "--store", "new.sqlite", code=1)
    ask("db grant", "pipeline", "--as", "applier", "--dry-run")
    ask("db set", "demand-actor", "yes")
    ask("db rules")
    ask("db backup", "-o", "backup.sqlite")
    ask("db restore", "backup.sqlite", "--store", "restored.sqlite")
    Path("old.sqlite").touch()
    database = Database(Location.parse("old.sqlite"), foreign_keys=False)
    migrate(database, "0004")
    database.close()
    ask("db upgrade", "--store", "old.sqlite")
    ask("db upgrade", "--store", "old.sqlite")
    record_in_future("beamline.sqlite")
    because = ("--reason", "late", "--clock-checked")
    ask("audit clock", *because, "--dry-run")
    ask("audit clock", *because)
    ask("audit log")
    ask("audit verify")
    ask("audit verify", "--checkpoint", "a.expt.calib.json")
    ask("audit key", "key.pem")
    ask("audit checkpoint", "c.json", "--key", "key.pem")
    Path("anchors").mkdir()
    ask("audit key", "stolen.pem")
    ask("audit anchor", "anchors", "--key", "stolen.pem")
    since = ("--compromised-since", "2026-01-01")
    ask("audit rotate", "--key", "stolen.pem", "--reason", "stolen", *since)
    ask("audit keys", "stolen.pem.keys", "--public-key", "stolen.pem.pub")
    ask("audit verify", "--checkpoint", "anchors", "--public-key", "stolen.pem.keys")
    ask("audit anchor", "other.sqlite", "--key", "key.pem")
    done("audit", "key")
    ask("show", "24-0107:3")
    ask("detector show", "24-0107")
    ask("history", "24-0107")
    ask("history --panel 1", "24-0107")
    head = answers["history"][-1]["log_head"]
    ask("audit verify", "--head", f"{head['position']}:{head['hash']}")
    raw.tamper("beamline.sqlite", "UPDATE withdrawal SET reason = 'x'")
    checked = ("--checkpoint", "c.json", "--public-key", "key.pem.pub")
    ask("audit verify", *checked, code=1)
    return answers


def test_every_printed_key_is_documented(answers: dict[str, list[Any]]) -> None:
    for name, views in answers.items():
        keys = CONTRACT[name]
        for key, value in (leaf for view in views for leaf in leaves(view)):
            if value is None and any(known.startswith(f"{key}.") for known in keys):
                continue  # an object that is absent
            assert key in keys, (
                f"calib {name} prints {key}, which docs/reference/json.md does not name"
            )
            assert is_of(value, keys[key]), f"calib {name}: {key} is {value!r}"


def test_every_documented_key_is_printed(answers: dict[str, list[Any]]) -> None:
    for name, views in answers.items():
        seen = {key for view in views for key, _ in leaves(view)}
        printed = {key for key, kind in CONTRACT[name].items() if kind != "object"}
        rare = rare_keys(name, printed)
        assert printed - seen <= rare, f"calib {name} never prints {sorted(printed - seen - rare)}"


def test_optional_keys_are_sometimes_present(answers: dict[str, list[Any]]) -> None:
    for name, keys in CONTRACT.items():
        found = {key for view in answers[name] for key, value in leaves(view) if value is not None}
        never = {key for key, kind in keys.items() if kind.endswith("or null")} - found
        # The same for every report; show, history and detector show are asked with a key.
        never -= {key for key in never if key.startswith("log_head.") and "show" not in name}
        never -= {key for key in never if key.startswith("misfits[]")}  # tests/flows/test_add.py
        never -= {key for key in never if key.startswith("warnings[].")}  # tests/report
        never -= {key for key in never if key.endswith("override")}  # tests/cli/test_exit_codes.py
        never -= {"events[].drift.rms_shift_um.normal"}  # calib diff has it
        never -= {key for key in never if key.startswith("groups[].")}  # below
        never -= {"provenance.parent"}  # tests/store/test_provenance.py
        never -= {"anchors[].commit", "anchors[].pushed_to"}  # tests/cli/test_anchors.py
        never -= {key for key in never if key.endswith("sigma_um.model")}  # combinations
        never -= {key for key in never if name == "combine" and key.startswith("what_if.")}
        never -= {"endorsed"} if name == "audit rotate" else set()  # calib audit keys has it
        assert never == set(), (name, never)


def test_groups_of_panels_are_printed_as_documented() -> None:
    sigma = (0.01, 0.01, None, None, None, 1e-4)
    view = group_view(GroupMotion("Q0", 1, (0, 1), 10, (0.1, 0.2, 0.0, 0.0, 0.0, 1e-3), sigma))
    documented_keys = {key: kind for key, kind in CALIBRATION.items() if key.startswith("groups[]")}
    printed = dict(leaves({"groups": [view]}))
    assert set(printed) == set(documented_keys)
    for key, value in printed.items():
        assert is_of(value, documented_keys[key])


def test_the_json_of_every_command_is_compared() -> None:
    has_json = {" ".join(w) for w in ALL_COMMANDS if "--json" in done(*w, "--help-all").stdout}
    compared = {name.partition(" --")[0] for name in CONTRACT}
    assert has_json == compared | {"demo"}  # tests/cli/test_demo.py


def test_types_are_those_of_the_page() -> None:
    for keys in CONTRACT.values():
        assert {kind.removesuffix(" or null") for kind in keys.values()} <= TYPES


def test_an_error_has_the_keys_of_the_page(here: Path) -> None:
    keys = documented("Output streams")
    assert {f"error.{key}" for key in calib("show", "9999", "--json").error} == set(keys)
    for words in (("show", "9999"), ("derive", "gone.expt"), ("list", "--frobnicate")):
        for key, value in calib(*words, "--json").error.items():
            assert is_of(value, keys[f"error.{key}"])


def test_json_is_one_line_in_a_pipe(here: Path) -> None:
    assert done("show", "24-0107:3", "--json").stdout.count("\n") == 1
