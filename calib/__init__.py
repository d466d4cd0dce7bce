"""Calibration database for multi-panel X-ray detectors: derive, store and apply corrections.

The names in ``__all__`` are loaded when they are first used, so that ``import calib`` loads
neither numpy nor the database.
"""

from __future__ import annotations

from importlib import import_module

from calib.version import __version__

TYPE_CHECKING = False  # type checkers take it as true; importing typing costs most of the time
if TYPE_CHECKING:
    from calib.api.amendment import edit_detector, relabel, retire_detector
    from calib.api.application import apply, resolve
    from calib.api.certification import certify, withdraw
    from calib.api.derivation import combine, derive
    from calib.api.registration import register
    from calib.config.settings import Settings, read_settings
    from calib.errors import (
        CalibError,
        FileFormatError,
        InputError,
        IntegrityError,
        LayoutError,
        MissingFileError,
        NotFoundError,
        SolveError,
        StoreError,
        StoreReadOnlyError,
    )
    from calib.flows.amend.detectors import Edited, Retired
    from calib.flows.amend.relabel import Relabelled
    from calib.flows.apply import Applied
    from calib.flows.certify import Certified, Withdrawn
    from calib.flows.detectors import Registered
    from calib.flows.shared.results import Derived
    from calib.model.detector.correction import Correction
    from calib.model.store.record import Certification
    from calib.model.store.record import StoredCalibration as Calibration
    from calib.model.store.resolution import Resolution
    from calib.solve.prior import PanelPrior
    from calib.store.store import Store

_MODULES = {
    "Applied": "calib.flows.apply",
    "CalibError": "calib.errors",
    "Calibration": "calib.model.store.record:StoredCalibration",
    "Certification": "calib.model.store.record",
    "Certified": "calib.flows.certify",
    "Correction": "calib.model.detector.correction",
    "Derived": "calib.flows.shared.results",
    "Edited": "calib.flows.amend.detectors",
    "FileFormatError": "calib.errors",
    "InputError": "calib.errors",
    "IntegrityError": "calib.errors",
    "LayoutError": "calib.errors",
    "MissingFileError": "calib.errors",
    "NotFoundError": "calib.errors",
    "PanelPrior": "calib.solve.prior",
    "Registered": "calib.flows.detectors",
    "Relabelled": "calib.flows.amend.relabel",
    "Resolution": "calib.model.store.resolution",
    "Retired": "calib.flows.amend.detectors",
    "Settings": "calib.config.settings",
    "SolveError": "calib.errors",
    "Store": "calib.store.store",
    "StoreError": "calib.errors",
    "StoreReadOnlyError": "calib.errors",
    "Withdrawn": "calib.flows.certify",
    "apply": "calib.api.application",
    "certify": "calib.api.certification",
    "combine": "calib.api.derivation",
    "derive": "calib.api.derivation",
    "edit_detector": "calib.api.amendment",
    "read_settings": "calib.config.settings",
    "register": "calib.api.registration",
    "relabel": "calib.api.amendment",
    "resolve": "calib.api.application",
    "retire_detector": "calib.api.amendment",
    "withdraw": "calib.api.certification",
}
"""Where each public name is defined; after the colon its name there, where that differs."""

__all__ = [
    "Applied",
    "CalibError",
    "Calibration",
    "Certification",
    "Certified",
    "Correction",
    "Derived",
    "Edited",
    "FileFormatError",
    "InputError",
    "IntegrityError",
    "LayoutError",
    "MissingFileError",
    "NotFoundError",
    "PanelPrior",
    "Registered",
    "Relabelled",
    "Resolution",
    "Retired",
    "Settings",
    "SolveError",
    "Store",
    "StoreError",
    "StoreReadOnlyError",
    "Withdrawn",
    "__version__",
    "apply",
    "certify",
    "combine",
    "derive",
    "edit_detector",
    "read_settings",
    "register",
    "relabel",
    "resolve",
    "retire_detector",
    "withdraw",
]


if not TYPE_CHECKING:  # else a name that does not exist would pass

    def __getattr__(name: str) -> object:
        """Load a public name when it is first used."""
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")  # noqa: EM102
        module, _, there = _MODULES[name].partition(":")
        value = getattr(import_module(module), there or name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    """The public names, those not loaded yet as well."""
    return sorted({*globals(), *__all__})
