"""A real Chromium against the real server: every page must be whole without JavaScript, so that is how it is opened."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, sync_playwright

from iam.login import totp
from tests.house import Served
from tests.servers import missing

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
ARGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()


@dataclass
class Tab:
    """One page of one person's browser, with everything it complained of."""

    page: Page
    served: Served
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> int:
        """Goes to a path of the server; answers the status."""
        answer = self.page.goto(f"{self.served.issuer}{path}")
        assert answer is not None
        return answer.status

    def text(self) -> str:
        """What a person reads on the page."""
        return self.page.locator("body").inner_text()

    def log_in(self, role: str, *, go: bool = True) -> Tab:
        """Both factors, with the keyboard alone."""
        who = self.served.home.person(role)
        if go:
            self.open("/entrar")
        self.page.focus("#login")
        self.page.keyboard.type(who["login"])
        self.page.keyboard.press("Tab")
        self.page.keyboard.type(who["password"])
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")
        self.served.home.clock.move(seconds=31)  # each code is good once
        self.page.focus("#codigo")
        self.page.keyboard.type(totp.code(who["totp"], self.served.home.clock()))
        with contextlib.suppress(Error), self.page.expect_navigation():  # an application of a test may not be there
            self.page.keyboard.press("Enter")
        return self

    def beside(self) -> Tab:
        """A second tab of the same browser."""
        return Tab(self.page.context.new_page(), self.served, self.complaints)

    def asked(self, start: str) -> list[str]:
        """The addresses beginning so that this browser will have asked for, redirects too."""
        found: list[str] = []
        self.page.on("request", lambda request: found.append(request.url) if request.url.startswith(start) else None)
        return found


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for a module: while Playwright lives, its event loop runs in this thread."""
    if not Path(CHROMIUM).exists():
        missing("Chromium")
    with sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield browser
        browser.close()


@pytest.fixture
def tab(chromium: Browser, shared: Served) -> Iterator[Callable[..., Tab]]:
    """Opens browsers that know nothing of each other; none may complain on its console (errors, refused by CSP)."""
    contexts: list[BrowserContext] = []
    tabs: list[Tab] = []

    def new(**options: object) -> Tab:
        given = {"ignore_https_errors": True, "java_script_enabled": False, "locale": "pt-BR", **options}
        context = chromium.new_context(**given)  # type: ignore[arg-type]
        made = Tab(context.new_page(), shared)
        made.page.on("console", lambda m: made.complaints.append(m.text))
        made.page.on("pageerror", lambda e: made.complaints.append(str(e)))
        contexts.append(context)
        tabs.append(made)
        return made

    yield new
    for context in contexts:
        context.close()
    loud = [c for t in tabs for c in t.complaints if not c.startswith("Failed to load resource")]
    assert not loud
