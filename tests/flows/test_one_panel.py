"""derive and detector add split detectors of one panel by themselves."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from calib.errors import CalibError
from calib.files.dials.dataset_write import write_dataset
from calib.flows.derive import DeriveRequest, derive
from calib.flows.detectors import Registered, register
from calib.flows.layouts.split import SplitRequest, merge, split
from calib.flows.shared.results import Derived
from calib.model.store.record import ChangeStamp
from calib.solve.options import Crystals
from calib.store.store import Store
from support.modules import one_panel, spots, write_expt, write_table
from support.simulated import LAYOUT, NIGHT_1, SERIAL, measured

STAMP = ChangeStamp(datetime(2026, 3, 2, tzinfo=UTC), "tester", "here")
ROUNDING_MM = 1e-9
EIGER_4M = (2068, 2162)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated dataset merged into one panel, and split again by the command."""
    folder = tmp_path_factory.mktemp("whole")
    data = measured("night1", 150.0, NIGHT_1, seed=1, n_reflections=2000)
    expt, refl = write_dataset(data, folder)
    merge(SplitRequest(expt, folder / "whole.expt", refl))
    split(SplitRequest(folder / "whole.expt", folder / "parts.expt", folder / "whole.refl"))
    return folder


def derived(store: Store, *paths: Path) -> Derived:
    request = DeriveRequest(tuple(paths), crystals=Crystals.STATIC)
    return derive(request, store, STAMP, dry_run=True)


def test_a_detector_of_one_panel_gives_the_calibration_of_the_files_of_split(
    store: Store, whole: Path
) -> None:
    one = derived(store, whole / "whole.expt", whole / "whole.refl")
    parts = derived(store, whole / "parts.expt", whole / "parts.refl")
    assert one.notices[0] == "whole: one panel was split into the 3 modules of a PILATUS 300K."
    assert parts.notices == ()
    found, expected = one.record.estimate, parts.record.estimate
    assert found.correction.values == pytest.approx(expected.correction.values, abs=ROUNDING_MM)
    assert np.array_equal(found.n_reflections, expected.n_reflections)
    assert one.registered is not None
    assert one.registered.layout.geometry_id == LAYOUT.geometry_id


def test_reflections_in_gaps_are_left_out_with_a_notice(store: Store, whole: Path) -> None:
    one = derived(store, whole / "whole.expt", whole / "whole.refl")
    parts = split(
        SplitRequest(whole / "whole.expt", whole / "p.expt", whole / "whole.refl"), dry_run=True
    )
    assert parts.reflections is not None
    assert parts.reflections.n_in_gaps > 0
    assert (
        f"{parts.reflections.n_in_gaps} of 2000 indexed reflections in whole.refl"
        in (one.notices[1])
    )


def registered(
    store: Store, serial: str, *, path: Path | None = None, layout: str = ""
) -> Registered:
    return register(
        store,
        serial,
        experiments=path,
        layout=layout or None,
        time_zone=None,
        description="",
        stamp=STAMP,
    )


def test_a_detector_is_registered_from_one_panel(store: Store, whole: Path) -> None:
    done = registered(store, SERIAL, path=whole / "whole.expt")
    assert done.split == "PILATUS 300K"
    assert done.record.layout.geometry_id == LAYOUT.geometry_id


def test_an_ambiguous_detector_is_split_as_it_is_registered(store: Store, tmp_path: Path) -> None:
    path = write_expt(tmp_path / "a.expt", one_panel(EIGER_4M, 0.075))
    with pytest.raises(CalibError) as caught:
        registered(store, "X-1", path=path)
    assert caught.value.code == "ambiguous-layout"
    assert caught.value.remedy == (
        "register the detector first: calib detector add X-1 --layout NAME."
    )
    registered(store, "X-1", layout="eiger2 4m")
    assert registered(store, "X-1", path=path).split == "EIGER2 4M"


def test_a_detector_registered_with_other_panels_is_refused(store: Store, tmp_path: Path) -> None:
    path = write_expt(tmp_path / "a.expt", one_panel())
    px = np.array([[50.5, 50.5, 1.0]])
    refl = write_table(tmp_path / "a.refl", spots(px, px * 0.172))
    registered(store, "X-1", layout="PILATUS 6M")
    with pytest.raises(CalibError) as caught:
        derive(DeriveRequest((path, refl), serial="X-1"), store, STAMP)
    assert caught.value.code == "other-layout"
    assert "--serial" in caught.value.remedy


def test_maps_of_pixel_offsets_of_one_panel_are_refused(store: Store, whole: Path) -> None:
    content = json.loads((whole / "whole.expt").read_bytes())
    content["imageset"] = [{"__id__": "ImageSequence", "template": "a_#.cbf", "dx": "dx.pickle"}]
    content["experiment"][0]["imageset"] = 0
    path = write_expt(whole / "mapped.expt", content)
    with pytest.raises(CalibError) as caught:
        derived(store, path, whole / "whole.refl")
    assert caught.value.code == "offset-maps"
