"""All plays of a run are played side by side, for most of their time is waiting; and the table that they make.

All are over before the first is judged: between tests pytest writes to the environment, and who reads that in another
thread meanwhile may fail.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

import pytest

from tests.faults.playing import Play, outcome
from tests.faults.table import Seen, plays, render
from tests.memory import forget

AT_ONCE = 32
FILE = Path(__file__).parent.parent / "FAULTS.md"
_SEEN = pytest.StashKey[Seen]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_SEEN] = {}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    terminalreporter.write_line(render(config.stash[_SEEN]))


@pytest.fixture(scope="session")
def seen(pytestconfig: pytest.Config) -> Seen:
    """What each play has come to, as far as the run has come."""
    return pytestconfig.stash[_SEEN]


@pytest.fixture(scope="session")
def played(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[Play, Future[str]]]:
    """What each play of this run has come to."""
    from airflow_provider_ims.hooks.connection import token_store

    found = [item.callspec.params for item in request.session.items if hasattr(item, "callspec")]
    cells = [params for params in found if "trouble" in params]
    wanted = [play for cell in cells for play in plays(cell["trouble"], cell["endpoint"], cell["times"])]
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(AT_ONCE) as pool:
        home = tmp_path_factory.mktemp("airflow")
        patch.setenv("AIRFLOW_HOME", str(home))
        for name in ("NO_PROXY", "no_proxy"):
            patch.setenv(name, "*")
        token_store.cache_clear()
        futures = {play: pool.submit(outcome, play) for play in wanted}
        try:
            wait(futures.values())
        finally:
            pool.shutdown(cancel_futures=True)
            forget(home)
        yield futures
        token_store.cache_clear()
