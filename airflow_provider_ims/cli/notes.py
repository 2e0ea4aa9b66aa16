"""What ``airflow ims copy`` leaves to the same command when that is given again: a file in Airflow's home."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from airflow_provider_ims.errors import StateStoreError


class FileNotes:
    """The notes of one copy (see ``copying.Notes``). Without secrets; one file for each copy key and source image."""

    def __init__(self, folder: Path, key: str, image_id: str) -> None:
        self.path = folder / f"{hashlib.sha256(f'{image_id} {key}'.encode()).hexdigest()[:32]}.json"

    def read(self) -> dict[str, Any]:
        """What was noted last; empty where nothing was. Raises ``StateStoreError``, as ``write`` does."""
        try:
            return dict(json.loads(self.path.read_text()))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as problem:
            raise self._refused(problem) from None

    def write(self, **facts: Any) -> None:
        """Put these in the place of what was there, whole or not at all."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=self.path.parent, delete=False) as file:
                json.dump(facts, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(file.name, self.path)
        except OSError as problem:
            raise self._refused(problem) from None

    def remove(self) -> None:
        """Forget them: the image is there, and is recognized by itself."""
        with suppress(OSError):
            self.path.unlink()

    def _refused(self, problem: Exception) -> StateStoreError:
        remedy = "nothing was sent; make it readable and writable"
        return StateStoreError(f"What is begun cannot be noted: {self.path} ({problem}): {remedy}.")
