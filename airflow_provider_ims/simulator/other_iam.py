"""Another IAM, such as a Keystone, that is asked whose a token is. What the token may do is decided elsewhere."""

from __future__ import annotations

from typing import Any

import aiohttp

ANSWERS_WITHIN = aiohttp.ClientTimeout(total=10)
NO_TOKEN = (401, 404)
"""It is asked with the token itself, so one that does not hold is refused in one way or the other."""


async def describe_token(iam_url: str, value: str) -> dict[str, Any] | None:
    """The document of a token; None for one that does not hold.

    Raises aiohttp.ClientError, TimeoutError, and LookupError, TypeError or ValueError for an answer without a token.
    """
    headers = {"X-Auth-Token": value, "X-Subject-Token": value}
    url = f"{iam_url.rstrip('/').removesuffix('/v3')}/v3/auth/tokens?nocatalog=1"
    async with aiohttp.ClientSession(timeout=ANSWERS_WITHIN) as session, session.get(url, headers=headers) as answer:
        if answer.status in NO_TOKEN:
            return None
        answer.raise_for_status()
        document: dict[str, Any] = (await answer.json())["token"]
        return document
