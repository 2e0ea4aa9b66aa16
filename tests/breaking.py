"""Breaks the package on purpose, one promise at a time, in a copy, and sees to it that a test notices.

Run by ``make test-breaking``: one line a promise, exit status 1 if one can be broken unseen.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.breaks.cloud import CLOUD
from tests.breaks.copies import COPIES
from tests.breaks.promise import Break
from tests.breaks.waits import WAITS

PROJECT = Path(__file__).parent.parent
PACKAGE = "airflow_provider_ims"
BREAKS = (*CLOUD, *COPIES, *WAITS)


def is_seen(each: Break, copy: Path) -> bool:
    """Whether a test fails once this is broken."""
    file = copy / PACKAGE / each.file
    whole = file.read_text()
    if whole.count(each.kept) != 1:
        raise SystemExit(f"{each.promise}: {each.file} no longer has this once: {each.kept}")
    file.write_text(whole.replace(each.kept, each.broken))
    try:
        tests = [f"tests/{name}" for name in each.tests.split()]
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
        return subprocess.run(command, cwd=copy, capture_output=True, check=False).returncode == 1  # noqa: S603 - ours
    finally:
        file.write_text(whole)


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        copy.mkdir()
        for name in (PACKAGE, "tests", "dags"):
            shutil.copytree(PROJECT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(PROJECT / "pyproject.toml", copy)
        unseen = 0
        for each in BREAKS:
            seen = is_seen(each, copy)
            unseen += not seen
            print(f"{'seen  ' if seen else 'UNSEEN'}  {each.promise}", flush=True)
    print(f"{len(BREAKS) - unseen} passed, {unseen} failed")
    return 1 if unseen else 0


if __name__ == "__main__":
    sys.exit(main())
