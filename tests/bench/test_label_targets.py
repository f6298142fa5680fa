import numpy as np

from bench._label_targets import labels_needed, reached, show_reached

CURVES = {
    "random": np.array([[0.5, 0.70, 0.72], [0.5, 0.74, 0.74]]),  # mean 0.5, 0.72, 0.73
    "ours": np.array([[0.5, 0.76, 0.78]]),
}


def test_it_takes_the_mean_over_seeds_and_says_never():
    # 0.8 of full data: aims of 0.72 and 0.76
    assert labels_needed(0.8, [25, 50, 75], CURVES["random"]) == [50, None]
    assert labels_needed(0.8, [25, 50, 75], CURVES["ours"]) == [50, 50]


def test_there_is_a_figure_of_every_strategy_and_share_with_its_reason_where_there_is_none():
    found = {
        figure.name.removeprefix("label_efficiency."): figure
        for figure in reached("toy", 0.8, [25, 50, 75], CURVES, {"small-text.contrastive": "not there"})
    }
    assert found["labels_to_90.toy.random"].value == 50
    assert found["labels_to_95.toy.random"].value is None
    assert found["labels_to_95.toy.ours"].against == "full data 0.8000; of 75 labels, 1 seeds"
    assert found["labels_to_95.toy.small-text.contrastive"].skipped == "not there"
    assert len(found) == 6


def test_it_prints_a_dash_for_never(capsys):
    show_reached("toy", 0.8, [25, 50, 75], CURVES, {"small-text.contrastive": "not there"})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "toy: full-data accuracy 0.8000; 90% of it 0.7200, 95% of it 0.7600"
    assert lines[2].split() == ["random", "2", "50", "–"]
    assert lines[4] == f"{'small-text.contrastive':32} skipped: not there"
