"""``ImageTrigger``: fires for each image that becomes active, for as long as it is watched for."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import random
from collections.abc import AsyncIterator, Hashable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from airflow_provider_ims.arguments import check_seconds
from airflow_provider_ims.errors import ImsError, LoginRefusedError
from airflow_provider_ims.models import CLOCK_SKEW
from airflow_provider_ims.versions import DEFERRAL, INSTALL, check_version, stored_version
from airflow_provider_ims.watching import ImageFilter, Told, told_of

if TYPE_CHECKING:
    from airflow_provider_ims.hooks import ImsAsyncHook
    from airflow_provider_ims.models import Image

log = logging.getLogger(__name__)

FIRST_WITHIN = 5.0
"""Seconds within which a first look comes, spread because a triggerer starts all that it runs at once."""

REPLAYED = timedelta(hours=1)
"""Where nothing is kept, what became active so long before a start is told of (again)."""

LONGEST_PAUSE = 300.0
"""Seconds between looks that fail, at most (unless the interval is longer, or the cloud asks for more)."""

VERSION = 1
"""Of what is kept in an asset's state store."""


class ImageTrigger(BaseEventTrigger):
    """Fires for each image that becomes active and matches all of ``name``, ``tag`` and ``image_type`` that are given.

    For ``AssetWatcher``. The event's payload (in the asset event's ``extra``) is JSON: ``image_id``, ``image_name``,
    ``image_type``, ``source_image_id``, ``cmk_id``, ``size`` (bytes), ``tags``, ``owner``, ``created_at`` and
    ``active_at`` (ISO format), None where the cloud does not tell. What is active at the first look of all is no news.

    Since Airflow 3.3 no image is lost, however often the triggerer dies: which images are no news is kept in the
    asset's state store, written after Airflow has stored the event. An event comes twice only where the triggerer ended
    between these two, or could not write for so long; so what it starts should not mind (``copy_key``). That needs
    a trigger of one asset: give another asset's another ``poll_interval``. Before 3.3 nothing is kept: a trigger that
    starts fires (again) for what became active in the last hour, and not for what did before.

    It never ends by itself: a look that fails, refused credentials among the reasons, is logged and made again later.

    :param name: a pattern of names as ``fnmatch`` has it (``golden-*``); case counts.
    :param tag: ``key=value``.
    :param image_type: ``private``, ``gold`` (public), ``shared`` or ``market``.
    :param ims_conn_id: id of the Airflow connection; no secret is stored with the trigger.
    :param poll_interval: seconds between looks; each asks for the list of all images that match tag and type.

    Raises ``ArgumentError`` where no filter is given, or a malformed one.
    """

    def __init__(
        self,
        name: str | None = None,
        tag: str | None = None,
        image_type: str | None = None,
        ims_conn_id: str = "ims_default",
        poll_interval: float = 60,
        **kwargs: Any,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        version = stored_version("ImageTrigger", kwargs)
        self.version = version or DEFERRAL
        self.name = name
        self.tag = tag
        self.image_type = image_type
        self.ims_conn_id = ims_conn_id
        self.poll_interval = poll_interval
        if version is None:  # what was stored has been checked before
            check_seconds("poll_interval", poll_interval)
            self.filter  # noqa: B018 - refuses what is malformed

    @property
    def filter(self) -> ImageFilter:
        """Which images it fires for."""
        return ImageFilter(self.name, self.tag, self.image_type)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The path of the class and the arguments, for the database."""
        kwargs = ("version", "name", "tag", "image_type", "ims_conn_id", "poll_interval")
        return "airflow_provider_ims.triggers.ImageTrigger", {name: getattr(self, name) for name in kwargs}

    def get_hook(self) -> ImsAsyncHook:
        """The hook that it looks with; a subclass may bring its own."""
        from airflow_provider_ims.hooks import ImsAsyncHook

        return ImsAsyncHook(self.ims_conn_id, patience=0)  # what fails for a moment, the next look repeats

    def shared_stream_key(self) -> Hashable | None:
        """Itself alone: the stream is shared with nobody, but Airflow acknowledges what comes through one (3.3)."""
        return json.dumps(self.serialize(), sort_keys=True)

    @classmethod
    def create_shared_stream_producer(cls, kwargs: dict[str, Any]) -> Any:
        """The stream that Airflow acknowledges events to."""
        return Watch(cls(**kwargs))

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        """Introduce the store, which only this side of the stream is given; then fire for each image."""
        async for told in shared_stream:
            if isinstance(told, asyncio.Future):
                told.set_result(getattr(self, "asset_state_store", None))
            else:
                yield TriggerEvent(told)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Fire without a memory, as Airflow below 3.3 has it."""
        watch = Watch(self)
        async for payload, image_id in watch.news():
            yield TriggerEvent(payload)
            watch.settle(image_id, has_arrived=True)


class Watch:
    """What a trigger does while it runs, in the form of Airflow's ``SharedStreamProducer``.

    :param trigger: who looks, for what, how often.
    """

    def __init__(self, trigger: ImageTrigger) -> None:
        self.trigger = trigger
        self.told: Told | None = None
        self.is_saved = True
        self._store: Any = None
        self._started = datetime.now(UTC)
        watched = ("name", "tag", "image_type", "ims_conn_id")
        given = {name: value for name in watched if (value := getattr(trigger, name)) is not None}
        digest = hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()
        self._key = f"ims_images_{digest[:16]}"

    async def open_stream(self) -> AsyncIterator[tuple[Any, str | None]]:
        """Payload and id of each new image, after a future to be given the asset's state store."""
        introduced: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        yield introduced, None
        self._store = await introduced
        async for each in self.news():
            yield each

    async def advance(self, batch: Sequence[Any]) -> None:
        """Airflow has stored these, or could not."""
        for image_id, outcome in batch:
            if image_id is not None:
                self.settle(image_id, has_arrived=outcome.is_clean)
        await self._save()

    def get_advance_lane(self, image_id: Any) -> Hashable:
        """All in one order."""
        return None

    async def aclose(self) -> None:
        """Nothing is open between looks."""

    def settle(self, image_id: str, *, has_arrived: bool) -> None:
        """The event of this image has arrived, or is to be fired again."""
        if self.told is not None:
            self.told.settle(image_id, has_arrived=has_arrived)
            self.is_saved = False

    async def news(self) -> AsyncIterator[tuple[Mapping[str, Any], str]]:
        """Payload and id of each new image, for ever."""
        pause, failures = random.uniform(0.0, min(FIRST_WITHIN, self.trigger.poll_interval)), 0  # noqa: S311 - no secret
        while True:
            await asyncio.sleep(pause)
            images: list[Image] = []
            try:
                images = await self._look()
                failures, pause = 0, self.trigger.poll_interval * random.uniform(0.9, 1.1)  # noqa: S311 - no secret
            except Exception as problem:  # were it to end, Airflow would start it again each second
                failures += 1
                pause = self._pause_after(problem, failures)
            for image in images:
                log.info("Image %s '%s' has become active", image.id, image.name)
                yield told_of(image), image.id

    def _pause_after(self, problem: Exception, failures: int) -> float:
        interval = self.trigger.poll_interval
        pause = max(interval, min(LONGEST_PAUSE, interval * 2.0 ** min(failures - 1, 10)))
        if isinstance(problem, ImsError):
            pause = max(
                pause, problem.retry_after or 0.0, LONGEST_PAUSE if isinstance(problem, LoginRefusedError) else 0
            )
            log.error("No look at the images, the next one is in %.0f s: %s", pause, problem)
        else:
            log.error("No look at the images, the next one is in %.0f s", pause, exc_info=problem)
        return pause * random.uniform(1.0, 1.1)  # noqa: S311 - no secret

    async def _look(self) -> list[Image]:
        check_version("This trigger", self.trigger.version, DEFERRAL)
        if self.told is None:
            self.told = await self._load()
        async with self.trigger.get_hook() as hook:
            images = await hook.perform(self.trigger.filter.look(hook.client))
        if self.told is None:
            since = self._started - REPLAYED - CLOCK_SKEW if self._store is None else None
            told = Told.before(images, since)
            await self._write(told)  # before anybody is told of others, or a restart would take those for no news
            self.told = told
        news = self.told.news(images)
        await self._save()
        return news

    async def _load(self) -> Told | None:
        """What was kept; raises where Airflow does not tell, for that is not to say that nothing was."""
        if self._store is None:
            return None
        if getattr(self._store, "_total", 1) != 1:  # it would not answer
            log.error("Nothing is kept, for several assets have the same trigger: give each another poll_interval.")
            self._store = None
            return None
        kept = await self._store.aget(self._key)
        if not isinstance(kept, dict) or "version" not in kept:
            return None
        remedy = f"{INSTALL} Or delete the asset's state '{self._key}' (REST API): what is active then is no news."
        check_version("Which images were told of", kept["version"], VERSION, remedy)
        return Told(dict.fromkeys(kept["told"]))

    async def _save(self) -> None:
        if self.is_saved or self.told is None:
            return
        try:
            await self._write(self.told)
            self.is_saved = True
        except Exception as problem:  # a backend of the user's own raises what it likes
            log.error("Which images were told of is not kept, the next look tries again: %r", problem)

    async def _write(self, told: Told) -> None:
        if self._store is not None:
            await self._store.aset(self._key, {"version": VERSION, "told": list(told.ids)})
