"""Whoever is woken by an alert finds its page, with the same parts in the same order."""

import re

import pytest

from support.rules import ALERTS, ROOT

RUNBOOKS = ROOT / "docs/runbooks"
PAGES = {path.stem: path for path in RUNBOOKS.glob("*.md") if path.stem != "README"}


def test_every_alert_has_a_page_and_every_page_an_alert() -> None:
    assert PAGES.keys() == ALERTS.keys()


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_leads_to_its_page(name: str) -> None:
    assert ALERTS[name].annotations["runbook_url"] == str(PAGES[name].relative_to(ROOT))


@pytest.mark.parametrize("name", PAGES)
def test_a_page_says_what_it_means_whom_it_hurts_how_to_see_it_and_how_to_mend_it(name: str) -> None:
    text = PAGES[name].read_text()
    headings = re.findall(r"^(#+ .+)$", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    assert headings == [f"# {name}", "## Meaning", "## Impact", "## Diagnosis", "## Mend"]
    assert re.search(rf"^{ALERTS[name].labels['severity'].capitalize()}, ", text, re.MULTILINE)


def test_the_index_lists_every_page() -> None:
    assert set(re.findall(r"\]\((TaskGroup\w+)\.md\)", (RUNBOOKS / "README.md").read_text())) == set(PAGES)
