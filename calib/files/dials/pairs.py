"""Match reflection tables to experiment lists."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from calib.errors import FileFormatError, InputError
from calib.files.atomic import open_input
from calib.files.dials.expt import ExperimentFile
from calib.files.dials.refl import Table, read_table_index
from calib.files.dials.refl_header import TableIndex, looks_like_table
from calib.files.refusals import TOGETHER
from calib.model.base.arrays import Ints
from calib.model.detector.module_map import ModuleMap
from calib.model.experiment.experiment import ExperimentList


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """An experiment list and its reflection table."""

    experiment_path: Path
    file: ExperimentFile
    reflection_path: Path | None
    """None where no table was given."""
    index: TableIndex | None
    """What the table holds; None where no table was given."""
    name: str
    """What its datasets are called: the stem of the experiment list, after as many folders as
    distinguish it from the other lists."""
    modules: Mapping[int, ModuleMap] = field(default_factory=dict)
    """By index of the detector: the modules into which its only panel is cut."""
    models: ExperimentList | None = None
    """The experiments with these detectors cut; None where none is."""

    @property
    def names(self) -> str:
        """Both files, for error messages."""
        if self.reflection_path is None:
            return str(self.experiment_path)
        return f"{self.experiment_path} and {self.reflection_path}"

    def light(self) -> Pair:
        """The same without the bytes of the experiment list, to be sent to another process."""
        return replace(self, file=replace(self.file, data=b""))

    def experiment_of_rows(self, table: Table) -> Ints:
        """(nrows,) index of the experiment of each reflection; -1 where it is not indexed.

        Through the identifier of its ``id`` where both files have identifiers, else ``id`` itself.
        Raises ``InputError`` where that names no experiment of the file.
        """
        ids = table.array("id")
        indexed = ids >= 0
        used = np.unique(ids[indexed])
        experiments = [self._experiment_of_id(value, table) for value in used.tolist()]
        out = np.full(len(ids), -1, dtype=np.int64)
        if experiments:
            out[indexed] = np.array(experiments)[np.searchsorted(used, ids[indexed])]
        return out

    def _experiment_of_id(self, value: int, table: Table) -> int:
        identifier, position = table.identifiers.get(value, ""), self.file.position
        index = position.get(identifier, -1) if identifier and position else value
        if not 0 <= index < len(self.file.experiments.experiments):
            raise self._no_such_experiment(value, identifier if position else "")
        return index

    def _no_such_experiment(self, value: int, identifier: str) -> InputError:
        n = len(self.file.experiments.experiments)
        named = f"experiment {identifier}" if identifier else f"experiment {value}"
        has = "which is not in" if identifier else f"but {n} stand in"
        return InputError(
            "experiment-out-of-range",
            f"a reflection names {named}, {has} {self.experiment_path}.",
            place=f"{self.reflection_path}, column id",
            remedy=TOGETHER,
        )


def pair_files(paths: Sequence[Path], *, need_reflections: bool = True) -> list[Pair]:
    """Experiment lists with their reflection tables, in the order of the experiment lists.

    The kind of a file is read from its content. Files are matched by the identifiers of
    experiments, and where either side has none, by their order. With ``need_reflections`` false an
    experiment list may stand alone. Raises ``MissingFileError``, ``FileFormatError``, and
    ``InputError`` where files cannot be matched or are ambiguous.
    """
    _refuse_repeats(paths)
    tables = {path: read_table_index(path) for path in paths if _is_table(path)}
    files = {path: ExperimentFile.read(path) for path in paths if path not in tables}
    if not files:
        raise InputError(
            "no-experiments",
            f"none of the files is an experiment list: {_listed(paths)}.",
            remedy="give the .expt files too.",
        )
    for path, file in files.items():
        if not file.experiments.experiments:
            raise InputError(
                "no-experiments", "this list holds no experiment.", place=str(path), remedy=TOGETHER
            )
    names = distinct_names(list(files))
    table_of = _by_identifiers(files, tables)
    table_of |= _by_order(
        [path for path in files if path not in table_of],
        [path for path in tables if path not in table_of.values()],
        files,
        tables,
        need_reflections=need_reflections,
    )
    return [
        Pair(path, file, table_of.get(path), tables.get(table_of.get(path, Path())), names[path])
        for path, file in files.items()
    ]


def distinct_names(paths: Sequence[Path]) -> dict[Path, str]:
    """The shortest ends of these paths that differ, without the last suffix: ``a/refined`` and
    ``b/refined``; the stem where it occurs once."""
    parts = {path: (*Path(os.path.abspath(path)).parts[1:-1], path.stem) for path in paths}  # noqa: PTH100
    names: dict[Path, str] = {}
    n = 0
    while len(names) < len(parts):
        n += 1
        ends = Counter(own[-n:] for own in parts.values())
        for path, own in parts.items():
            if path not in names and (ends[own[-n:]] == 1 or n >= len(own)):
                names[path] = "/".join(own[-n:])
    return {path: names[path] for path in paths}


def _is_table(path: Path) -> bool:
    """By the first bytes; a file that is neither JSON nor a table by its name, for the error."""
    with open_input(path) as file:
        head = file.read(64)
    if head.lstrip()[:1] in (b"{", b"["):
        return False
    return looks_like_table(head) or ".refl" in path.suffixes


def _by_identifiers(
    files: dict[Path, ExperimentFile], tables: dict[Path, TableIndex]
) -> dict[Path, Path]:
    table_of: dict[Path, Path] = {}
    for table_path, table in tables.items():
        _refuse_duplicates(table, table_path)
    held = {path: set(file.position) for path, file in files.items()}
    for table_path, table in tables.items():
        wanted = set(table.identifiers.values()) - {""}
        matches = [path for path in files if wanted & held[path]]
        if len(matches) > 1:
            raise InputError(
                "ambiguous-files",
                f"the reflections in {table_path} belong to more than one of the experiment "
                f"lists: {_listed(matches)}.",
                remedy="give one experiment list for each reflection table.",
            )
        for path in matches:
            if path in table_of:
                raise InputError(
                    "ambiguous-files",
                    f"more than one reflection table belongs to {path}: "
                    f"{_listed([table_of[path], table_path])}.",
                    remedy="give one reflection table for each experiment list.",
                )
            table_of[path] = table_path
    return table_of


def _refuse_duplicates(table: TableIndex, path: Path) -> None:
    """Raise ``FileFormatError`` where two ids of a table have the same identifier."""
    id_of: dict[str, int] = {}
    for number, identifier in table.identifiers.items():
        if identifier and id_of.setdefault(identifier, number) != number:
            raise FileFormatError(
                "duplicate-identifier",
                f"the ids {id_of[identifier]} and {number} have the same experiment identifier: "
                f"{identifier[:100]}.",
                place=f"{path}, identifiers",
                remedy="combine the experiments again with dials.combine_experiments, which gives "
                "each its own.",
            )


def _by_order(
    lists: list[Path],
    tables: list[Path],
    files: dict[Path, ExperimentFile],
    indices: dict[Path, TableIndex],
    *,
    need_reflections: bool,
) -> dict[Path, Path]:
    if not tables and not need_reflections:
        return {}
    if len(lists) != len(tables):
        raise _unmatched(lists, tables)
    for path, table_path in zip(lists, tables, strict=True):
        if files[path].position and set(indices[table_path].identifiers.values()) - {""}:
            raise InputError(
                "other-experiment",
                f"the reflections in {table_path} are of other experiments than those in {path}: "
                "they have no identifier in common.",
                remedy=TOGETHER,
            )
    return dict(zip(lists, tables, strict=True))


def _unmatched(lists: list[Path], tables: list[Path]) -> InputError:
    parts = []
    if lists:
        parts.append(f"without a reflection table: {_listed(lists)}")
    if tables:
        parts.append(f"without an experiment list: {_listed(tables)}")
    return InputError(
        "unmatched-files",
        f"some files cannot be matched by identifiers; {'; '.join(parts)}.",
        remedy=TOGETHER,
    )


def _refuse_repeats(paths: Sequence[Path]) -> None:
    seen: set[str] = set()
    for path in paths:
        place = os.path.realpath(path)
        if place in seen:
            raise InputError(
                "given-twice", "this file is given twice.", place=str(path), remedy="name it once."
            )
        seen.add(place)


def _listed(paths: Sequence[Path]) -> str:
    return ", ".join(str(path) for path in paths)
