"""Copy images in the Image Management Service (IMS) of Open Telekom Cloud and Huawei Cloud, from Airflow.

This module holds the version and what Airflow reads of the provider. It imports nothing, so that reading it is cheap.
"""

from __future__ import annotations

from typing import Any

__all__ = ["__version__", "get_provider_info"]
__version__ = "0.1.0"

_INTEGRATION = "Image Management Service (IMS)"
_LOGIN, _PASSWORD = "IAM user name or access key", "Password, secret key or token"


def get_provider_info() -> dict[str, Any]:
    """What Airflow is told of this provider: its modules, and the form of its connection type."""
    return {
        "package-name": "airflow-provider-ims",
        "name": _INTEGRATION,
        "description": "Copies images in the Image Management Service of Open Telekom Cloud and Huawei Cloud.",
        "versions": [__version__],
        "integrations": [
            {
                "integration-name": _INTEGRATION,
                "external-doc-url": "https://docs.otc.t-systems.com/image-management-service/",
                "tags": ["service"],
            }
        ],
        **{
            kind: [{"integration-name": _INTEGRATION, "python-modules": [f"airflow_provider_ims.{kind}"]}]
            for kind in ("hooks", "operators", "sensors", "triggers")
        },
        "asset-uris": [{"schemes": ["ims"], "handler": "airflow_provider_ims.assets.sanitize_uri"}],
        "cli": ["airflow_provider_ims.cli.definition.commands"],
        "extra-links": [f"airflow_provider_ims.links.{name}" for name in ("ImageLink", "ConsoleLink")],
        "connection-types": [
            {
                "connection-type": "ims",
                "hook-class-name": "airflow_provider_ims.hooks.ImsHook",
                "hook-name": "Image Management Service (OTC, Huawei Cloud)",
                "ui-field-behaviour": {
                    "hidden-fields": ["schema"],
                    "relabeling": {
                        "login": _LOGIN,
                        "password": "Password, secret key or token",
                        "host": "IMS endpoint",
                    },
                    "placeholders": {
                        "login": "The IAM user's name (for an account log-in: the account's name), or the access key",
                        "host": "Address of the image service; blank: what the log-in offers, else the region's",
                        "port": "0; if it is blank, the Test button of Airflow 3.3 answers Bad Request",
                    },
                },
                "conn-fields": _CONN_FIELDS,
            }
        ],
    }


def _field(label: str, description: str, kind: str = "string", **schema: Any) -> dict[str, Any]:
    return {"label": label, "description": description, "schema": {"type": [kind, "null"], **schema}}


_REGIONS = [
    *("eu-de", "eu-nl", "eu-ch2", "eu-west-101", "ap-southeast-1", "ap-southeast-2", "ap-southeast-3"),
    *("ap-southeast-4", "af-south-1", "la-north-2", "la-south-2", "me-east-1", "na-mexico-1", "sa-brazil-1"),
    *("tr-west-1", "cn-north-1", "cn-north-4", "cn-north-9", "cn-east-2", "cn-east-3", "cn-south-1", "cn-southwest-2"),
]
"""Of Open Telekom Cloud, and of Huawei Cloud; the form admits others."""

_CONN_FIELDS = {
    "auth": _field(
        "Way to log in",
        "password: login is the IAM user, password its password, and the account name is required. aksk: login is the "
        "access key, password the secret key. token: password is a token, login stays blank. agency: as password, and "
        "the agency that the user assumes. Default: password.",
        enum=["password", "aksk", "token", "agency"],
    ),
    "region": _field(
        "Region",
        "Required (unless IAM endpoint and project are given). The region's id, one of the list or another; endpoints, "
        "project and console follow from it.",
        examples=_REGIONS,
    ),
    "domain_name": _field(
        "Account (domain) name",
        "Required for password and agency: the account that the IAM user is of, such as "
        "OTC-EU-DE-00000000001000000000.",
    ),
    "agency_domain_name": _field("Agency's account", "Required for agency: the account that the agency is of."),
    "agency_name": _field("Agency", "Required for agency: its name. The project is one of its account."),
    "security_token": _field(
        "Security token", "For aksk with a temporary access key. Default: none.", format="password"
    ),
    "project_name": _field("Project name", "Default: the region's main project, named like the region."),
    "project_id": _field("Project ID", "Default: the project is found by its name. Wins over the name."),
    "iam_endpoint": _field("IAM endpoint", "Default: the region's, such as https://iam.eu-de.otc.t-systems.com/v3."),
    "verify": _field(
        "Verify TLS", "true, false, or the path of a CA bundle. Default: true.", examples=["true", "false"]
    ),
    "proxies": _field("Proxies", "A proxy's URL, or JSON by scheme. Default: HTTPS_PROXY, HTTP_PROXY, NO_PROXY."),
    "timeout": _field(
        "Timeout (seconds)", "To connect, and to wait for each part of an answer. Default: 30.", "number", minimum=1
    ),
    "console_url": _field(
        "Console address",
        "Where the tasks' links lead: the address of an image's page in the cloud's console, with {region}, "
        "{project_id} and {image_id} in it. Default: the region's console.",
    ),
    "token_cache": _field(
        "Token cache",
        "file: each host keeps its tokens in sealed files. variable: in Airflow's Variables, too, sealed as well, for "
        "hosts that come and go. none: each process logs in by itself. Default: file.",
        examples=["file", "variable", "none"],
    ),
    "token_cache_dir": _field(
        "Token cache directory",
        "With token cache file: the absolute path of a directory that is there on all hosts, such as a mounted volume; "
        "their tokens are kept in it, too. Default: each host has its own.",
    ),
}
