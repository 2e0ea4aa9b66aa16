"""What a probe leaves: a report for people, and a settings file for the simulator. Neither names account or secret.

What is written are words of this package, values of the questions, and the cloud's words with all names and ids of the
account, and everything that has the form of an id, taken out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec

from airflow_provider_ims import __version__
from airflow_provider_ims.arguments import UUID
from airflow_provider_ims.models import Response
from airflow_provider_ims.probe.questions import Answer, settings_of
from airflow_provider_ims.probe.record import Exchange, Seen, token_of
from airflow_provider_ims.refusals import Refusal, request_id

ID = re.compile(rf"{UUID}|\b[0-9a-fA-F]{{32}}\b")

SECRET = 8
"""Characters from which on a text is taken out wherever it stands; a shorter one only where it is a word."""

SECTIONS = {
    "otherwise": "Other than documented",
    "found": "Found out",
    "confirmed": "As documented",
    "not probed": "Not probed",
}


class Redaction:
    """Takes out of the cloud's words what tells whose account it is.

    :param credentials: the connection's; every text in them is taken out but addresses.
    """

    def __init__(self, credentials: Any, seen: Seen) -> None:
        known: list[object] = [msgspec.to_builtins(credentials), seen.source.get("id"), seen.source.get("name")]
        for answer in seen.log_ins:
            known += [token_of(answer).get(key) for key in ("user", "project", "domain", "assumed_by")]
            known.append(answer.header("X-Subject-Token"))
        texts = {text for text in _texts(known) if text != seen.region and not text.startswith("http")}
        self._texts = longest = sorted(filter(None, texts), key=len, reverse=True)
        self._known = re.compile("|".join(rf"(?<!\w){re.escape(text)}(?!\w)" for text in longest), re.IGNORECASE)

    def refusal(self, response: Response) -> Refusal:
        """What a refusal says; secrets are taken out before its words are cut to length, or half of one could stay."""
        for text in self._texts:
            response = response.without(text) if len(text) >= SECRET else response
        found = Refusal.read(response)
        return Refusal(self.clean(found.code or ""), self.clean(found.words))

    def clean(self, words: str) -> str:
        """The words without what is not to be told."""
        return ID.sub("<id>", self._known.sub("***", words))


def _texts(value: object) -> Iterator[str]:
    """Every string in a document."""
    if isinstance(value, str):
        yield value.strip()
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)


def settings_file(found: list[Answer]) -> str:
    """What ``python -m airflow_provider_ims.simulator --settings`` reads."""
    return json.dumps(settings_of(found), indent=2, sort_keys=True) + "\n"


def report(seen: Seen, found: list[Answer], credentials: Any, at: datetime, note: str = "") -> str:
    """The report as Markdown. ``note``: what ended the probe early, or is left behind."""
    without = Redaction(credentials, seen)
    counts = ", ".join(f"{sum(each.verdict == name for each in found)} {name}" for name in reversed(SECTIONS))
    lines = [f"# Probe of IMS in {seen.region or 'a region that the connection does not name'}", ""]
    lines += [f"{at:%Y-%m-%d}, airflow-provider-ims {__version__}. {counts}.", ""]
    lines += [without.clean(note), ""] if note else []
    for verdict, heading in SECTIONS.items():
        rows = [_row(each, without) for each in found if each.verdict == verdict]
        if rows:
            what = "why" if verdict == "not probed" else "seen"
            lines += [
                f"## {heading}",
                "",
                f"| question | documentation | {what} | setting |",
                "| --- | --- | --- | --- |",
            ]
            lines += [*rows, ""]
    lines += _refusals(seen, without)
    return "\n".join(lines).rstrip() + "\n"


def _row(each: Answer, without: Redaction) -> str:
    question, has_setting = each.question, each.question.is_setting and each.value is not None
    setting = f"`{json.dumps(each.value)}`" if has_setting else ""
    return _cells(f"`{question.name}`", question.says, without.clean(each.seen), setting)


def _cells(*cells: str) -> str:
    return f"| {' | '.join(' '.join(cell.split()).replace('|', '/') for cell in cells)} |"


def _refusals(seen: Seen, without: Redaction) -> list[str]:
    """A table of what was refused, with what the cloud's support needs."""
    rows = [_refusal(each, without) for each in seen.exchanges if each.response.status >= 400]
    if not rows:
        return []
    return [
        "## Refusals",
        "",
        "| request | status | code | words | request id |",
        "| --- | --- | --- | --- | --- |",
        *rows,
    ]


def _refusal(each: Exchange, without: Redaction) -> str:
    refusal = without.refusal(each.response)
    path = ID.sub("{id}", urlsplit(each.request.url).path)
    status = str(each.response.status)
    number = re.sub(r"[^\w.:-]", "", request_id(each.response) or "")
    return _cells(f"{each.request.method} {path}", status, refusal.code or "", refusal.words, number)
