"""Promises about copies: one image each, and what a probe makes."""

from __future__ import annotations

from tests.breaks.promise import Break

COPIES = (
    Break(
        "who waited pushes the image's id",
        "operators.py",
        'key="image_id", value=image_id',
        'key="image", value=image_id',
        "test_operators.py",
    ),
    Break(
        "a copy whose answer is lost is looked for",
        "copying.py",
        "self.may_follow = True\n        if found",
        "self.may_follow = False\n        if found",
        "core/test_copying.py",
    ),
    Break(
        "nothing is sent without a note",
        "copying.py",
        "yield partial(self._note, sent=True)",
        "yield partial(int)",
        "core/test_copying.py",
    ),
    Break(
        "without fingerprint, no note is no copy",
        "operators.py",
        "order.marked or notes.store is None",
        "True",
        "test_one_image.py",
    ),
    Break(
        "who waits for a slot outlasts a triggerer",
        "tasks.py",
        "timedelta(seconds=left) + DEFERRAL_MARGIN",
        "timedelta(seconds=pause) + DEFERRAL_MARGIN",
        "test_one_image.py",
    ),
    Break(
        "nothing is sent after an old look",
        "copying.py",
        "self.client.elapsed() - self._looked > FRESH",
        "False",
        "core/test_copying.py",
    ),
    Break(
        "a look that failed is not none",
        "copying.py",
        "if is_last:\n                    raise",
        "if is_last:\n                    return None",
        "core/test_looks.py",
    ),
    Break(
        "nothing is decrypted unasked",
        "copying.py",
        "and not self.allow_decryption",
        "and False",
        "core/test_sources_and_leftovers.py",
    ),
    Break("two images stop the task", "idempotency.py", "if len(mine) > 1:", "if False:", "core/test_idempotency.py"),
    Break(
        "the last look sees a second image",
        "idempotency.py",
        "| {image_id}) > 1:",
        "| {image_id}) > 9:",
        "core/test_idempotency.py test_one_image.py",
    ),
    Break("a clear is another copy", "tasks.py", 'else f"{ti.max_tries}"', 'else "0"', "test_one_image.py"),
    Break(
        "a foreign event makes no second image",
        "operators.py",
        "deadline(context, self), may_follow=True)",
        "deadline(context, self), may_follow=False)",
        "test_foreign_events.py",
    ),
    Break(
        "who finds no free slot comes back",
        "operators.py",
        "            come_back(\n",
        "            raise\n            come_back(\n",
        "test_one_image.py",
    ),
    Break(
        "a probe deletes only what it made",
        "probe/made.py",
        "return self.order.is_mine(image) or image.id == named_by_job",
        "return True",
        "test_probe.py",
    ),
    Break(
        "a probe's copy is noted before it is sent",
        "probe/made.py",
        'facts[key] for key in ("sent", "job_id")',
        'facts[key] for key in ("job_id",)',
        "test_probe.py",
    ),
    Break(
        "a probe's report does not tell whose account it is",
        "probe/report.py",
        'ID.sub("<id>", self._known.sub("***", words))',
        "words",
        "test_probe_report.py",
    ),
    Break(
        "a probe asks first",
        "probe/running.py",
        "            return False\n",
        "            pass\n",
        "test_probe.py",
    ),
)
