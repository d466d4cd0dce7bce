"""What a crowd says of the panels, with the way back to its crystals."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from calib.model.arrays import Floats
from calib.solve.crowd import Crowd
from calib.solve.crowd_sums import Sums
from calib.solve.eliminate import PoseFree
from calib.solve.share import Share
from calib.solve.state import CRYSTAL_COLUMNS, Step
from calib.solve.units import POSE_COLUMNS


@dataclass(frozen=True, slots=True, eq=False)
class CrowdReduced(Share):
    """Normal equations over the panels' tangent motions, crystals and pose eliminated.

    A crystal's coupling to the panels is not kept: ``crowd`` is passed through again for a step.
    """

    null_directions: tuple[str, ...]
    """Undetermined directions of pose and beam, in words."""
    n_determined: int
    """How many nuisance parameters the data determined."""
    crowd: Crowd
    crystals: Sums
    pose: PoseFree
    _last: dict[bytes, tuple[Floats, Floats]] = field(default_factory=dict)
    """The last step asked for: pose and beam (7,), crystals (c, r) in their sigma."""

    @staticmethod
    def of(crowd: Crowd, *, free_beam: bool, panels: bool) -> CrowdReduced:
        """Everything eliminated; without ``panels`` only steps with these standing still can be
        asked for, and come cheaper."""
        sums = crowd.summed(panels=panels)
        pose = PoseFree.of(sums.total, sums.alone, free_beam=free_beam)
        n_known = int((sums.back != 0.0).any(axis=1).sum())
        return CrowdReduced(
            information=pose.information,
            vector=pose.vector,
            panel_information=sums.panel_information,
            null_directions=pose.null_directions,
            n_determined=pose.back.shape[1] + n_known,
            crowd=crowd,
            crystals=sums,
            pose=pose,
        )

    def share(self) -> Share:
        """The same without the way back."""
        return Share(self.information, self.vector, self.panel_information)

    def largest_shift(self, panel_step: Floats) -> float:
        """The longest part of ``nuisance_step`` along any determined direction, in its sigma."""
        rigid = self._rigid(panel_step)
        _, crystals = self._step(panel_step)
        return float(max(np.abs(rigid).max(initial=0.0), np.abs(crystals).max(initial=0.0)))

    def nuisance_step(self, panel_step: Floats) -> Step:
        """The step of pose, crystals and beam that belongs to a step of the panels (6 n,)."""
        rigid, crystals = self._step(panel_step)
        held = self.crowd.stage.instrument
        own = np.zeros((len(held.strains), 1, CRYSTAL_COLUMNS))
        own[self.crystals.crystals, 0] = np.einsum("cij,cj->ci", self.crystals.back, crystals)
        deviation = np.zeros((1, POSE_COLUMNS))
        return Step(rigid[:POSE_COLUMNS], deviation, tuple(own), float(rigid[POSE_COLUMNS]))

    def _rigid(self, panel_step: Floats) -> Floats:
        """(r,) the step of pose and beam in its sigma."""
        reach = self.pose.reach
        if not panel_step.any():
            return np.asarray(reach[:, -1])
        return np.asarray(reach[:, -1] - reach[:, :-1] @ panel_step)

    def _step(self, panel_step: Floats) -> tuple[Floats, Floats]:
        key = panel_step.tobytes()
        if key not in self._last:
            rigid = self.pose.back @ self._rigid(panel_step)
            tail = self.crystals.tail
            crystals = tail[:, :, -1] - tail[:, :, :-1] @ rigid
            if panel_step.any():
                pulled = self.crowd.pulled(panel_step)
                crystals -= np.einsum("cij,ci->cj", self.crystals.back, pulled)
            self._last.clear()
            self._last[key] = (rigid, crystals)
        return self._last[key]
