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
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from difflib import ndiff
from pathlib import Path

from libcst import Module
from mutmut.mutation.diff_apply import read_functions_from_index
from mutmut.stats import status_by_exit_code
from mutmut.utils.format_utils import get_module_from_key, orig_function_and_class_names_from_key

PROJECT = Path(__file__).parent.parent
PACKAGE = "airflow_provider_ims"
FOLDER = Path("mutants")  # mutmut has it so
EXPLANATIONS = PROJECT / "tests" / "MUTANTS.md"
NOTICED = ("killed", "timeout", "caught by type check")

Mutant = tuple[str, ...]
"""The function, and the lines that are taken out (``-``) and put in (``+``): the same wherever the lines stand."""


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
    shutil.rmtree(FOLDER, ignore_errors=True)  # what it remembers of a former run may not be true of other tests
    tenth = [f"*__mutmut_*{datetime.now(UTC).toordinal() % 10}"] if arguments.short else []
    _run_mutmut([f"--max-children={arguments.children}", *tenth])
    return _compare(is_whole=not arguments.short)


def _run_mutmut(arguments: list[str]) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # of the mypy that the configuration names
    FOLDER.mkdir()
    with (FOLDER / "run.log").open("w") as log:
        command = [str(Path(sys.executable).with_name("mutmut")), "run", *arguments]
        run = subprocess.run(command, env=os.environ | {"PATH": path}, stdout=log, stderr=log, check=False)  # noqa: S603
        if run.returncode:
            sys.exit(f"mutmut did not run to its end: see {FOLDER}/run.log")


def _compare(*, is_whole: bool) -> int:
    statuses = dict(_statuses())
    alive = {mutant: name for name, status in statuses.items() if status not in NOTICED and (mutant := _mutant(name))}
    explained = _explained(EXPLANATIONS.read_text())
    unexplained = [mutant for mutant in alive if mutant not in explained]
    needless = [mutant for mutant in explained if mutant not in alive] if is_whole else []
    for mutant in unexplained:
        print("", f"Not noticed, and not in {EXPLANATIONS.name}: {statuses[alive[mutant]]}", *mutant, sep="\n")
    for mutant in needless:
        print("", f"In {EXPLANATIONS.name}, but noticed by now, or gone:", *mutant, sep="\n")
    print(f"{len(statuses)} mutants: {len(alive)} not noticed, {len(unexplained)} of them not explained.")
    return 1 if unexplained or needless or not statuses else 0


def _statuses() -> Iterator[tuple[str, str]]:
    """What became of each mutant that was tried, by its name."""
    for path in sorted((FOLDER / PACKAGE).rglob("*.meta")):
        for name, exit_code in json.loads(path.read_text())["exit_code_by_key"].items():
            if exit_code is not None:
                yield name, status_by_exit_code[exit_code]


def _mutant(name: str) -> Mutant | None:
    """What this mutant is; None where it changes nothing but wording."""
    module = get_module_from_key(name)
    functions = read_functions_from_index(name, Path(module.replace(".", "/")).with_suffix(".py"))
    assert functions, name
    before, after = (Module([function]).code for function in functions)
    if _sense(before) == _sense(after):
        return None
    function, class_name = orig_function_and_class_names_from_key(name)
    place = ".".join(filter(None, (module.removeprefix(f"{PACKAGE}."), class_name, function)))
    changed = (line for line in ndiff(before.splitlines(), after.splitlines()) if line[0] in "-+")
    return f"@@ {place}", *(f"{line[0]} {line[2:].strip()}" for line in changed)


def _sense(function: str) -> str:
    tree = ast.parse(f"class _:\n{function}" if function.startswith(" ") else function)
    return ast.dump(_WithoutWording().visit(tree))


def _explained(text: str) -> list[Mutant]:
    """The mutants in the ``diff`` blocks of a Markdown file."""
    mutants: list[Mutant] = []
    for block in text.split("```diff\n")[1:]:
        for mutant in block.partition("```")[0].split("@@ ")[1:]:
            mutants.append(tuple(line.strip() for line in f"@@ {mutant}".splitlines() if line.strip()))
    return mutants


if __name__ == "__main__":
    sys.exit(main())
