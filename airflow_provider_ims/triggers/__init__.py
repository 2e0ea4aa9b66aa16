"""What waits in the triggerer, and only reads: ``JobTrigger`` for a job, ``SlotTrigger`` for another try at a copy.

And ``ImageTrigger``, which fires for each new image. Their paths are here, wherever they are written: Airflow stores
them.
"""

from __future__ import annotations

from airflow_provider_ims.triggers.images import ImageTrigger
from airflow_provider_ims.triggers.jobs import SOONEST_RETURN, JobTrigger, SlotTrigger

__all__ = ["SOONEST_RETURN", "ImageTrigger", "JobTrigger", "SlotTrigger"]
