"""What can go wrong, and what to do about it.

::

    ImsError
    ├── ImsPermanentError             trying again cannot help; the task fails without using its retries
    │   ├── SettingsError             a field of the connection is missing or malformed (or a certificate not trusted)
    │   ├── ArgumentError             an argument is malformed; nothing was sent
    │   ├── LoginRefusedError         IAM refused the credentials (never repeated: five wrong log-ins lock the account)
    │   ├── RefusedError              the cloud refused the request
    │   │   ├── ForbiddenError        ... for want of a permission
    │   │   └── NotFoundError         ... because it does not know the thing
    │   ├── UnclearSubmitError        the copy may have been accepted, or not, and cannot be recognized
    │   ├── CopyConflictError         what the cloud has for this copy key is not the one copy that was asked for
    │   ├── JobFailedError            the job ended with FAIL
    │   └── ImageUnusableError        the job ended with SUCCESS, its image is not usable
    └── ImsTransientError             trying again may help
        ├── ConnectionLookUpError     Airflow gave no connection of this id: there is none, or it could not be asked
        ├── ConnectError              no connection: nothing was sent
        ├── ResponseLostError         sent, and no complete answer came back
        ├── ThrottledError            refused for now: too many requests or copies at once
        ├── UnavailableError          the cloud answered with 408 or 5xx
        ├── MalformedResponseError    the answer is not what the API reference describes
        ├── StateStoreError           Airflow did not take or give a note of the copy
        │   └── NewerReleaseError     ... or gave one that a newer release of this package wrote in a form of its own
        ├── LostSubmitError           it was not clear whether the copy was accepted, and none has appeared
        ├── JobInterruptedError       the job ended with FAIL for a reason inside the cloud
        └── JobTimeoutError           the deadline passed; the job may go on in the cloud

Every error survives pickling (``args`` are its parameters) and a trigger event (``to_event`` / ``from_event``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ImsError(Exception):
    """Anything that this package raises.

    :param message: what happened and what to do.
    :param status: HTTP status, where the cloud answered.
    :param code: the cloud's error code, such as ``IMG.0060``.
    :param request_id: the cloud's id of the request, for its support.
    :param retry_after: seconds after which the cloud wants to be asked again.
    """

    def __init__(
        self,
        message: str,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, status, code, request_id, retry_after)
        self.message = message
        self.status = status
        self.code = code
        self.request_id = request_id
        self.retry_after = retry_after

    def __str__(self) -> str:
        facts = (
            self.status and f"HTTP {self.status}",
            self.code,
            self.request_id and f"request id {self.request_id}",
        )
        known = ", ".join(fact for fact in facts if fact)
        return f"{self.message} [{known}]" if known else self.message

    def but(self, kind: type[ImsError], message: str) -> ImsError:
        """The same facts as another kind of error, with another message."""
        return kind(message, self.status, self.code, self.request_id, self.retry_after)

    def to_event(self) -> dict[str, Any]:
        """This error as JSON, for a trigger event."""
        return {"error": type(self).__name__, "args": list(self.args)}

    @staticmethod
    def from_event(event: Mapping[str, Any]) -> ImsError:
        """The error that ``to_event`` wrote; a name that this version does not know becomes an ``ImsError``."""
        parameters = event["args"][: len(ImsError("").args)]  # a newer release may know more
        return _tree(ImsError).get(str(event["error"]), ImsError)(*parameters)


class ImsPermanentError(ImsError):
    """Trying again cannot help."""


class ImsTransientError(ImsError):
    """Trying again may help."""


class SettingsError(ImsPermanentError):
    """A field of the connection is missing or malformed. Raised before any request."""


class ArgumentError(ImsPermanentError, ValueError):
    """An argument is malformed. Raised before any request, at DAG parsing where it can be known."""


class LoginRefusedError(ImsPermanentError):
    """IAM refused the credentials."""


class RefusedError(ImsPermanentError):
    """The cloud refused the request."""


class ForbiddenError(RefusedError):
    """The user may not do this."""


class NotFoundError(RefusedError):
    """The cloud does not know this image or job."""


class UnclearSubmitError(ImsPermanentError):
    """It is not known whether the cloud accepted the copy. Sending again could make a second image."""


class CopyConflictError(ImsPermanentError):
    """The images of this copy key are several, or one that is not named or encrypted as asked."""


class JobFailedError(ImsPermanentError):
    """The job ended with FAIL."""


class ImageUnusableError(ImsPermanentError):
    """The job ended with SUCCESS, but its image is gone or broken."""


class ConnectionLookUpError(ImsTransientError):
    """Airflow gave no connection of this id. It does not tell one that is not there from a look-up that failed."""


class ConnectError(ImsTransientError):
    """There was no connection; nothing was sent."""


class ResponseLostError(ImsTransientError):
    """The request was sent, and no complete answer came back."""


class ThrottledError(ImsTransientError):
    """The cloud refused for now, before it began."""


class UnavailableError(ImsTransientError):
    """The cloud answered with 408 or 5xx."""


class MalformedResponseError(ImsTransientError):
    """The answer is not what the API reference describes."""


class StateStoreError(ImsTransientError):
    """Airflow's task state store did not take or give a note. Where it was to be taken before a copy, none was sent."""


class NewerReleaseError(StateStoreError):
    """What was kept for this process was written by a newer release, in a form that this one does not know."""


class LostSubmitError(ImsTransientError):
    """It was not clear whether the cloud accepted the copy, and no image of it has appeared in time."""


class JobInterruptedError(ImsTransientError):
    """The job ended with FAIL for a reason inside the cloud."""


class JobTimeoutError(ImsTransientError):
    """The job was not over at the deadline. It may go on in the cloud, and another try goes on waiting for it."""


def _tree(root: type[ImsError]) -> dict[str, type[ImsError]]:
    found = {root.__name__: root}
    for branch in root.__subclasses__():
        found |= _tree(branch)
    return found
