"""What has to come of every fault on every endpoint, written by hand: operator / sensor, in short words.

``-``: the fault makes no sense there, or the task does not talk to that endpoint.
"""

from __future__ import annotations

from collections.abc import Mapping

WORDS: Mapping[str, str] = {
    "ok": "success",
    "adopted": "success, adopted",
    "lost copy": "fails: LostSubmitError (transient), no image",
    "lost": "fails: ResponseLostError (transient), no image",
    "unavailable": "fails: UnavailableError (transient), no image",
    "throttled": "fails: ThrottledError (transient), no image",
    "malformed": "fails: MalformedResponseError (transient), no image",
    "late": "fails: JobTimeoutError (transient), one image",
    "timeout": "fails: AirflowSensorTimeout (permanent)",
    "no log-in": "fails: LoginRefusedError (permanent), no image",
    "refused": "fails: RefusedError (permanent), no image",
    "refused look": "fails: RefusedError (permanent), one image",
    "no log-in!": "fails: LoginRefusedError (permanent)",
    "refused!": "fails: RefusedError (permanent)",
    "-": "-",
}
"""The short words, and what they stand for."""

ONCE = """
fault                  | log-in                 | list          | image          | copy          | job     | the end
delay                  | ok / ok                | ok / -        | ok / ok        | ok / -        | ok / ok | ok / -
hang, not carried out  | ok / ok                | ok / -        | ok / ok        | lost copy / - | ok / ok | ok / -
hang, carried out      | ok / ok                | -             | -              | adopted / -   | -       | -
reset, not carried out | ok / ok                | ok / -        | ok / ok        | lost copy / - | ok / ok | ok / -
reset, carried out     | ok / ok                | -             | -              | adopted / -   | -       | -
408                    | ok / ok                | ok / -        | ok / ok        | lost copy / - | ok / ok | ok / -
500                    | ok / ok                | ok / -        | ok / ok        | lost copy / - | ok / ok | ok / -
502                    | ok / ok                | ok / -        | ok / ok        | lost copy / - | ok / ok | ok / -
503                    | ok / ok                | ok / -        | ok / ok        | lost copy / - | ok / ok | ok / -
504                    | ok / ok                | ok / -        | ok / ok        | lost copy / - | ok / ok | ok / -
504, carried out       | ok / ok                | -             | -              | adopted / -   | -       | -
429                    | ok / ok                | ok / -        | ok / ok        | ok / -        | ok / ok | ok / -
429 with Retry-After   | ok / ok                | ok / -        | ok / ok        | ok / -        | ok / ok | ok / -
IMG.0060               | -                      | -             | -              | ok / -        | -       | -
401, token revoked     | no log-in / no log-in! | ok / -        | ok / ok        | ok / -        | ok / ok | ok / -
body cut off           | ok / ok                | ok / -        | ok / ok        | adopted / -   | ok / ok | ok / -
JSON cut off           | ok / ok                | ok / -        | ok / ok        | adopted / -   | ok / ok | ok / -
{} (without a job id)  | ok / ok                | malformed / - | malformed / ok | adopted / -   | ok / ok | ok / -
HTML page, 200         | ok / ok                | ok / -        | ok / ok        | lost copy / - | ok / ok | ok / -
HTML page, 502         | ok / ok                | ok / -        | ok / ok        | lost copy / - | ok / ok | ok / -
wrong content type     | ok / ok                | ok / -        | ok / ok        | ok / -        | ok / ok | ok / -
unknown job status     | -                      | -             | -              | -             | ok / ok | -
lower-case job status  | -                      | -             | -              | -             | ok / ok | -
missing entities       | -                      | -             | -              | -             | ok / ok | -
second page missing    | -                      | ok / -        | -              | -             | -       | ok / -
"""

FOR_EVER = """
fault                  | log-in                 | list            | image                 | copy          | job                     | the end
delay                  | ok / ok                | ok / -          | ok / ok               | ok / -        | ok / ok                 | ok / -
hang, not carried out  | lost / timeout         | lost / -        | lost / timeout        | lost copy / - | late / timeout          | late / -
hang, carried out      | lost / timeout         | -               | -                     | adopted / -   | -                       | -
reset, not carried out | lost / timeout         | lost / -        | lost / timeout        | lost copy / - | late / timeout          | late / -
reset, carried out     | lost / timeout         | -               | -                     | adopted / -   | -                       | -
408                    | unavailable / timeout  | unavailable / - | unavailable / timeout | lost copy / - | late / timeout          | late / -
500                    | unavailable / timeout  | unavailable / - | unavailable / timeout | lost copy / - | late / timeout          | late / -
502                    | unavailable / timeout  | unavailable / - | unavailable / timeout | lost copy / - | late / timeout          | late / -
503                    | unavailable / timeout  | unavailable / - | unavailable / timeout | lost copy / - | late / timeout          | late / -
504                    | unavailable / timeout  | unavailable / - | unavailable / timeout | lost copy / - | late / timeout          | late / -
504, carried out       | unavailable / timeout  | -               | -                     | adopted / -   | -                       | -
429                    | throttled / timeout    | throttled / -   | throttled / timeout   | throttled / - | late / timeout          | late / -
429 with Retry-After   | throttled / timeout    | throttled / -   | throttled / timeout   | throttled / - | late / timeout          | late / -
IMG.0060               | -                      | -               | -                     | throttled / - | -                       | -
401, token revoked     | no log-in / no log-in! | refused / -     | refused / refused!    | refused / -   | refused look / refused! | refused look / -
body cut off           | lost / timeout         | lost / -        | lost / timeout        | adopted / -   | late / timeout          | late / -
JSON cut off           | malformed / timeout    | malformed / -   | malformed / timeout   | adopted / -   | late / timeout          | late / -
{} (without a job id)  | malformed / timeout    | malformed / -   | malformed / timeout   | adopted / -   | late / timeout          | late / -
HTML page, 200         | malformed / timeout    | malformed / -   | malformed / timeout   | lost copy / - | late / timeout          | late / -
HTML page, 502         | unavailable / timeout  | unavailable / - | unavailable / timeout | lost copy / - | late / timeout          | late / -
wrong content type     | ok / ok                | ok / -          | ok / ok               | ok / -        | ok / ok                 | ok / -
unknown job status     | -                      | -               | -                     | -             | late / timeout          | -
lower-case job status  | -                      | -               | -                     | -             | ok / ok                 | -
missing entities       | -                      | -               | -                     | -             | ok / timeout            | -
second page missing    | -                      | unavailable / - | -                     | -             | -                       | late / -
"""  # noqa: E501 - a table


def read(table: str) -> dict[str, list[tuple[str, str]]]:
    """The cells of a table by fault, in the order of the endpoints: what comes of the operator and of the sensor."""
    _, *rows = table.strip().splitlines()
    return {fault.strip(): [_cell(cell) for cell in cells] for fault, *cells in (row.split("|") for row in rows)}


def _cell(text: str) -> tuple[str, str]:
    operator, _, sensor = (part.strip() for part in text.partition("/"))
    return WORDS[operator], WORDS[sensor or "-"]
