from xml.etree import ElementTree

from scripts.draw_strategies import PICKS, draw
from selection.strategies.registry import strategy_named


def test_it_draws_pool_labelled_items_and_picks_the_same_each_time():
    drawn = draw(strategy_named("mmr"))
    assert drawn == draw(strategy_named("mmr"))
    paths = ElementTree.fromstring(drawn).findall("{http://www.w3.org/2000/svg}path")
    assert [path.get("d").count("M") for path in paths] == [315, 6, PICKS, PICKS]
