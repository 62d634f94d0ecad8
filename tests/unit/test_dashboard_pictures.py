"""What the pictures of dashboards are made of: filled queries, units, ticks, names and joined rows."""

import pytest
from dashboards.drawing.appearance import appearance
from dashboards.drawing.naming import series_name
from dashboards.drawing.tables import merged, organized
from dashboards.drawing.theme import TEXT, color_of
from dashboards.drawing.units import shown, ticks
from dashboards.prometheus import Series
from dashboards.queries import Answer, Panel, Target
from dashboards.substitution import Values, Window

HOUR = Window(1000, 4600)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0, "short", "0"),
        (100, "short", "100"),
        (4321.4, "short", "4321"),
        (12_345, "short", "12.3 K"),
        (12_345, "none", "12345"),
        (0.01234, "short", "0.012"),
        (0.5, "percentunit", "50 %"),
        (0.0004, "s", "400 µs"),
        (90, "s", "1.5 min"),
        (3661, "dthms", "01:01:01"),
        (-30, "dthms", "-00:00:30"),
        (671_088_640, "bytes", "640 MiB"),
        (2500, "Bps", "2.5 kB/s"),
        (0, "dateTimeAsIso", "1970-01-01 00:00:00"),
        (float("nan"), "short", ""),
    ],
)
def test_values_read_as_in_grafana(value: float, unit: str, text: str) -> None:
    assert shown(value, unit) == text


@pytest.mark.parametrize(
    ("high", "unit", "expected"),
    [
        (9, "short", [0, 2, 4, 6, 8]),
        (170, "s", [0, 60, 120]),
        (0.9, "s", [0, 0.2, 0.4, 0.6, 0.8]),
        (900 * 2**20, "bytes", [0, 200 * 2**20, 400 * 2**20, 600 * 2**20, 800 * 2**20]),
    ],
)
def test_an_axis_has_round_values_in_its_own_unit(high: float, unit: str, expected: list[float]) -> None:
    assert ticks(0, high, unit) == pytest.approx(expected)


def test_an_axis_of_whole_things_has_no_halves() -> None:
    assert ticks(0, 2, "short", only_whole=True) == [0, 1, 2]


def test_variables_are_filled_in_as_grafana_does() -> None:
    values = Values(HOUR, {"namespace": "shop"})
    assert values.fill('x{namespace="$namespace"}[$__range:1m] ${namespace} $other') == (
        'x{namespace="shop"}[3600000ms:1m] shop $other'
    )


@pytest.mark.parametrize(("scrape", "step", "rate"), [(15, 15, 60), (1, 9, 10), (60, 60, 240)])
def test_rates_span_several_scrapes_and_never_less_than_a_step(scrape: float, step: float, rate: float) -> None:
    window = Window(1000, 4600, scrape)
    assert (window.step, window.rate_interval) == (step, rate)


def target(letter: str, legend: str = "") -> Target:
    return Target(letter, "up", legend, is_range=False)


def table(**options: object) -> Panel:
    raw = {"transformations": [{"id": name, "options": value} for name, value in options.items()]}
    return Panel(1, "table", "table", (), raw)


def answer(letter: str, *series: tuple[dict[str, str], float]) -> Answer:
    found = tuple(Series(labels, ((0.0, float(value)),)) for labels, value in series)
    return Answer(table(), target(letter), "up", found)


def test_a_name_has_its_labels_filled_in() -> None:
    series = Series({"namespace": "shop"}, ((0.0, 1.0),))
    assert series_name(target("A", "{{namespace}} {{pod}}"), series) == "shop"


def test_answers_with_the_same_labels_are_one_row() -> None:
    a, b = {"taskgroup": "a"}, {"taskgroup": "b"}
    rows = merged((answer("A", (a, 1), (b, 2)), answer("B", (a | {"reason": "Evicted"}, 1)), answer("C", (b, 3))))
    assert rows == [
        {"taskgroup": "a", "Value #A": 1, "Value #B": 1, "reason": "Evicted"},
        {"taskgroup": "b", "Value #A": 2, "Value #C": 3},
    ]


def test_columns_have_their_names_and_order_and_rows_theirs() -> None:
    organize = {
        "excludeByName": {"Value #B": True},
        "indexByName": {"Value #A": 0, "taskgroup": 1},
        "renameByName": {"Value #A": "Left", "taskgroup": "TaskGroup"},
    }
    panel = table(organize=organize, sortBy={"sort": [{"field": "Left", "desc": True}]})
    rows = merged((answer("A", ({"taskgroup": "a"}, 1), ({"taskgroup": "b"}, 2)), answer("B", ({"taskgroup": "c"}, 1))))
    columns, ordered = organized(panel, rows)
    assert columns == ["Left", "TaskGroup"]
    assert [row["TaskGroup"] for row in ordered] == ["b", "a", "c"]


def test_a_value_has_the_colour_of_the_limit_that_it_has_reached() -> None:
    steps = [{"value": None, "color": "green"}, {"value": 1, "color": "red"}]
    override = {
        "matcher": {"id": "byName", "options": "calm"},
        "properties": [{"id": "thresholds", "value": {"steps": [{"value": None, "color": "text"}]}}],
    }
    config = {"defaults": {"thresholds": {"steps": steps}}, "overrides": [override]}
    panel = Panel(1, "figure", "stat", (), {"fieldConfig": config})
    assert [appearance(panel, "any").color(value) for value in (0.5, 1)] == [color_of("green"), color_of("red")]
    assert appearance(panel, "calm").color(5) == TEXT
