"""Where the console shows an image, as far as connection and token tell."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_ims.errors import SettingsError
from airflow_provider_ims.settings import Settings

REGIONS = {
    "eu-de": "https://console.otc.t-systems.com/",
    "eu-ch2": "https://console.sc.otc.t-systems.com/",
    "eu-west-101": "https://console.eu.huaweicloud.com/",
    "ap-southeast-3": "https://console-intl.huaweicloud.com/",
    "cn-north-4": "https://console.huaweicloud.com/",
}


def settings(**extra: Any) -> Settings:
    return Settings.of("ims", login="u", password="p", extra={"region": "eu-de", "domain_name": "d"} | extra)


@pytest.mark.parametrize("region", REGIONS)
def test_each_region_has_the_console_of_its_cloud(region: str) -> None:
    assert settings(region=region).console("p", "i") == settings(region=region).console() == REGIONS[region]


@pytest.mark.parametrize(
    ("template", "console"),
    [
        ("https://c.example/{region}/images/{image_id}", "https://c.example/eu-de/images/"),
        ("https://c.example/i?id={image_id}&p={project_id}", "https://c.example/"),
        ("https://c.example/{region}/#/i/{image_id}", "https://c.example/eu-de/"),
        ("https://c.example/{region}", "https://c.example/eu-de"),
    ],
)
def test_the_console_is_what_stands_before_the_image(template: str, console: str) -> None:
    assert settings(console_url=template).console("p") == console


@pytest.mark.parametrize(
    "template",
    [
        "javascript:alert({image_id})",
        "console.example.com",
        "ftp://c.example/{image_id}",
        "https:///{image_id}",
        "https://c.example/{image}",
        "https://c.example/{image_id",
        "https://c.example/ {image_id}",
        "https://someone:secret@c.example/{image_id}",
    ],
)
def test_a_template_that_cannot_work_is_refused(template: str) -> None:
    with pytest.raises(
        SettingsError, match=r"console_url is .*; give an address such as https://.*\{image_id\}"
    ) as found:
        settings(console_url=template)
    assert "secret" not in str(found.value)


def test_what_is_filled_in_cannot_change_the_address() -> None:
    assert (
        settings(console_url="https://c.example/?p={project_id}").console("a&b#c/")
        == "https://c.example/?p=a%26b%23c%2F"
    )
