"""Files of every format, changed at random by the number of the change, and read.

Each ``Reader`` gets such a number, changes a file, and reads it. What is accepted must be what
other code reads from the same bytes, or the content of the file before it was changed; else it
raises ``AssertionError``. For use in another process (``support.isolated``).
"""

from __future__ import annotations

import base64
import json
import os
import re
import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import gemmi
import msgpack
import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from calib.config.settings import CONFIG, read_settings
from calib.files.dials.expt import ExperimentFile
from calib.files.dials.refl import Table, read_table, table_bytes
from calib.files.exchange.history import read_history
from calib.files.native.bundle import read_bundle
from calib.files.native.checkpoint import read_checkpoint
from calib.files.native.key_history import KeyHistory
from calib.files.native.keys import public_bytes, read_private, read_public
from calib.flows.receipts import read_receipt
from calib.model.base.content import to_content
from calib.model.detector.known_detector import read_family
from support.mutations import Change, changed_bytes, changed_json, changed_msgpack, changed_toml
from support.simulated import LAMBDA

FROZEN = Path(__file__).parents[1] / "frozen" / "files"
HISTORY = "2026-03-05T10:00:00Z|calib.apply|0.3.0|calibration=0123456789abcdef"
FIXTURES = Path(__file__).parents[2] / "fixtures"
SETTINGS = (
    b'store = "/data/calib.sqlite"\nactor = "ada"\nwait_seconds = 10.0\nconnect_seconds = 5\n'
    b'journal = "wal"\n'
)


@cache
def _file() -> int:
    return os.memfd_create("hostile")


def placed(content: bytes) -> Path:
    """The path of a file in memory with this content, until the next one."""
    os.ftruncate(_file(), 0)
    os.pwrite(_file(), content, 0)
    return Path(f"/proc/self/fd/{_file()}")


def changed(number: bytes, content: bytes, *changes: Change) -> bytes:
    """The content with the change of this number."""
    chance = Random(number)  # noqa: S311 - nothing is secret here
    return chance.choice(changes)(chance, content)


# Experiment lists


def stated_experiments(content: Any) -> list[Any]:
    """Of each experiment in JSON: what its models state."""
    models = {name: content.get(name) or [] for name in ("beam", "detector", "scan")}

    def model(kind: str, entry: dict[str, Any]) -> Any:
        return None if entry.get(kind) is None else models[kind][entry[kind]]

    out: list[Any] = []
    if not models["beam"] and all(entry.get("beam") is None for entry in content["experiment"]):
        return out  # detectors only
    for entry in content["experiment"]:
        beam, detector = model("beam", entry), model("detector", entry)
        scan = model("scan", entry)
        shapes = [
            (one.get("name") or "", [*one["image_size"]], [*one["pixel_size"]])
            for one in detector["panels"]
        ]
        out.append(
            (
                entry.get("identifier") or "",
                beam["wavelength"],
                shapes,
                None if scan is None else [*scan["image_range"]],
            )
        )
    return out


def experiments(number: bytes) -> str:
    """An experiment list, also written again with its own panel frames."""
    name = ("applied.expt", "exported.expt")[number[-1] % 2]
    content = changed(number, (FROZEN / name).read_bytes(), changed_json, changed_bytes)
    file = ExperimentFile.parse(content, "x.expt")
    read = file.experiments
    found = [
        (
            one.identifier,
            read.beams[one.beam].wavelength_angstrom,
            [
                (panel.name, [*panel.size_px], [*panel.pixel_mm])
                for panel in read.detectors[one.detector].panels
            ],
            None if one.scan is None else [*read.scans[one.scan].image_range],
        )
        for one in read.experiments
    ]
    assert found == stated_experiments(json.loads(content)), "not what the file states"
    frames = {index: file.root_frames(index) for index in range(len(read.detectors))}
    again = file.with_frames(frames)
    for index, old in frames.items():
        new = again.root_frames(index)
        scale = 1.0 + np.abs(old.origin_mm).max(initial=0.0)
        assert np.allclose(new.origin_mm, old.origin_mm, rtol=0.0, atol=1e-9 * scale), "moved"
        assert np.allclose(new.rotation, old.rotation, rtol=0.0, atol=1e-9), "turned"
    return "read"


# Reflection tables


@cache
def reflections_file() -> bytes:
    """A table of fifty rows, with every column of the fixture."""
    whole = read_table(FIXTURES / "small_near.refl")
    columns = {
        name: column._replace(values=column.values[:50])
        for name, column in whole.columns.items()
        if isinstance(column.values, np.ndarray)
    }
    return table_bytes(Table(50, whole.identifiers, columns, whole.version))


def reflections(number: bytes) -> str:
    """A reflection table."""
    content = changed(number, reflections_file(), changed_msgpack, changed_bytes)
    table = read_table(placed(content))
    unpacker = msgpack.Unpacker(strict_map_key=False, max_buffer_size=2**31)
    unpacker.feed(content)
    _, version, stated = unpacker.unpack()
    assert (table.version, table.nrows) == (version, stated["nrows"])
    assert table.identifiers == stated["identifiers"]
    assert list(table.columns) == list(stated["data"])
    for name, (typename, values) in table.columns.items():
        kind, (rows, payload) = stated["data"][name]
        raw = values if isinstance(values, bytes) else values.tobytes()
        assert (typename, table.nrows, raw) == (kind, rows, payload), name
    return "read"


