"""A derivation on a Dask cluster of two processes, one of which is killed: run as a program.

Prints the correction and its covariance as hexadecimal text.
"""

from __future__ import annotations

import os
import signal
import sys
from functools import partial

from distributed import LocalCluster

from calib.solve.datasets import solve_datasets
from calib.solve.parallel.dask import DaskExecutor
from support.operations import given_dataset
from support.scenes import options, three_scans


def main() -> None:
    """Derive, killing a worker in the second iteration."""
    layout, scans = three_scans()
    with (
        LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=2, threads_per_worker=1, dashboard_address=None
        ) as cluster,
        DaskExecutor(cluster.scheduler_address) as executor,
    ):
        killed: list[int] = []

        def kill_one(stage: str, iteration: int, *_: object) -> None:
            if (stage, iteration) == ("panels", 2) and not killed:
                killed.append(cluster.workers[0].pid)
                os.kill(killed[0], signal.SIGKILL)

        executor.load([partial(given_dataset, scan) for scan, _ in scans])
        solution = solve_datasets(
            executor, [pose for _, pose in scans], layout, options(), kill_one
        )
        assert killed
    for found in (solution.estimate.correction.values, solution.estimate.covariance):
        sys.stdout.write(f"{found.tobytes().hex()}\n")


if __name__ == "__main__":
    main()
