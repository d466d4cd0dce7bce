"""The registry of readers: the content of a file decides which of them reads it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from calib.errors import FileFormatError, MissingFileError
from calib.files import reader
from calib.files.dials.expt import ExperimentFile
from calib.files.dials.format import DialsFiles, DialsFormat
from calib.model.experiment.dataset import Dataset
from support.pair_folder import Folder

MARK = b"FORMAT-OF-TWO-LINES\n"


class Marked(DialsFormat):
    """The files of DIALS behind a line of their own."""

    suffixes = frozenset((".marked",))

    def recognises(self, head: bytes) -> bool:
        return head.startswith(MARK)

    def read_experiments(self, path: Path) -> ExperimentFile:
        return ExperimentFile.parse(path.read_bytes().removeprefix(MARK), path.name)

    def read_data(self, paths: Sequence[Path], *, need_reflections: bool) -> list[DialsFiles]:
        plain = []
        for path in paths:
            plain.append(path.with_name(f"plain-{path.name}"))
            plain[-1].write_bytes(path.read_bytes().removeprefix(MARK))
        return super().read_data(plain, need_reflections=need_reflections)


@pytest.fixture(autouse=True)
def two_formats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "FORMATS", (DialsFormat, Marked))


def mark(path: Path) -> Path:
    """The file in the other format; its name still says that it is one of DIALS."""
    path.write_bytes(MARK + path.read_bytes())
    return path


def test_the_content_of_a_file_not_its_name_decides_its_format(
    first: Dataset, folder: Folder
) -> None:
    path = folder.expt(first)
    plain = reader.read_experiments(path)
    assert plain.data == path.read_bytes()
    marked = reader.read_experiments(mark(path))
    assert marked.data == plain.data == path.read_bytes().removeprefix(MARK)


def test_files_of_several_formats_are_read_together(
    first: Dataset, second: Dataset, folder: Folder
) -> None:
    paths = [mark(folder.refl(first)), folder.expt(second), mark(folder.expt(first))]
    paths.append(folder.refl(second))
    read = {data.file.stem: data for data in reader.read_data(paths)}
    assert sorted(read) == ["plain-first", "second"]
    for data, dataset in ((read["plain-first"], first), (read["second"], second)):
        (loaded,) = data.loader()()
        assert data.n_reflections == len(loaded.reflections) == len(dataset.reflections)
        assert (loaded.reflections.centroid_mm == dataset.reflections.centroid_mm).all()


def test_a_folder_is_searched_for_files_of_all_formats() -> None:
    assert reader.input_suffixes() == {".expt", ".refl", ".marked"}


def test_a_file_that_no_format_recognises_is_refused_by_the_first(tmp_path: Path) -> None:
    path = tmp_path / "a.marked"
    path.write_text("a line of text\n")
    with pytest.raises(FileFormatError) as caught:
        reader.read_experiments(path)
    assert caught.value.code == "not-json"


def test_a_missing_file_is_refused_as_missing(tmp_path: Path) -> None:
    for read in (reader.read_experiments, lambda path: reader.read_data([path])):
        with pytest.raises(MissingFileError):
            read(tmp_path / "none.expt")