# What is signed or hashed: accepted only unchanged


def receipt(number: bytes) -> str:
    """A receipt: each application has an id that is the hash of its values."""
    path = FROZEN / "applied.expt.calib.json"
    content = changed(number, path.read_bytes(), changed_json, changed_bytes)
    known = {one.id: to_content(one) for one in read_receipt(path)}
    for one in read_receipt(placed(content)):
        assert to_content(one) == known[one.id], "another application"
    return "read"


def bundle(number: bytes) -> str:
    """A bundle, which ends with the hash of its bytes."""
    original = (FROZEN / "elsewhere.calib-bundle").read_bytes()
    content = changed(number, original, changed_bytes)
    read_bundle(placed(content))
    assert content == original, "accepted though its bytes were changed"
    return "read"


def checkpoint(number: bytes) -> str:
    """A signed checkpoint."""
    path, key = FROZEN / "checkpoint.json", FROZEN / "test.pem.pub"
    content = changed(number, path.read_bytes(), changed_json, changed_bytes)
    assert read_checkpoint(placed(content), key) == read_checkpoint(path, key), "forged"
    return "read"


@cache
def private() -> Ed25519PrivateKey:
    """A key."""
    return Ed25519PrivateKey.from_private_bytes(b"\1" * 32)


@cache
def history() -> KeyHistory:
    """A history of two keys, the second one endorsed by the first."""
    from datetime import UTC, datetime

    from calib.model.store.signing import SigningKey

    first = Ed25519PrivateKey.from_private_bytes(b"\2" * 32)
    made, retired = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
    one = SigningKey(public_bytes(first.public_key()), made, retired, None, "yearly")
    two = SigningKey(public_bytes(private().public_key()), retired)
    endorsement = first.sign(two.endorsed_bytes(one.public_key))
    return KeyHistory((one, SigningKey(two.public_key, retired, None, None, "", endorsement)))


def keys(number: bytes) -> str:
    """A signed history of keys."""
    content = changed(number, history().file_bytes(private()), changed_json, changed_bytes)
    found = KeyHistory.read(placed(content))
    assert found == history(), "forged"
    return "read"


def _stated_key(content: bytes) -> bytes:
    """The 32 bytes at the end of the first block of base64."""
    (body,) = re.findall(rb"-----BEGIN [A-Z ]+-----(.*?)-----END", content, re.DOTALL)[:1]
    return base64.b64decode(body)[-32:]


def public_key(number: bytes) -> str:
    """A public key."""
    content = changed(number, (FROZEN / "test.pem.pub").read_bytes(), changed_bytes)
    assert public_bytes(read_public(placed(content))) == _stated_key(content)
    return "read"


def private_key(number: bytes) -> str:
    """A private key."""
    text = private().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    content = changed(number, text, changed_bytes)
    found = read_private(placed(content)).private_bytes_raw()
    assert found == _stated_key(content)
    return "read"


# Settings and layouts


def settings(number: bytes) -> str:
    """A file of settings."""
    content = changed(number, SETTINGS, changed_toml, changed_bytes)
    path = placed(content)
    found = read_settings({CONFIG: str(path)}, Path("/none")).all
    stated = tomllib.loads(content.decode())
    assert set(stated) <= set(found)
    for name, value in stated.items():
        if name != "store":  # relative to the file
            assert found[name].value in (value, str(value).strip()), name
    return "read"


def layouts(number: bytes) -> str:
    """A file of layouts."""
    content = changed(number, LAMBDA.encode(), changed_toml, changed_bytes)
    text = content.decode("utf-8", "replace")
    found = {one.name: one for one in read_family(text, "x.toml")}
    stated = tomllib.loads(text)
    assert set(found) == {*stated["models"], *stated.get("regions", {})}
    for name, given in stated["models"].items():
        own = given if isinstance(given, dict) else {"grid": given}
        origins = own.get("origins_px")
        n = len(origins) if origins is not None else own["grid"][0] * own["grid"][1]
        layout = found[name].layout()
        assert len(layout.panels) == n
        module: Any = own.get("module_px", stated.get("module_px"))
        for panel in layout.panels:
            assert [*panel.size_px] == [*module]
            assert panel.pixel_mm == (stated["pixel_mm"],) * 2
    return "read"


# MTZ files


@cache
def _mtz() -> bytes:
    made = gemmi.Mtz(with_base=True)
    made.spacegroup = gemmi.SpaceGroup("P 1")
    made.set_data(np.array([[1.0, 2.0, 3.0]]))
    made.history = [HISTORY, "From a test"]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "made.mtz"
        made.write_to_file(str(path))
        return path.read_bytes()


def mtz(number: bytes) -> str:
    """The history of an MTZ file: each line is in the file as it is read."""
    content = changed(number, _mtz(), changed_bytes)
    for line in read_history(placed(content)):
        assert line.text.encode() in content, "not what the file states"
    return "read"


READERS: dict[str, Callable[[bytes], str]] = {
    one.__name__: one
    for one in (
        experiments, reflections, receipt, bundle, checkpoint, keys, public_key, private_key,
        settings, layouts, mtz,
    )
}  # fmt: skip
