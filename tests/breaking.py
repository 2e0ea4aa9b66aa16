"""Breaks the package on purpose, one promise at a time, in a copy, and sees to it that a test notices.

Run by ``make test-breaking``: one line a promise, exit status 1 if one can be broken unseen.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parent.parent
PACKAGE = "airflow_provider_ims"


@dataclass(frozen=True)
class Break:
    """A promise, the line that keeps it, what stands there when it is broken, and the tests that should see it."""

    promise: str
    file: str
    kept: str
    broken: str
    tests: str


BREAKS = (
    Break("a 401 renews once", "auth.py", "if response.status != 401 or renewed:", "if True:", "core/test_auth.py"),
    Break(
        "a wrong password is sent once",
        "auth.py",
        "if self.who.project in failed.projects or",
        "if False or",
        "core/test_refused_log_ins.py",
    ),
    Break(
        "a project's name comes with its domain",
        "logging_in.py",
        '"name": who.project_name, "domain": {"name": who.account}',
        '"name": who.project_name',
        "core/test_protocol.py",
    ),
    Break(
        "a copy is not sent twice",
        "transport.py",
        "return attempt <= request.replays",
        "return True",
        "core/test_transport.py",
    ),
    Break(
        "who starts together logs in once",
        "token_store.py",
        "if self._owners.setdefault(who, owner) is not owner:",
        "if self._owners.setdefault(who, owner) is None:",
        "core/test_auth.py core/test_token_store.py",
    ),
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
    Break("the kept token is sealed", "shelves.py", "file.write(sealed)", "file.write(b'')", "core"),
    Break(
        "hosts log in once where their directory has locks",
        "token_store.py",
        "                descriptor = shelf.lock(self._name(who))",
        "                descriptor = self.shelves[0].lock(self._name(who)) if shelf is self.shelves[0] else None",
        "core/test_hosts.py",
    ),
    Break(
        "another host's log-in under way is no failure",
        "auth.py",
        "yield partial(self.tokens.note, who.login, sent)",
        "yield partial(self.tokens.write, who.login, sent)",
        "core/test_hosts.py",
    ),
    Break(
        "a token refused once is not used again",
        "auth.py",
        "refused = (*refused, token)",
        "refused = (token,)",
        "core/test_hosts.py",
    ),
    Break(
        "only our own files are swept",
        "shelves.py",
        'self.directory.glob(f"{PREFIX}*")',
        'self.directory.glob("*")',
        "core/test_hosts.py",
    ),
    Break(
        "Variables are not asked on the event loop",
        "transport.py",
        "reply = await _in_thread(step)",
        "reply = step()",
        "test_variables.py",
    ),
    Break(
        "no redirect is followed",
        "hooks/asynchronous.py",
        "allow_redirects=False",
        "allow_redirects=True",
        "test_leaving.py",
    ),
    Break(
        ".netrc is not read",
        "hooks/base.py",
        "session.trust_env = False",
        "session.trust_env = True",
        "test_leaving.py",
    ),
    Break(
        "no return within six seconds",
        "triggers/jobs.py",
        "SOONEST_RETURN = 6.0",
        "SOONEST_RETURN = 0.0",
        "test_operators.py test_sensors.py",
    ),
    Break(
        "permanent errors use no retry", "failures.py", "operator.retry_policy is None", "False", "test_operators.py"
    ),
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
    Break(
        "a refused access key is not used again",
        "auth.py",
        "refused = key_refused(error) if isinstance(log_in.who, AccessKey) else None",
        "refused = None",
        "core/test_access_keys.py",
    ),
    Break(
        "a request is signed when it is sent",
        "models.py",
        "return replace(self.sign(self), sign=None) if self.sign else self",
        "return self",
        "core/test_access_keys.py",
    ),
    Break(
        "what is signed is what is sent",
        "signing.py",
        "return replace(request, url=parts._replace(query=query).geturl(), headers=headers)",
        "return replace(request, headers=headers)",
        "core/test_signing.py",
    ),
    Break(
        "an agency's user logs in once for all agencies",
        "auth.py",
        "user = replace(self, who=who.assumed_by)",
        "user = replace(self, who=who.assumed_by, tokens=TokenStore())",
        "core/test_ways.py",
    ),
    Break(
        "a key of another way is refused",
        "settings.py",
        "if way != auth and key in self.extra:",
        "if False:",
        "core/test_settings.py",
    ),
    Break(
        "refused credentials are looked up once more",
        "client.py",
        "if settings.credentials == self.settings.credentials:",
        "if True:",
        "core/test_ways.py",
    ),
    Break("two images stop the task", "idempotency.py", "if len(mine) > 1:", "if False:", "core/test_idempotency.py"),
    Break(
        "the last look sees a second image",
        "idempotency.py",
        "| {image_id}) > 1:",
        "| {image_id}) > 9:",
        "core/test_idempotency.py test_one_image.py",
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
        "who looks a connection up does so for all",
        "hooks/sharing.py",
        "if self._looking_up is None:",
        "if True:",
        "test_sharing.py",
    ),
    Break("the last one closes the session", "hooks/sharing.py", "        await line.close()", "", "test_sharing.py"),
    Break(
        "what one is refused the others do not ask",
        "hooks/asynchronous.py",
        "if refusal := self._line.pace.refusal():",
        "if refusal := None:",
        "test_sharing.py",
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
        "a token is not used after its end by another host's clock",
        "models.py",
        "self.issued_at) / 2",
        "self.issued_at) / 10",
        "test_clocks.py",
    ),
    Break(
        "a refused log-in is not repeated by another host's clock",
        "auth.py",
        "longest = FAILURE_LASTS + CLOCK_SKEW",
        "longest = FAILURE_LASTS",
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
        "for name, value in facts.items() if name in known",
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


def is_seen(each: Break, copy: Path) -> bool:
    """Whether a test fails once this is broken."""
    file = copy / PACKAGE / each.file
    whole = file.read_text()
    if whole.count(each.kept) != 1:
        raise SystemExit(f"{each.promise}: {each.file} no longer has this once: {each.kept}")
    file.write_text(whole.replace(each.kept, each.broken))
    try:
        tests = [f"tests/{name}" for name in each.tests.split()]
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
        return subprocess.run(command, cwd=copy, capture_output=True, check=False).returncode == 1  # noqa: S603 - ours
    finally:
        file.write_text(whole)


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        copy.mkdir()
        for name in (PACKAGE, "tests", "dags"):
            shutil.copytree(PROJECT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(PROJECT / "pyproject.toml", copy)
        unseen = 0
        for each in BREAKS:
            seen = is_seen(each, copy)
            unseen += not seen
            print(f"{'seen  ' if seen else 'UNSEEN'}  {each.promise}", flush=True)
    print(f"{len(BREAKS) - unseen} passed, {unseen} failed")
    return 1 if unseen else 0


if __name__ == "__main__":
    sys.exit(main())
