"""What others' software was asked and what came of it, as the Markdown table that people read."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tests.others.clients import version_of

FILE = Path(__file__).parent.parent / "OTHERS.md"
ROLES = {
    "keystone": "Keystone: the IAM that the provider logs in at, and that the simulated IMS asks about tokens",
    "glance": "Glance: the native image API, `/v2/images`, with Keystone before it",
    "keystoneauth1": "keystoneauth1: OpenStack's client for logging in, at the simulated cloud",
    "openstacksdk": "openstacksdk: OpenStack's client, at the simulated cloud and at Glance",
}
HEAD = """# Proved against software of others

Keystone and Glance run for real, on SQLite and loopback; clients get addresses and a log-in, and nothing else is set
for them. Each row is written by the test that asks, from what it saw. Made and checked by `make test-others`;
`.venv/bin/python -m pytest tests/others --write` writes it anew.
"""


@dataclass
class Seen:
    """What came of each question, in the order of the tests."""

    rows: dict[str, list[tuple[str, str]]] = field(default_factory=dict)

    def tell(self, software: str, asked: str, came: str) -> None:
        """Write down what came of a question."""
        self.rows.setdefault(software, []).append((asked, " ".join(came.split()).replace("|", "\\|")))

    def render(self) -> str:
        """The whole file."""
        lines = [HEAD]
        for software, role in ROLES.items():
            lines += [
                f"## {role}",
                "",
                f"| {software} {version_of(software)} was asked | what came of it |",
                "|---|---|",
            ]
            lines += [f"| {asked} | {came} |" for asked, came in self.rows.get(software, [])]
            lines.append("")
        return "\n".join(lines)
