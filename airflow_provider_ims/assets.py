"""Assets of the scheme ``ims``: ``ims://<region>/<project>/<family>``, and what the event of a new image tells.

A family is a stable name for images that follow each other, such as ``golden-ubuntu``: an asset's URI is not templated,
and an image's own name changes from copy to copy. Imported where DAGs are parsed, so it imports next to nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlunsplit

from airflow_provider_ims.errors import ArgumentError

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context

FACTS = ("image_id", "image_name", "source_image_id", "job_id", "cmk_id", "size", "duration")
"""What an event of a new image tells as ``extra``, as far as it is known, else None.

``image_name``: the image's own; ``cmk_id``: the key that it is encrypted with; ``size``: bytes; ``duration``: seconds
from the job's begin to its end.
"""


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """What Airflow asks of each URI of the scheme when a DAG is parsed; raises ``ArgumentError``."""
    region, path = uri.netloc.lower(), uri.path.split("/")
    is_well_formed = re.fullmatch(r"[a-z0-9][a-z0-9-]*", region) and len(path) == 3 and all(path[1:])
    if not is_well_formed or uri.query or uri.fragment or re.search(r"\s", uri.path):
        raise ArgumentError(
            f"The asset's URI is {urlunsplit(uri)!r}: give ims://<region>/<project>/<family>, such as "
            "ims://eu-de/eu-de_images/golden-ubuntu."
        )
    return uri._replace(netloc=region)


def tell_assets(task: BaseOperator, context: Context, made: Mapping[str, Any]) -> None:
    """Put what is known of a new image into the events of the task's assets of this scheme."""
    facts = {name: made.get(name) for name in FACTS}
    for asset in task.outlets:
        if str(getattr(asset, "uri", "")).startswith("ims://"):  # an Asset, or a reference to one by its URI
            context["outlet_events"][asset].extra.update(facts)
