"""Charts as SVG, made on the server: pure functions from figures to a `Chart`. No Django here.

Looks come from classes alone (static/css/charts.css), so they follow the theme and pass a strict content
security policy. Every chart carries its figures as a table as well: `Chart.columns` and `Chart.rows`.
"""

from .bars import Bar, bar_chart
from .heat import heat_map
from .lines import Line, Point, line_chart
from .points import Dot, point_chart, scatter_chart
from .reliability import Bin, reliability_chart
from .svg import Chart, Svg

__all__ = [
    "Bar",
    "Bin",
    "Chart",
    "Dot",
    "Line",
    "Point",
    "Svg",
    "bar_chart",
    "heat_map",
    "line_chart",
    "point_chart",
    "reliability_chart",
    "scatter_chart",
]
