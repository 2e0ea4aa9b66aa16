"""Changes the core in thousands of places, one at a time (with mutmut), and sees to it that a test or mypy notices.

Run by ``make mutate``. What nobody notices stands in ``tests/MUTANTS.md`` with its reason; exit status 1 for a survivor
that does not, and for one that stands there and is no survivor any more. ``--short``: a tenth of the mutants, another
tenth each day, without the second check.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from difflib import ndiff
from functools import cache
from pathlib import Path
from typing import NamedTuple

from mutmut.__main__ import CatchOutput, create_mutants
from mutmut.mutation.trampoline import set_mutant_under_test
from mutmut.stats import status_by_exit_code
from mutmut.utils.file_utils import copy_also_copy_files, copy_src_dir, setup_source_paths

PROJECT = Path(__file__).parent.parent
PACKAGE = "airflow_provider_ims"
FOLDER = Path("mutants")  # mutmut has it so
EXPLANATIONS = PROJECT / "tests" / "MUTANTS.md"
NOTICED = ("killed", "timeout", "segfault", "caught by type check")
"""By a test that fails or does not end, by tests that die of it, by mypy."""

MEMORY = 3 * 1024**3
"""Bytes that each process may have: mutants that never end may want all there is."""

SKIPPED = 34
"""The exit code by which mutmut remembers that it is not to try a mutant."""


class Mutant(NamedTuple):
    """A function, and the lines that are taken out of it (``-``) and put in (``+``): the same wherever they stand."""

    function: str
    lines: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join((f"@@ {self.function}", *self.lines))


class _WithoutWording(ast.NodeTransformer):
    """Code as it is but for what is only read: sentences, which have a space in them, and what a log line says."""

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        return ast.Constant("...") if isinstance(node.value, str) and " " in node.value else node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        is_log = isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) == "log"
        return ast.Constant("...") if is_log else self.generic_visit(node)


def main() -> int:
    """Run mutmut, and compare what it says with what is explained."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="a tenth of the mutants, another one each day")
    parser.add_argument("--children", type=int, default=os.cpu_count(), help="processes at a time")
    arguments = parser.parse_args()
    os.chdir(PROJECT)
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # of the configuration's mypy
    shutil.rmtree(FOLDER, ignore_errors=True)  # what it remembers of a former run may not be true of other tests
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    _generate(arguments.children)
    _skip(f"{datetime.now(UTC).toordinal() % 10}" if arguments.short else "")
    with (FOLDER / "run.log").open("w") as log:
        mutmut = Path(sys.executable).with_name("mutmut")
        command = [str(mutmut), "run", "--max-children", str(arguments.children)]
        if subprocess.run(command, stdout=log, stderr=log, check=False).returncode:  # noqa: S603 - ours
            sys.exit(f"mutmut did not run to its end: see {log.name}")
    return _compare(is_whole=not arguments.short)


def _generate(children: int) -> None:
    """What ``mutmut run`` begins with."""
    FOLDER.mkdir()
    set_mutant_under_test("mutant_generation")
    with CatchOutput():
        copy_src_dir()
        copy_also_copy_files()
        setup_source_paths()
        create_mutants(children)
    set_mutant_under_test(None)
    os.environ.pop("MUTANT_UNDER_TEST", None)


def _skip(digit: str) -> None:
    """Have those mutants not tried that change wording alone, and those whose number does not end with ``digit``."""
    for path in _records():
        record = json.loads(path.read_text())
        for name in record["exit_code_by_key"]:
            if not name.endswith(digit) or not _makes_sense(name):
                record["exit_code_by_key"][name] = SKIPPED
        path.write_text(json.dumps(record))


def _compare(*, is_whole: bool) -> int:
    statuses = dict(_statuses())
    alive = {_mutant(name): status for name, status in statuses.items() if status not in NOTICED}
    explained = list(_explained(EXPLANATIONS.read_text()))
    unexplained = [mutant for mutant in alive if mutant not in explained]
    needless = [mutant for mutant in explained if mutant not in alive] if is_whole else []
    for mutant in unexplained:
        print("", f"Not noticed, and not in {EXPLANATIONS.name}: {alive[mutant]}", mutant, sep="\n")
    for mutant in needless:
        print("", f"In {EXPLANATIONS.name}, but noticed by now, or gone:", mutant, sep="\n")
    print(f"{len(statuses)} mutants: {len(alive)} not noticed, {len(unexplained)} of them not explained.")
    return 1 if unexplained or needless or not statuses else 0


def _records() -> list[Path]:
    """Where mutmut remembers what has become of the mutants, a file for each module."""
    return sorted((FOLDER / PACKAGE).rglob("*.meta"))


def _statuses() -> Iterator[tuple[str, str]]:
    """What became of each mutant that was to be tried, by its name."""
    for path in _records():
        for name, exit_code in json.loads(path.read_text())["exit_code_by_key"].items():
            if exit_code != SKIPPED:
                yield name, status_by_exit_code[exit_code]


@cache
def _functions(module: str) -> dict[str, str]:
    """The source of each function of a module of mutants, by its name; they all are called ``f``."""
    text = (FOLDER / f"{module.replace('.', '/')}.py").read_text()
    lines = text.splitlines()
    found = {}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and "__mutmut_" in node.name:
            source = "\n".join(lines[node.lineno - 1 : node.end_lineno])
            found[node.name] = source.replace(node.name, "f", 1)
    return found


def _before_and_after(name: str) -> tuple[str, str]:
    module, _, function = name.rpartition(".")
    functions = _functions(module)
    return functions[f"{function.partition('__mutmut_')[0]}__mutmut_orig"], functions[function]


def _makes_sense(name: str) -> bool:
    """Whether this mutant changes more than wording."""
    before, after = map(_sense, _before_and_after(name))
    return before != after


@cache
def _sense(function: str) -> str:
    tree = ast.parse(f"class _:\n{function}" if function.startswith(" ") else function)
    return ast.dump(_WithoutWording().visit(tree))


def _mutant(name: str) -> Mutant:
    """What this mutant is. Where its first line stands in the function several times, it is told which one is meant."""
    before, after = (source.splitlines() for source in _before_and_after(name))
    module, _, function = name.removeprefix(f"{PACKAGE}.").partition("__mutmut_")[0].rpartition(".")
    function = function.removeprefix("x_").removeprefix("xǁ").replace("ǁ", ".")
    first = next(
        (place for place, pair in enumerate(zip(before, after, strict=False)) if len(set(pair)) > 1), len(after)
    )
    same = [place for place, line in enumerate(before) if line.strip() == before[first].strip()]
    which = f" ({same.index(first) + 1} of {len(same)})" if len(same) > 1 else ""
    changed = (line for line in ndiff(before, after) if line[0] in "-+")
    return Mutant(f"{module}.{function}{which}", tuple(f"{line[0]} {line[2:].strip()}" for line in changed))


def _explained(text: str) -> Iterator[Mutant]:
    """The mutants in the ``diff`` blocks of a Markdown file: ``@@`` and a function, then one pair of lines each."""
    for block in text.split("```diff\n")[1:]:
        for part in block.partition("```")[0].split("@@ ")[1:]:
            function, *lines = part.strip().splitlines()
            yield Mutant(function, tuple(lines))


if __name__ == "__main__":
    sys.exit(main())
