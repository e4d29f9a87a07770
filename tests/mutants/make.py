"""Write the mutants of one file as JSON lines: cosmic-ray's operators, and four of our own.

Runs in a virtual environment of its own, where cosmic-ray is: `scripts/mutants` makes it.
"""

from __future__ import annotations

import ast
import difflib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator

OPERATORS = (
    "AddNot",
    "ExceptionReplacer",
    "NumberReplacer",
    "RemoveDecorator",
    "ReplaceAndWithOr",
    "ReplaceOrWithAnd",
    "ReplaceBreakWithContinue",
    "ReplaceContinueWithBreak",
    "ReplaceFalseWithTrue",
    "ReplaceTrueWithFalse",
    "ReplaceUnaryOperator_Delete_Not",
    "ReplaceUnaryOperator_USub_UAdd",
    "ZeroIterationForLoop",
    "ReplaceComparisonOperator_Eq_NotEq",
    "ReplaceComparisonOperator_NotEq_Eq",
    "ReplaceComparisonOperator_Lt_LtE",
    "ReplaceComparisonOperator_Lt_GtE",
    "ReplaceComparisonOperator_LtE_Lt",
    "ReplaceComparisonOperator_LtE_Gt",
    "ReplaceComparisonOperator_Gt_GtE",
    "ReplaceComparisonOperator_Gt_LtE",
    "ReplaceComparisonOperator_GtE_Gt",
    "ReplaceComparisonOperator_GtE_Lt",
    "ReplaceComparisonOperator_Is_IsNot",
    "ReplaceComparisonOperator_IsNot_Is",
    "ReplaceBinaryOperator_Add_Sub",
    "ReplaceBinaryOperator_Sub_Add",
    "ReplaceBinaryOperator_Mul_Div",
    "ReplaceBinaryOperator_Div_Mul",
    "ReplaceBinaryOperator_FloorDiv_Mul",
    "ReplaceBinaryOperator_Mod_Mul",
    "ReplaceBinaryOperator_BitAnd_BitOr",
    "ReplaceBinaryOperator_BitOr_BitAnd",
)
"""Of cosmic-ray's: one or two for each operator of Python. Its variables by chance are left out."""
MOST = 500
"""No operator has more occurrences in one file."""
UNMADE = tuple(
    re.compile(rf"^{pattern}")
    for pattern in (
        # How long is waited: the suite asserts no times.
        r"_?[A-Z_]*(?:TIMEOUT|HEARTBEAT|POLL|CERTAIN) = ",
        r"timeout=[\d.]+,",
        # What a function without effects remembers changes no answer of it.
        r"@(?:lru_)?cache\b",
        # Names of types alone.
        r"if TYPE_CHECKING:",
    )
)
"""Lines, without their indentation, in which a change has no effect that a test could see."""


def theirs(source: str) -> Iterator[tuple[str, str]]:
    """Yield operator and source of each mutant of cosmic-ray."""
    for name in OPERATORS:
        operator = get_operator(f"core/{name}")
        for arguments in (
            operator.arguments_sets() if hasattr(operator, "arguments_sets") else ({},)
        ):
            for occurrence in range(MOST):
                mutated = mutate_code(source, operator(**arguments), occurrence)
                if mutated is None:
                    break
                yield name, mutated


def ours(source: str) -> Iterator[tuple[str, str]]:
    """Yield statements that are not carried out, results that are not returned, and membership turned round."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            yield "StatementLeftOut", _replaced(source, node, "pass")
        elif isinstance(node, ast.Raise):
            yield "RaiseLeftOut", _replaced(source, node, "pass")
        elif isinstance(node, ast.Return) and node.value is not None and not _nothing(node.value):
            yield "NothingReturned", _replaced(source, node, "return None")
        elif isinstance(node, ast.Compare) and len(node.ops) == 1:
            other = {ast.In: "not in", ast.NotIn: "in"}.get(type(node.ops[0]))
            if other:
                sides = ast.unparse(node.left), ast.unparse(node.comparators[0])
                yield (
                    "MembershipTurned",
                    _replaced(source, node, f"({sides[0]} {other} {sides[1]})"),
                )


def _nothing(value: ast.expr) -> bool:
    """Return whether it is taken for nothing as None is: an empty text or tuple, or False."""
    empty = isinstance(value, ast.Tuple | ast.List | ast.Dict) and not ast.unparse(value).strip(
        "()[]{}"
    )
    return empty or (isinstance(value, ast.Constant) and not value.value)


def _replaced(source: str, node: ast.stmt | ast.expr, text: str) -> str:
    lines = source.splitlines(keepends=True)
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    first, last = lines[node.lineno - 1].encode(), lines[node.end_lineno - 1].encode()
    head, tail = first[: node.col_offset].decode(), last[node.end_col_offset :].decode()
    # As many lines as before, so that what is left stays where it was.
    gap = "\n" * (node.end_lineno - node.lineno)
    whole = f"{head}{text}{tail.rstrip()}{gap}\n"
    return "".join([*lines[: node.lineno - 1], whole, *lines[node.end_lineno :]])


class _Bare(ast.NodeTransformer):
    """Without annotations, frozen and slots: nothing that runs well needs them."""

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        node.annotation = ast.Constant(None)
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_keyword(self, node: ast.keyword) -> ast.AST | None:
        return None if node.arg in ("frozen", "slots") else self.generic_visit(node)


def meaning(source: str) -> str:
    """Return what two sources have in common that do the same."""
    return ast.dump(_Bare().visit(ast.parse(source)))


def mutants(source: str) -> Iterator[dict[str, object]]:
    """Yield each mutant once that is Python, and is not what it was."""
    seen = {meaning(source)}
    for makers in (theirs, ours):
        for operator, mutated in makers(source):
            try:
                means = meaning(mutated)
            except SyntaxError:
                continue
            if means not in seen:
                seen.add(means)
                where = _where(source, mutated)
                if not any(pattern.match(str(where["was"])) for pattern in UNMADE):
                    yield {"operator": operator, "source": mutated, **where}


def _where(source: str, mutated: str) -> dict[str, object]:
    """Return the line, what was in it and what is now; both without indentation."""
    before, after = source.splitlines(), mutated.splitlines()
    blocks = difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    _, first, last, start, end = next(block for block in blocks if block[0] != "equal")
    was, now = before[first : max(last, first + 1)], after[start:end]
    while not was[0].strip() and len(was) > 1:  # a decorator begins with the blank lines before it
        was, first = was[1:], first + 1
    return {
        "line": first + 1,
        "was": " ".join(line.strip() for line in was),
        "now": " ".join(line.strip() for line in now).strip(),
    }


if __name__ == "__main__":
    for mutant in mutants(Path(sys.argv[1]).read_text(encoding="utf-8")):
        print(json.dumps(mutant))
