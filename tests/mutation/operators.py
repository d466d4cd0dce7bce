"""The faults: each replaces one short piece of a module's text by another.

Operators: comparisons and arithmetic exchanged, conditions negated, ``and`` for ``or``, numbers
changed, truth values flipped, signs dropped, calls exchanged (``min`` for ``max``), statements and
decorators removed, returned values replaced by None, ``break`` for ``continue``, transposes and
keyword arguments dropped.
Annotations, docstrings, messages of errors and code for type checkers are left alone.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from itertools import pairwise

COMPARISONS = {
    ast.Lt: ("<", ("<=", ">")),
    ast.LtE: ("<=", ("<", ">")),
    ast.Gt: (">", (">=", "<")),
    ast.GtE: (">=", (">", "<")),
    ast.Eq: ("==", ("!=",)),
    ast.NotEq: ("!=", ("==",)),
    ast.Is: ("is", ("is not",)),
    ast.IsNot: ("is not", ("is",)),
    ast.In: ("in", ("not in",)),
    ast.NotIn: ("not in", ("in",)),
}
ARITHMETIC = {
    ast.Add: ("+", ("-",)),
    ast.Sub: ("-", ("+",)),
    ast.Mult: ("*", ("/",)),
    ast.Div: ("/", ("*",)),
    ast.FloorDiv: ("//", ("*",)),
    ast.Mod: ("%", ("*",)),
    ast.Pow: ("**", ("*",)),
    ast.BitAnd: ("&", ("|",)),
    ast.BitOr: ("|", ("&",)),
}
EXCHANGED = {
    "min": "max", "max": "min", "any": "all", "all": "any", "minimum": "maximum",
    "maximum": "minimum", "zeros": "ones", "ones": "zeros", "sin": "cos", "cos": "sin",
    "argmin": "argmax", "argmax": "argmin", "sum": "max", "desc": "asc",
    "mean": "median", "median": "mean", "sqrt": "abs", "floor": "ceil", "ceil": "floor",
}  # fmt: skip
SHIFTED = 1.25
"""A number with a fraction is changed by this factor: enough to matter, not to be absurd."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One fault: the text from ``start`` to ``end`` (bytes of the module) is replaced."""

    path: str
    line: int
    start: int
    end: int
    new: str
    operator: str

    def apply(self, source: bytes) -> bytes:
        """The module's text with the fault in it."""
        return source[: self.start] + self.new.encode() + source[self.end :]


def mutants(path: str, source: bytes) -> list[Mutant]:
    """Every fault that the operators can put into a module, in the order of its text."""
    tree = ast.parse(source)
    finder = _Finder(path, source)
    finder.visit(tree)
    found = [one for one in finder.found if _compiles(one.apply(source))]
    return sorted(found, key=lambda one: (one.start, one.end, one.new))


def _compiles(source: bytes) -> bool:
    try:
        ast.parse(source)
    except SyntaxError:  # a parenthesis before the operand, or the only argument of a call
        return False
    return True


class _Finder(ast.NodeVisitor):
    def __init__(self, path: str, source: bytes) -> None:
        self.path = path
        self.source = source
        self.starts = [0]
        for line in source.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))
        self.found: list[Mutant] = []

    def _span(self, node: ast.expr | ast.stmt | ast.keyword) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        first = self.starts[node.lineno - 1] + node.col_offset
        return first, self.starts[node.end_lineno - 1] + node.end_col_offset

    def _add(self, start: int, end: int, new: str, operator: str) -> None:
        line = self.source.count(b"\n", 0, start) + 1
        self.found.append(Mutant(self.path, line, start, end, new, operator))

    def _between(self, left: ast.expr, right: ast.expr, old: str) -> tuple[int, int] | None:
        """Where an operator stands between its operands."""
        first, last = self._span(left)[1], self._span(right)[0]
        match = re.search(re.escape(old.encode()).replace(rb"\ ", rb"\s+"), self.source[first:last])
        return None if match is None else (first + match.start(), first + match.end())

    def visit_If(self, node: ast.If) -> None:
        """Conditions are negated, but not those for type checkers."""
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return
        self._negate(node.test)
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self._negate(node.test)
        self.generic_visit(node)

    def _negate(self, test: ast.expr) -> None:
        if not isinstance(test, ast.Compare):
            start, end = self._span(test)
            self._add(start, end, f"not ({self.source[start:end].decode()})", "negated condition")

    def visit_Compare(self, node: ast.Compare) -> None:
        operands = [node.left, *node.comparators]
        for (left, right), operator in zip(pairwise(operands), node.ops, strict=True):
            old, others = COMPARISONS[type(operator)]
            place = self._between(left, right, old)
            if place is not None:
                for new in others:
                    self._add(*place, new, "comparison")
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if type(node.op) in ARITHMETIC and not _is_text(node.left) and not _is_text(node.right):
            old, others = ARITHMETIC[type(node.op)]
            place = self._between(node.left, node.right, old)
            if place is not None:
                for new in others:
                    self._add(*place, new, "arithmetic")
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if type(node.op) in ARITHMETIC:
            old, others = ARITHMETIC[type(node.op)]
            place = self._between(node.target, node.value, f"{old}=")
            if place is not None:
                self._add(*place, f"{others[0]}=", "augmented assignment")
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in pairwise(node.values):
            place = self._between(left, right, old)
            if place is not None:
                self._add(*place, new, "and for or")
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.USub | ast.Not | ast.Invert):
            self._add(self._span(node)[0], self._span(node.operand)[0], "", "sign dropped")
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        start, end = self._span(node)
        value = node.value
        if isinstance(value, bool):
            self._add(start, end, str(not value), "truth value")
        elif isinstance(value, int):
            self._add(start, end, str(value + 1), "number")
        elif isinstance(value, float):
            new = value * SHIFTED if value else 1.0
            self._add(start, end, repr(new), "number")

    def visit_Call(self, node: ast.Call) -> None:
        name = node.func
        word = name.id if isinstance(name, ast.Name) else getattr(name, "attr", "")
        if word in EXCHANGED:
            end = self._span(name)[1]
            self._add(end - len(word), end, EXCHANGED[word], "call exchanged")
        for keyword in node.keywords:
            constant = isinstance(keyword.value, ast.Constant)
            if keyword.arg in ("reverse", "axis", "key", "default", "weights") and not constant:
                start, end = self._span(keyword)
                self._add(start, end, "", "argument dropped")
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if node.attr == "T":
            end = self._span(node)[1]
            self._add(end - 2, end, "", "transpose dropped")
        self.generic_visit(node)

    def visit_Return(self, node: ast.Return) -> None:
        value = node.value
        if value is not None and not (isinstance(value, ast.Constant) and value.value is None):
            self._add(*self._span(value), "None", "returned value")
        self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        """Calls that are statements are removed; docstrings stay."""
        if isinstance(node.value, ast.Call):
            self._add(*self._span(node), "pass", "statement removed")
        self.generic_visit(node)

    def visit_Break(self, node: ast.Break) -> None:
        self._add(*self._span(node), "continue", "break for continue")

    def visit_Continue(self, node: ast.Continue) -> None:
        self._add(*self._span(node), "break", "break for continue")

    def visit_Raise(self, node: ast.Raise) -> None:
        """An error's words are not mutated; that it is raised is, by its condition."""

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for default in (*node.args.defaults, *(d for d in node.args.kw_defaults if d)):
            self.visit(default)
        for statement in node.body:
            self.visit(statement)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Text stays; its positions are not reliable either."""


def _is_text(node: ast.expr) -> bool:
    text = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return text or isinstance(node, ast.JoinedStr)
