"""The ways to log in: what each of them knows, how it is spoken of, and what of it is secret.

Frozen values; how each is used at IAM stands in ``logging_in`` and ``signing``, when in ``auth``. Secrets do not print.
"""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar, Self

from msgspec.structs import replace

from airflow_provider_ims.models import CLOCK_SKEW
from airflow_provider_ims.values import Value


class Credentials(Value, frozen=True, kw_only=True):
    """Who asks at which IAM, and for which project: ``project_id`` wins over ``project_name``.

    ``refusal_lasts``: for how long what IAM has refused is not tried again; ``refusal_reason``: why.
    """

    iam_url: str
    project_name: str | None = None
    project_id: str | None = None

    refusal_lasts: ClassVar[timedelta] = timedelta(minutes=15) + CLOCK_SKEW
    refusal_reason: ClassVar[str] = "five wrong log-ins lock the account"

    @property
    def user(self) -> str:
        """Who it is, without the secret."""
        raise NotImplementedError

    @property
    def account(self) -> str:
        """The name of the account that the project is in; blank where only the cloud knows it."""
        return ""

    @property
    def secret(self) -> str:
        """What only they know; what is kept of them is sealed with it."""
        raise NotImplementedError

    @property
    def sent(self) -> str:
        """The secret that goes along with each request, where there is one beside an IAM token."""
        return ""

    @property
    def project(self) -> str:
        """The project's id or else its name, to speak of it; blank where neither is given."""
        return self.project_id or self.project_name or ""

    @property
    def login(self) -> Self:
        """These credentials for no project: what the cloud counts failures of."""
        return replace(self, project_name=None, project_id=None)

    @property
    def identity(self) -> str:
        """Everything but the secret, in one line."""
        return f"{self.iam_url} {self.user} {self.project}".rstrip()


class PasswordCredentials(Credentials, frozen=True, kw_only=True):
    """An IAM user's name and password. ``whole_domain``: for the account itself, and no project of it."""

    unprinted: ClassVar[frozenset[str]] = frozenset({"password"})

    domain_name: str
    user_name: str
    password: str
    whole_domain: bool = False

    @property
    def user(self) -> str:
        """Account and user."""
        return f"{self.domain_name}/{self.user_name}"

    @property
    def account(self) -> str:
        """The account's name."""
        return self.domain_name

    @property
    def secret(self) -> str:
        """The password."""
        return self.password

    @property
    def project(self) -> str:
        """The project's id or else its name, or that it is for the account."""
        return "the whole account" if self.whole_domain else self.project_id or self.project_name or ""

    @property
    def login(self) -> PasswordCredentials:
        """User and password alone."""
        return replace(self, project_name=None, project_id=None, whole_domain=False)


class AccessKey(Credentials, frozen=True, kw_only=True):
    """An access key (AK/SK): every request is signed. ``security_token``: of a temporary key."""

    unprinted: ClassVar[frozenset[str]] = frozenset({"secret_key", "security_token"})

    access_key: str
    secret_key: str
    security_token: str | None = None

    refusal_lasts: ClassVar[timedelta] = timedelta(minutes=5) + CLOCK_SKEW
    refusal_reason: ClassVar[str] = "more than five failures lock the key for five minutes"

    @property
    def user(self) -> str:
        """The access key's id."""
        return f"access key {self.access_key}"

    @property
    def secret(self) -> str:
        """The secret key, and the token that goes with it."""
        return f"{self.secret_key} {self.sent}"

    @property
    def sent(self) -> str:
        """The security token; the secret key never leaves."""
        return self.security_token or ""


class GivenToken(Credentials, frozen=True, kw_only=True):
    """A token that somebody else has got from IAM. Project and end are the token's own."""

    unprinted: ClassVar[frozenset[str]] = frozenset({"token"})

    token: str

    refusal_reason: ClassVar[str] = "put another token into the connection, which is used at once"

    @property
    def user(self) -> str:
        """What can be said of it before IAM was asked."""
        return "a given token"

    @property
    def secret(self) -> str:
        """The token."""
        return self.token


class Agency(Credentials, frozen=True, kw_only=True):
    """An agency of the account ``domain_name``, by which a user of another one works in its projects."""

    assumed_by: PasswordCredentials
    domain_name: str
    agency_name: str

    @property
    def user(self) -> str:
        """Agency and user."""
        return f"agency {self.domain_name}/{self.agency_name}, assumed by {self.assumed_by.user}"

    @property
    def account(self) -> str:
        """The account's name."""
        return self.domain_name

    @property
    def secret(self) -> str:
        """The user's password."""
        return self.assumed_by.password
