"""What waits in the triggerer, and only reads: ``JobTrigger`` for a job, ``SlotTrigger`` for another try at a copy.

And ``ImageTrigger``, which fires for each new image; it is loaded where it is asked for, because each task that waits
loads the others. Their paths are here, wherever they are written: Airflow stores them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_ims.triggers.jobs import SOONEST_RETURN, JobTrigger, SlotTrigger

if TYPE_CHECKING:
    from airflow_provider_ims.triggers.images import ImageTrigger

__all__ = ["SOONEST_RETURN", "ImageTrigger", "JobTrigger", "SlotTrigger"]


def __getattr__(name: str) -> Any:
    if name == "ImageTrigger":
        from airflow_provider_ims.triggers.images import ImageTrigger

        return ImageTrigger
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
