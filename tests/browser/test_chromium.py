"""The arguments of Chromium in the tests."""

import re

import pytest
from playwright.async_api import Error, Playwright

from tests.browser.conftest import arguments


async def test_the_list_of_unused_features_has_all_of_playwright_s(playwright: Playwright) -> None:
    """Our list of features that Chromium disables replaces Playwright's, and has every feature of it."""
    # The error of a program that is no browser has its command line.
    with pytest.raises(Error) as failed:
        await playwright.chromium.launch(executable_path="/bin/false", args=arguments(playwright=True))
    theirs, ours, *_ = re.findall(r"--disable-features=(\S+)", failed.value.message)
    assert set(theirs.split(",")) < set(ours.split(","))
