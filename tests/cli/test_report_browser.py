"""A browser shows a report without requests, messages or obstacles to people who do not see it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from conftest import missing
from support.commands import done

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")


@pytest.fixture
def browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A browser without a window that records requests and messages."""
    if BROWSER is None or DRIVER is None:
        missing("chromium and chromium-driver are not installed")
    if not (find_spec("selenium") and find_spec("axe_core_python")):
        missing("selenium and axe-core-python are not installed")
    from selenium import webdriver

    monkeypatch.setenv("HOME", str(tmp_path))
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for argument in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage"):
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


def requests(driver: Any) -> list[str]:
    messages = [json.loads(one["message"])["message"] for one in driver.get_log("performance")]
    return [
        one["params"]["request"]["url"]
        for one in messages
        if one["method"] == "Network.requestWillBeSent"
    ]


@pytest.mark.long
def test_a_browser_shows_a_report(certified: Path, browser: Any) -> None:
    from axe_core_python.selenium import Axe

    done("report", "24-0107:3", "-o", "page.html")
    address = (certified / "page.html").as_uri()
    for scheme in ("light", "dark"):
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        browser.get(address)
        assert set(requests(browser)) == {address}
        assert browser.get_log("browser") == []
        for closed in browser.find_elements("css selector", "summary"):
            closed.click()
        found = Axe().run(browser)["violations"]
        assert [(one["id"], [node["html"][:80] for node in one["nodes"]]) for one in found] == []
