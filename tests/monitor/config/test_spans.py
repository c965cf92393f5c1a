import pytest

from monitor.config.spans import parse_span


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("15 min", 900),
        ("15min", 900),
        ("90 s", 90),
        ("1.5 h", 5400),
        ("2 Days", 172_800),
        ("2 weeks", 1_209_600),
    ],
)
def test_spans_are_read_as_people_write_them(text: str, seconds: float) -> None:
    assert parse_span(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "15", "min", "-5 min", "0 s", "5 parsec", "5 min x", "1e3 s", "31 d"]
)
def test_what_is_no_span_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ValueError, match="expected a span of time") as error:
        parse_span(text)
    assert "\n" not in str(error.value)


def test_what_is_no_learning_may_be_longer() -> None:
    assert parse_span("90 d", 100 * 86_400) == 90 * 86_400
    with pytest.raises(ValueError, match="at most 100 days"):
        parse_span("101 d", 100 * 86_400)
    with pytest.raises(ValueError, match="at most 30 days"):
        parse_span("9" * 400 + "d")
