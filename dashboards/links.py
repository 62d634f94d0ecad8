"""Ways from one dashboard to the others, and from a group to its logs."""

import json
from urllib.parse import quote

from grafana_foundation_sdk.builders.dashboard import DashboardLink
from grafana_foundation_sdk.models.dashboard import DashboardLinkType

TAG = "taskgroup"
GROUP_UID = "taskgroup-group"


def by_tag() -> DashboardLink:
    """All dashboards of the operator, with the present time and choices."""
    return (
        DashboardLink("TaskGroup dashboards")
        .type(DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .icon("external link")
        .as_dropdown(True)
        .include_vars(True)
        .keep_time(True)
    )


def logs(title: str, selector: str, text: str) -> DashboardLink:
    """The lines that Loki has of these streams, in the same range of time."""
    return DashboardLink(title).type(DashboardLinkType.LINK).icon("doc").url(explore(selector, text)).target_blank(True)


def explore(selector: str, text: str) -> str:
    """Where Grafana shows the lines of these streams that contain a text. Variables are left for Grafana to fill in."""
    query = {"refId": "A", "expr": f"{selector} |= `{text}`" if text else selector}
    pane = {"datasource": "${logs}", "queries": [query], "range": {"from": "${__from}", "to": "${__to}"}}
    panes = json.dumps({"logs": pane}, separators=(",", ":"))
    return f"/explore?schemaVersion=1&panes={quote(panes, safe='${}')}"


def group_link() -> dict[str, object]:
    """From a row of a table to the dashboard of its group."""
    fields = "&".join(f"var-{name}=${{__data.fields.{shown}}}" for name, shown in _FIELDS.items())
    url = f"/d/{GROUP_UID}?var-datasource=${{datasource}}&{fields}&from=${{__from}}&to=${{__to}}"
    return {"title": "Show this TaskGroup", "url": url, "targetBlank": False}


_FIELDS = {"namespace": "Namespace", "taskgroup": "TaskGroup"}
