"""What is drawn of a chart that is not whole."""

import asyncio

import numpy as np
from textual.app import App, ComposeResult
from textual_plot.plot_widget import Legend

from monitor.tui.themes import palette
from monitor.tui.widgets.chart import Chart, Shade


class OneChart(App[None]):
    """Nothing but a chart."""

    def compose(self) -> ComposeResult:
        """It."""
        yield Chart(id="chart")


def test_a_chart_whose_parts_are_gone_or_not_there_yet_draws_nothing() -> None:
    async def body() -> None:
        app = OneChart()
        async with app.run_test() as pilot:
            chart = app.query_one(Chart)
            levels = np.linspace(0, 2, 40, dtype=np.float32)
            await chart.query(Legend).remove()
            chart.draw(levels, 0.0, 60.0, [Shade(10.0, 20.0)], palette(app.theme_variables))
            await pilot.pause()
            assert chart._datasets == []

    asyncio.run(body())
