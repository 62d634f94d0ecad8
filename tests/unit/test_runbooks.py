"""Whoever is woken by an alert finds its page, with the same parts in the same order."""

import re
from collections.abc import Iterator
from pathlib import Path

import promql_parser
import pytest

from support.promql import selectors
from support.rules import ALERTS, ROOT
from support.served_series import SERVED

RUNBOOKS = ROOT / "docs/runbooks"
PAGES = {path.stem: path for path in RUNBOOKS.glob("*.md") if path.stem != "README"}

WITH_QUERIES = {**PAGES, "monitoring": ROOT / "docs/monitoring.md"}


def queries(page: Path) -> Iterator[str]:
    """What the text lets its reader ask Prometheus: code in a sentence, and lines of blocks that are no commands."""
    text = page.read_text()
    blocks = re.findall(r"^```\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks if not block.startswith("$") for line in block.splitlines()]
    sentences = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    for code in (*lines, *re.findall(r"`([^`]+)`", sentences)):
        if re.match(r"[\w ]*\(|[a-z_]+(\{|$)", code) and re.search(r"\b(taskgroup|redis)_\w", code):
            yield code.replace("\\|", "|")


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


@pytest.mark.parametrize("name", WITH_QUERIES)
def test_what_a_page_asks_prometheus_can_be_answered(name: str) -> None:
    for query in queries(WITH_QUERIES[name]):
        promql_parser.parse(query)
        for selector in selectors(query):
            assert selector.series in SERVED, query
            assert not selector.matchers.keys() - SERVED[selector.series], query


def test_pages_ask_prometheus() -> None:
    """Else the test above reads nothing."""
    assert sum(len(list(queries(page))) for page in WITH_QUERIES.values()) > 20
