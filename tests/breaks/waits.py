"""Promises about waiting, and about Airflow: looks, deadlines, triggers, releases."""

from __future__ import annotations

from tests.breaks.promise import Break

WAITS = (
    Break(
        "success needs an active image",
        "waiting.py",
        "return image if image and image.is_active else None",
        "return image",
        "core/test_waiting.py",
    ),
    Break(
        "a failed look is no news",
        "waiting.py",
        "self._no_news(error)\n            return None",
        "raise",
        "core/test_waiting.py",
    ),
    Break(
        "no return within six seconds",
        "triggers/jobs.py",
        "SOONEST_RETURN = 6.0",
        "SOONEST_RETURN = 0.0",
        "test_operators.py test_sensors.py",
    ),
    Break(
        "a wait that begins anew ends with its deadline",
        "triggers/jobs.py",
        "min(self.first_pause, max(SOONEST_RETURN, _seconds_until(self.deadline)))",
        "self.first_pause",
        "test_triggers.py",
    ),
    Break(
        "permanent errors use no retry", "failures.py", "operator.retry_policy is None", "False", "test_operators.py"
    ),
    Break(
        "a watcher takes up where the last one ended",
        "triggers/images.py",
        'return Told(dict.fromkeys(kept["told"]))',
        "return None",
        "test_image_trigger.py",
    ),
    Break(
        "what Airflow has not stored is told of again",
        "triggers/images.py",
        "                yield told_of(image), image.id",
        "                self.settle(image.id, has_arrived=True)\n                yield told_of(image), image.id",
        "test_image_trigger.py",
    ),
    Break(
        "nothing is lost by ending in the triggerer",
        "tasks.py",
        "if not task.end_in_triggerer:",
        "if True:",
        "test_ending.py",
    ),
    Break(
        "parsing loads no HTTP library",
        "tasks.py",
        "from __future__ import annotations\n",
        "from __future__ import annotations\nimport requests\n",
        "test_imports.py",
    ),
    Break(
        "who is told when to come back does not come back with all the others",
        "waiting.py",
        "error.retry_after + jitter(0.0, self.poll_interval)",
        "error.retry_after",
        "core/test_waiting.py",
    ),
    Break(
        "who is started together does not look together",
        "triggers/jobs.py",
        "await hook.sleep(self._spread(hook))",
        "pass",
        "test_sharing.py",
    ),
    Break(
        "no deadline comes too soon by another host's clock",
        "tasks.py",
        "(CLOCK_SKEW if elsewhere or task.deferrable else timedelta(0))",
        "timedelta(0)",
        "test_clocks.py",
    ),
    Break(
        "no wait for a slot ends too soon by another host's clock",
        "triggers/jobs.py",
        "- now + CLOCK_SKEW",
        "- now",
        "test_clocks.py",
    ),
    Break(
        "what a newer release means otherwise is refused",
        "versions.py",
        "if not isinstance(found, int) or found > known:",
        "if False:",
        "test_newer_releases.py",
    ),
    Break(
        "what a newer release has added is ignored",
        "versions.py",
        "for name, value in facts.items() if name in kind.__struct_fields__",
        "for name, value in facts.items()",
        "test_newer_releases.py",
    ),
    Break(
        "what the release before has deferred is resumed",
        "operators.py",
        "copy_key: str | None = None, image_page",
        "key: str | None = None, image_page",
        "test_recorded.py",
    ),
    Break(
        "ends in the triggerer wait for each other",
        "triggers/jobs.py",
        "await ends_here().together()",
        "pass",
        "test_ending.py",
    ),
    Break(
        "ends in the triggerer go when the last one has come",
        "triggers/ending.py",
        "self._all_came.set()",
        "pass",
        "test_ending.py",
    ),
)
