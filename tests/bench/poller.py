"""The floor: one hand-tuned poller for many jobs. One session, one token, one fixed schedule, few objects."""

from __future__ import annotations

import asyncio
import heapq
import json
from collections.abc import Sequence
from typing import Any

import aiohttp
from yarl import URL

CONNECTIONS = 8


class Poller:
    """Looks at each job every ``interval`` seconds, the jobs spread evenly over it, until all are over.

    ``ends``: how many jobs ended with which status. Nothing that fails is caught.
    """

    def __init__(self, connection: dict[str, Any], job_ids: Sequence[str], interval: float) -> None:
        self.ends: dict[str, int] = {}
        self._connection = connection
        self._job_ids = job_ids
        self._interval = interval
        self._due: list[tuple[float, URL]] = []
        self._headers: dict[str, str] = {}

    async def run(self) -> None:
        connector = aiohttp.TCPConnector(limit=CONNECTIONS)
        async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
            project_id = await self._log_in(session)
            jobs, now = f"{self._connection['host']}/v1/{project_id}/jobs", asyncio.get_running_loop().time()
            step = self._interval / len(self._job_ids)
            self._due = [(now + step * number, URL(f"{jobs}/{each}")) for number, each in enumerate(self._job_ids)]
            await asyncio.gather(*(self._look_in_turn(session) for _ in range(CONNECTIONS)))

    async def _log_in(self, session: aiohttp.ClientSession) -> str:
        extra = self._connection["extra"]
        user = {"name": self._connection["login"], "password": self._connection["password"]}
        identity = {"methods": ["password"], "password": {"user": user | {"domain": {"name": extra["domain_name"]}}}}
        body = {"auth": {"identity": identity, "scope": {"project": {"name": extra["region"]}}}}
        async with session.post(f"{extra['iam_endpoint']}/auth/tokens", json=body) as answer:
            self._headers = {"X-Auth-Token": answer.headers["X-Subject-Token"]}
            return str((await answer.json())["token"]["project"]["id"])

    async def _look_in_turn(self, session: aiohttp.ClientSession) -> None:
        time, due = asyncio.get_running_loop().time, self._due
        while due:
            at, url = heapq.heappop(due)
            if (early := at - time()) > 0:
                await asyncio.sleep(early)
            async with session.get(url, headers=self._headers) as answer:
                job = json.loads(await answer.read())
            if job["status"] in ("SUCCESS", "FAIL"):
                self.ends[job["status"]] = self.ends.get(job["status"], 0) + 1
            else:
                heapq.heappush(due, (at + self._interval, url))
