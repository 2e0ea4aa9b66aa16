"""How a probe is run: look around, copy once, look closely until all has settled, delete what was made.

What was made is noted before it is sent, and only that is deleted. The source is only read.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from uuid import uuid4

from airflow_provider_ims import protocol
from airflow_provider_ims.addresses import endpoint
from airflow_provider_ims.copying import Submission
from airflow_provider_ims.errors import ArgumentError, ImsError, RefusedError, ThrottledError
from airflow_provider_ims.hooks.base import ImsBaseHook
from airflow_provider_ims.idempotency import Order
from airflow_provider_ims.models import Image, Quota
from airflow_provider_ims.probe.asking import Asker, ask_for_what_is_not_there
from airflow_provider_ims.probe.deleting import delete_all, find, is_past
from airflow_provider_ims.probe.looking import watch, watch_together
from airflow_provider_ims.probe.made import Made, MadeNotes, Store
from airflow_provider_ims.probe.record import Seen, is_copy

log = logging.getLogger(__name__)

AT_ONCE = 6
"""How many copies are begun together to see the limit, which is documented as five."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do. ``poll_interval`` and ``timeout``: seconds between looks, and for which copies are waited for."""

    image_id: str
    duplicate_name: bool = False
    concurrency: bool = False
    poll_interval: float = 5.0
    timeout: float = 7200.0

    @property
    def most(self) -> int:
        """How many images it makes that are there at the same time."""
        return AT_ONCE if self.concurrency else 2 if self.duplicate_name else 1


class Probe:
    """One run. ``seen`` fills meanwhile; ``left`` is what it and earlier ones have made and not deleted.

    :param store: where it is noted what was made.
    :param confirm: asks whether to do what is described.
    """

    def __init__(self, hook: ImsBaseHook, plan: Plan, store: Store, confirm: Callable[[str], bool]) -> None:
        self.plan, self.confirm = plan, confirm
        self.notes = MadeNotes(store)
        self.name = f"ims-probe-{uuid4().hex[:8]}"
        settings = hook.client.settings
        self.seen = Seen(settings.region, endpoint("ims", settings.region or ""))
        self.asker = Asker(hook, self.seen)

    @property
    def left(self) -> list[Made]:
        """What is not deleted, or may still appear."""
        return [made for made in self.notes.copies if made.was_sent]

    def run(self) -> bool:
        """Do all of it; False where the user wants nothing to be made.

        Raises ``ArgumentError`` for an image that cannot be probed with, what the cloud refuses, and
        ``JobTimeoutError``; before that, what was made is deleted as far as that works.
        """
        self.asker.perform(self.asker.hook.client.new_token())
        self._offer_to_delete()
        source, quota = self._look_around()
        if not self.confirm(_question(self.plan, source, quota, self.name)):
            return False
        limit = self.plan.concurrency and self.confirm(_SIX.format(AT_ONCE, self.name))
        earlier = self.left
        try:
            ask_for_what_is_not_there(self.asker)
            self._probe_copies()
            if limit:
                self._delete_but(earlier)
                self._probe_the_limit()
        except ImsError:
            self._delete_but(earlier)
            raise
        self._delete_but(earlier)
        return True

    def _offer_to_delete(self) -> None:
        delete_all(self.asker, [made for made in self.notes.copies if not made.was_sent])
        for made in self.left:
            image, job = find(self.asker, made)
            if image is None and is_past(self.asker, made, job):
                made.forget()
            elif self.confirm(f"An earlier probe has left {made}. Delete it?"):
                delete_all(self.asker, [made])

    def _delete_but(self, earlier: list[Made]) -> None:
        delete_all(self.asker, [made for made in self.notes.copies if made not in earlier])

    def _look_around(self) -> tuple[Image, Quota | None]:
        source = self.asker.ask(partial(protocol.get_image, image_id=self.plan.image_id))
        self.seen.source = source.properties
        if source.cmk_id:
            raise ArgumentError(f"image is {source.id}, '{source.name}', which is encrypted: give one that is not.")
        quota = None
        try:
            quota = self.asker.ask(protocol.show_quota)
        except ImsError as error:
            log.warning("The quota cannot be seen: %s", error)
            return source, None
        self.seen.quota = quota.limit
        if quota.used + self.plan.most > quota.limit:
            raise RefusedError(
                f"The quota of private images has no room for {self.plan.most} more ({quota.used} of {quota.limit} are "
                "used): delete images, or have it raised. Nothing was copied."
            )
        return source, quota

    def _probe_copies(self) -> None:
        made = self._begin(self.name)
        self.seen.fingerprint = str(made.order.fingerprint)
        watch(self.asker, made, self.plan.poll_interval, self.plan.timeout)
        if not self.plan.duplicate_name:
            return
        log.info("A second copy with the name of the first")
        try:
            second = self._begin(self.name)
        except RefusedError as error:
            log.info("It is refused: %s", error)
        else:
            watch_together(self.asker, [second], self.plan.poll_interval, self.plan.timeout)
        self.seen.duplicate = [each.response for each in self.seen.exchanges if is_copy(each)][-1]

    def _probe_the_limit(self) -> None:
        copies: list[Made] = []
        try:
            for number in range(1, AT_ONCE + 1):
                copies.append(self._begin(f"{self.name}-{number}"))
        except (RefusedError, ThrottledError) as error:
            if not copies or not error.code:
                raise
            log.info("Copy %d at once is refused: %s", len(copies) + 1, error)
            self.seen.refused = error.code
        self.seen.rows = watch_together(self.asker, copies, self.plan.poll_interval, self.plan.timeout)

    def _begin(self, name: str) -> Made:
        """Begin a copy, noted before it is sent, and found again where its answer is lost."""
        order = Order(key=f"airflow ims probe {uuid4().hex}", image_id=self.plan.image_id, name=name)
        made = self.notes.begin(order, self.asker.hook.client.now())
        self.asker.perform(Submission(self.asker.hook.client, order, made).submit({}))
        return made


_SIX = (
    "--concurrency then begins {} copies of it at once ('{}-1', ...), and deletes them. Meanwhile other copies of the "
    "tenant may be refused. Do that too?"
)


def _question(plan: Plan, source: Image, quota: Quota | None, name: str) -> str:
    size = "of unknown size" if source.size is None else f"{source.size / 1024**3:.1f} GiB"
    copies = "once more with the same name, and deletes both" if plan.duplicate_name else "and deletes the copy again"
    room = "their quota cannot be seen" if quota is None else f"{quota.used} of {quota.limit} in the quota are used"
    return (
        f"This copies image {source.id} '{source.name}' ({size}) to '{name}', {copies}. The image itself is only read. "
        f"Private images may cost something while they are there; {room}. Go on?"
    )
