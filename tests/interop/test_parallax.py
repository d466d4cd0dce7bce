"""The parallax correction agrees with that of dxtbx."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from calib.model.detector.frames import rotation_from_vector
from calib.model.detector.layout import PanelFrames, PanelShape
from calib.model.experiment.experiment import Detector, Sensors
from calib.model.experiment.parallax import mm_from_px, px_from_mm
from support.dials import Dials, run_script

PICOMETRE_MM = 1e-9

PARALLAX = """
import json
from dxtbx.model import Panel, ParallaxCorrectedPxMmStrategy, SimplePxMmStrategy
out = []
for case in json.load(open("cases.json")):
    panel = Panel()
    panel.set_frame(case["fast"], case["slow"], case["origin"])
    panel.set_pixel_size(case["pixel_mm"])
    panel.set_image_size((487, 195))
    panel.set_px_mm_strategy(
        ParallaxCorrectedPxMmStrategy(case["mu"], case["t0"]) if case["parallax"]
        else SimplePxMmStrategy())
    out.append([
        [panel.pixel_to_millimeter(px) for px in case["px"]],
        [panel.millimeter_to_pixel(mm) for mm in case["mm"]],
    ])
print(json.dumps(out))
"""


def test_parallax_is_that_of_dxtbx(dials: Dials, tmp_path: Path) -> None:
    rng = np.random.default_rng(11)
    n, k = 40, 25
    # Both signs of origin . normal, steep angles, near and far panels.
    rotation = rotation_from_vector(rng.normal(scale=1.5, size=(n, 3)))
    origin = rng.normal(scale=80.0, size=(n, 3)) + rotation[:, :, 2] * rng.choice(
        [-150.0, -60.0, 60.0, 150.0], size=(n, 1)
    )
    mu, thickness = rng.uniform(0.3, 5.0, size=n), rng.uniform(0.1, 1.0, size=n)
    parallax = rng.random(n) < 0.9
    px = rng.uniform(-5.0, [495.0, 200.0], size=(n, k, 2))
    mm = rng.uniform(-1.0, [85.0, 35.0], size=(n, k, 2))
    cases = [
        {
            "fast": rotation[i, :, 0].tolist(),
            "slow": rotation[i, :, 1].tolist(),
            "origin": origin[i].tolist(),
            "pixel_mm": [0.172, 0.15],
            "mu": mu[i],
            "t0": thickness[i],
            "parallax": bool(parallax[i]),
            "px": px[i].tolist(),
            "mm": mm[i].tolist(),
        }
        for i in range(n)
    ]
    (tmp_path / "cases.json").write_text(json.dumps(cases))
    theirs = np.array(run_script(dials, PARALLAX, tmp_path))
    detector = Detector(
        tuple(PanelShape("p", (487, 195), (0.172, 0.15)) for _ in range(n)),
        PanelFrames(rotation, origin),
        None,
        Sensors(parallax, mu, thickness),
        "",
    )
    panel = np.repeat(np.arange(n), k)
    ours_mm = mm_from_px(px.reshape(-1, 2), panel, detector).reshape(n, k, 2)
    ours_px = px_from_mm(mm.reshape(-1, 2), panel, detector).reshape(n, k, 2)
    np.testing.assert_allclose(ours_mm, theirs[:, 0], rtol=0, atol=PICOMETRE_MM)
    np.testing.assert_allclose(ours_px, theirs[:, 1], rtol=0, atol=PICOMETRE_MM / 0.15)
    assert np.abs(ours_mm - px * [0.172, 0.15]).max() > 0.1
