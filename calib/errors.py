"""Every error that a user can meet: a code, the problem, the place and the remedy."""

from __future__ import annotations

from typing import ClassVar

from calib.passwords import without_password


class CalibError(Exception):
    """Root of all errors of this project.

    ``code`` is a short kebab-case name that scripts may match; ``problem`` states what was found
    and what was expected; ``place`` names the file, column, JSON path or panel at fault;
    ``remedy`` states what to do about it. Passwords in them are hidden.
    """

    exit_code: ClassVar[int] = 70

    def __init__(self, code: str, problem: str, *, remedy: str = "", place: str = "") -> None:
        self.code = code
        self.problem = without_password(problem)
        self.remedy = without_password(remedy)
        self.place = without_password(place)
        super().__init__(code, self.problem, self.remedy, self.place)

    def __reduce__(self) -> tuple[object, ...]:
        """So that an error of another process arrives as it is."""
        return _again, (type(self), self.code, self.problem, self.remedy, self.place)

    def __str__(self) -> str:
        text = f"{self.place}: {self.problem}" if self.place else self.problem
        return f"{text} Try: {self.remedy}" if self.remedy else text


def _again(kind: type[CalibError], code: str, problem: str, remedy: str, place: str) -> CalibError:
    return kind(code, problem, remedy=remedy, place=place)


class InputError(CalibError, ValueError):
    """The input or the arguments cannot be used (exit 2)."""

    exit_code: ClassVar[int] = 2


class FileFormatError(InputError):
    """The content of a file is not what its name or use requires (exit 2)."""


class MissingFileError(InputError, FileNotFoundError):
    """A file that was named does not exist or cannot be read (exit 2)."""


class LayoutError(InputError):
    """Two detectors, or a detector and a calibration, do not have the same panels (exit 2)."""


class SolveError(InputError, ArithmeticError):
    """The data do not determine the requested parameters (exit 2)."""


class NotFoundError(CalibError, LookupError):
    """The store contains nothing that matches the request (exit 1)."""

    exit_code: ClassVar[int] = 1


class StoreError(CalibError, OSError):
    """The store or machine failed: locked, read-only, disk full, server unreachable (exit 3)."""

    exit_code: ClassVar[int] = 3


class StoreReadOnlyError(StoreError, PermissionError):
    """This user may read the store but not write it (exit 3)."""


class IntegrityError(StoreError):
    """The content of the store differs from what was recorded (exit 3)."""
