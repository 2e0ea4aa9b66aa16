"""Looks for answers of the cloud that a client does not take well, guided by what they reach in the code.

Run by ``make fuzz``: ``python -m tests.fuzz SECONDS``. It begins with the documents of ``tests/samples``; a finding
ends it with a status other than 0, and what was answered lies in ``build/fuzz``.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["airflow_provider_ims"]):
    from airflow_provider_ims.models import Response
    from tests.hostile import CONVERSATIONS, converse

FOLDER = Path("build/fuzz")
NAMES = sorted(CONVERSATIONS)
STATUSES = (200, 201, 204, 302, 400, 401, 403, 404, 408, 429, 500, 503)
SEPARATOR = b"\x00\xff\x00"
LONGEST_INPUT = 20_000


def answers(content: bytes) -> list[Response]:
    """What the bytes say: for each answer a status, a header's value that ends with a line, and the body."""
    found = []
    for piece in content.split(SEPARATOR)[:8]:
        value, _, body = piece[1:].partition(b"\n")
        word = value.decode("utf-8", errors="surrogateescape")
        headers = {"X-Subject-Token": word or "token", "Retry-After": word, "X-Request-Id": word, "Location": word}
        found.append(Response(STATUSES[(piece[0] if piece else 0) % len(STATUSES)], headers, body))
    return found


def try_one(content: bytes) -> None:
    """One conversation, named by the first byte, whose answers are in the others."""
    if content:
        converse(NAMES[content[0] % len(NAMES)], answers(content[1:]))


def seed(corpus: Path) -> None:
    """Each document as each conversation's answer, with a good and with a bad status."""
    corpus.mkdir(parents=True, exist_ok=True)
    for sample in Path(__file__).with_name("samples").glob("*.json"):
        for number in range(len(NAMES)):
            for status in (1, 4):
                answer = bytes([status]) + b"token\n" + sample.read_bytes()
                content = bytes([number]) + SEPARATOR.join([answer] * 3)
                (corpus / f"{sample.stem}-{number}-{status}").write_bytes(content)


def main() -> None:
    """Fuzz for so many seconds."""
    logging.getLogger("airflow_provider_ims").addHandler(logging.NullHandler())  # or each warning is printed
    corpus = FOLDER / "corpus"
    seed(corpus)
    options = [f"-max_total_time={int(sys.argv[1])}", f"-max_len={LONGEST_INPUT}", "-timeout=10", "-rss_limit_mb=1024"]
    atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={FOLDER}/", str(corpus)], try_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
