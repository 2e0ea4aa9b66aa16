"""What is asked of a probe: one table, from which the report and the simulator's settings both come.

A question that is named as a setting of the simulator gives that setting's value; the others are about what the API
reference says. Sources: the OTC API references of IAM and IMS, the user manual's constraints.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from airflow_provider_ims.probe import answers, copy_answers, job_answers
from airflow_provider_ims.probe.answers import NotSeen
from airflow_provider_ims.probe.record import Seen

Verdict = Literal["confirmed", "otherwise", "found", "not probed"]
Ask = Callable[[Seen], tuple[Any, str]]


@dataclass(frozen=True, slots=True)
class Question:
    """One question. ``ask`` gives the value and words for people, and raises ``NotSeen``.

    ``says``: what the documentation says, or that it is silent. ``expected``: the value that it says; None: it is
    silent. ``is_setting``: whether ``name`` is a setting of the simulator, which a value that is not None is for.
    """

    name: str
    says: str
    ask: Ask
    expected: Any = None
    is_setting: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a question; ``seen`` has why where it is ``not probed``."""

    question: Question
    verdict: Verdict
    seen: str
    value: Any = None


def _fact(name: str, says: str, ask: Ask) -> Question:
    return Question(name, says, ask, True)


def _setting(name: str, says: str, ask: Ask, expected: Any = None) -> Question:
    return Question(name, says, ask, expected, is_setting=True)


QUESTIONS: tuple[Question, ...] = (
    _fact("log_in_answer", "201, the token in X-Subject-Token, times in UTC with microseconds", answers.log_in_answer),
    _setting("token_lifetime", "24 h", answers.token_lifetime, 86400.0),
    _setting("token_length", "several kilobytes with a catalog", answers.token_length),
    _fact("catalog", "type image, name glance, a public URL without version path", answers.catalog),
    _fact("ims_host", "the catalog's host of IMS follows the region's pattern", answers.ims_host),
    _setting("catalog_regions", "silent: which regions a project's catalog has", answers.catalog_regions),
    _setting("iam_error_shape", "two shapes: error.code, or error_code", answers.iam_error_shape),
    _fact("list_answer", "an object with images, own fields strings, times without milliseconds", answers.list_answer),
    _setting("quota", "50 private images a region unless raised (the sample shows 20)", answers.quota, 50),
    _fact("unknown_image", "404", answers.unknown_image),
    _setting("native_errors", "native errors are not JSON", answers.native_errors),
    _setting("unknown_job", "silent: 404 is not among the documented codes", answers.unknown_job),
    _fact("copy_answer", "200 with a job_id of 32 hex digits", copy_answers.copy_answer),
    _setting("copy_public", "silent: whether public images can be copied", copy_answers.copy_public),
    _fact("job_fields", "job_id, job_type, begin_time, end_time, ..., entities", job_answers.job_fields),
    _fact("job_type", "imsCopyImageInRegionJob", job_answers.job_type),
    _fact("job_statuses", "INIT, RUNNING, then SUCCESS or FAIL", job_answers.job_statuses),
    _fact("job_error", "error_code and fail_reason are null unless it FAILs", job_answers.job_error),
    _setting("job_lag", "silent: whether a new job is found at once", job_answers.job_lag),
    _setting("open_end_time", "null or blank while unfinished", job_answers.open_end_time),
    _setting("time_form", "2024-11-06T06:14:27.168Z", job_answers.time_form, "iso"),
    _setting("status_words", "upper case", job_answers.status_words, "upper"),
    _setting("process_percent", "no longer documented for this API", job_answers.process_percent),
    _fact("progress_api", "GET /v1/cloudimages/job/{job_id} shows process_percent", job_answers.progress_api),
    _setting("image_id_while_running", "silent", job_answers.image_id_while_running),
    _setting("success_entities", "image_id and image_name", job_answers.success_entities, "full"),
    _setting("fail_word", "FAIL", job_answers.fail_word, "FAIL"),
    _setting("fail_details", "silent: there is no sample of a FAIL", job_answers.fail_details),
    _setting("copy_seconds", "silent (131 s in the sample)", copy_answers.copy_seconds),
    _setting("init_part", "silent", copy_answers.init_part),
    _setting("image_appears", "silent: when the list shows the copy", copy_answers.image_appears),
    _setting("list_lag", "silent: whether the list shows at once what there is", copy_answers.list_lag),
    _setting("description_lag", "silent: whether the description is there at once", copy_answers.description_lag),
    _fact("description", "the image has the description that was asked for", copy_answers.description),
    _fact("origin", "__data_origin is image,<region>,<id of the source>", copy_answers.origin),
    _setting("active_lag", "silent: whether the image is active when its job is SUCCESS", copy_answers.active_lag),
    _setting("image_after_success", "active", copy_answers.image_after_success, "active"),
    _setting("image_after_fail", "silent: killed, removed, or left saving", copy_answers.image_after_fail),
    _setting("duplicate_names", "silent: IMG.0009 is tied to no API", copy_answers.duplicate_names),
    _setting("concurrent_copies", "5 for a tenant", copy_answers.concurrent_copies, 5),
    _setting("beyond_limit", "silent: refused with IMG.0060, or kept in INIT", copy_answers.beyond_limit),
    _fact("delete_answer", "204", copy_answers.delete_answer),
    _setting("delete_seconds", "silent: how long a deleted image is still shown", copy_answers.delete_seconds),
    _setting("permission_body", "silent: what a missing permission is refused with", answers.permission_body),
    _setting("ims_rate_limit", "silent", answers.ims_rate_limit),
    _setting("iam_rate_limit", "silent", answers.iam_rate_limit),
    _setting("rate_window", "silent", answers.rate_window),
    _setting("retry_after", "described, not promised", answers.retry_after),
)

NOT_PROBED: dict[str, str] = {
    "lockout_attempts": "wrong passwords would lock the user",
    "lockout_window": "wrong passwords would lock the user",
    "lockout_seconds": "wrong passwords would lock the user",
    "wrong_password_message": "a wrong password counts towards the lock",
    "key_failures": "wrong signatures would lock the access key",
    "key_lock_seconds": "wrong signatures would lock the access key",
    "clock_skew": "a signature that is refused for its time counts towards the key's lock",
    "unknown_project": "a log-in that is refused may count towards the lock",
    "copy_spread": "one copy shows no spread",
    "job_retention": "it would take days",
}
"""Settings of the simulator that no probe can show, and why."""


def answered(seen: Seen) -> Iterator[Answer]:
    """The answer to each question, in the table's order; last what cannot be probed."""
    for question in QUESTIONS:
        yield _answer(question, seen)
    for name, why in NOT_PROBED.items():
        yield Answer(Question(name, "", lambda _: (None, ""), is_setting=True), "not probed", why)


def _answer(question: Question, seen: Seen) -> Answer:
    try:
        value, words = question.ask(seen)
    except NotSeen as reason:
        return Answer(question, "not probed", str(reason))
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as problem:
        return Answer(question, "otherwise", f"not in a form that can be read ({type(problem).__name__})")
    if value is None or question.expected not in (None, value):
        return Answer(question, "otherwise", words, value)
    return Answer(question, "found" if question.expected is None else "confirmed", words, value)


def settings_of(found: list[Answer]) -> dict[str, Any]:
    """The simulator's settings that follow from the answers."""
    return {each.question.name: each.value for each in found if each.question.is_setting and each.value is not None}
