"""The figures: plotly accepts them, and they show what they should."""

import json
import re

import plotly.graph_objects as go
import pytest

from made_run import finished, standing, verdict
from tuneoff.report import plots
from tuneoff.report.facts import facts
from tuneoff.report.folder import open_ledger, read_verdict
from tuneoff.report.svg import standings_svg


@pytest.fixture
def made(tmp_path):
    finished(tmp_path)
    return facts(read_verdict(tmp_path), open_ledger(tmp_path), folder=tmp_path)


def all_figures(made):
    views = [*plots.quality(made), *plots.curves(made)]
    return [plots.standings(made), *(view["figure"] for view in views)]


def coloured(figure):
    """As the page draws it: a colour for every @word."""
    return json.loads(re.sub(r'"@\w+"', '"#000000"', json.dumps(figure)))


def test_plotly_accepts_every_figure(made):
    for figure in all_figures(made):
        go.Figure(coloured(figure))


def test_plotly_would_refuse_a_wrong_one(made):
    figure = coloured(plots.standings(made))
    figure["layout"]["heihgt"] = 3
    with pytest.raises(ValueError, match="heihgt"):
        go.Figure(figure)


def test_standings_draw_the_interval_in_per_cent(made):
    trace = plots.standings(made)["data"][0]
    assert trace["x"] == [pytest.approx(81.2)]
    assert trace["error_x"]["array"] == [pytest.approx(4.0)]
    assert trace["error_x"]["arrayminus"] == [pytest.approx(4.0)]


def test_best_arm_stands_at_the_top(made):
    assert plots.standings(made)["layout"]["yaxis"]["categoryarray"][-1] == "lora"


def test_zero_has_its_own_place_on_the_log_axis(made):
    view = next(view for view in plots.quality(made) if view["name"] == "trainable parameters")
    axis = view["figure"]["layout"]["xaxis"]
    assert axis["ticktext"][axis["tickvals"].index(min(axis["tickvals"]))] == "0"
    others = view["figure"]["data"][1]
    assert set(others["x"]) == {min(axis["tickvals"])}


def test_dots_that_lie_together_share_a_label(tmp_path):
    rows = [standing(arm, mean) for arm, mean in (("lora", 0.812), ("zero_shot", 0.603), ("few_shot", 0.741))]
    rows += [standing(f"{name} <b>", 0.604, cost=rows[1].cost) for name in ("twin", "third", "fourth")]
    finished(tmp_path, verdict(standings=tuple(rows), contrasts=()))
    made = facts(read_verdict(tmp_path), open_ledger(tmp_path), folder=tmp_path)
    view = next(view for view in plots.quality(made) if view["name"] == "prompt tokens per request")
    labels = [text for trace in view["figure"]["data"] for text in trace.get("text", ())]
    assert sorted(labels) == ["", "", "", "few_shot", "lora", "zero_shot, twin &lt;b&gt; and 2 more"]


def test_long_names_are_folded_between_words(tmp_path):
    long = "instruction_tuning -> lora + soft_prompt_after"
    finished(tmp_path, verdict(standings=(standing(long, 0.8), standing("a <b>", 0.7)), contrasts=()))
    made = facts(read_verdict(tmp_path), open_ledger(tmp_path), folder=tmp_path)
    axis = plots.standings(made)["layout"]["yaxis"]
    assert axis["ticktext"] == ["a &lt;b&gt;", "instruction_tuning -&gt;<br>lora +<br>soft_prompt_after"]
    assert axis["tickvals"] == axis["categoryarray"]


def test_no_zero_on_an_axis_that_has_none(made):
    view = next(view for view in plots.quality(made) if view["name"] == "prompt tokens per request")
    assert "0" not in view["figure"]["layout"]["xaxis"]["ticktext"]


def test_curves_leave_gaps_out_and_name_an_arm_once(made):
    value, likely, loss = plots.curves(made)
    assert value["figure"]["data"][0]["x"] == [125, 250, 500]
    assert loss["figure"]["data"][0]["x"] == likely["figure"]["data"][0]["x"] == [125, 250, 375, 500]
    assert likely["figure"]["data"][0]["y"] == [pytest.approx(20.0 * step) for step in (1, 2, 3, 4)]
    assert [line["showlegend"] for line in value["figure"]["data"]] == [True, False, False]


def test_an_end_too_early_is_marked(made, tmp_path):
    for view in plots.curves(made):
        assert set(view["figure"]["data"][0]["marker"]["symbol"]) == {"circle"}
    (tmp_path / "early").mkdir()
    finished(tmp_path / "early", early=True)
    early = facts(read_verdict(tmp_path / "early"), open_ledger(tmp_path / "early"), folder=tmp_path)
    for view in plots.curves(early):
        line = view["figure"]["data"][0]
        assert line["marker"]["symbol"][-1] == "circle-open"
        assert line["hovertext"][-1].endswith("stopped before the curve was flat")
        go.Figure(coloured(view["figure"]))


def test_dotted_line_is_the_best_arm_that_is_not_tuned(made):
    layout = plots.curves(made)[0]["figure"]["layout"]
    assert layout["shapes"][0]["y0"] == pytest.approx(70.0)
    assert layout["annotations"][0]["text"] == "few_shot, not tuned"


def test_names_are_escaped_for_plotly(tmp_path):
    finished(tmp_path, verdict(standings=(standing("<a href='x'>lora</a>", 0.8),)))
    made = facts(read_verdict(tmp_path), open_ledger(tmp_path), folder=tmp_path)
    assert "<a " not in json.dumps(all_figures(made))


def test_svg_is_well_formed_and_marks_the_recommended_arm():
    from xml.etree import ElementTree

    rows = (standing("lora -> <soft>", 0.8), standing("zero_shot", 0.6), standing("full", None))
    picture = standings_svg(verdict(standings=rows, winners=("lora -> <soft>",), recommended="lora -> <soft>"))
    root = ElementTree.fromstring(picture)
    circles = [node.get("class") for node in root.iter("{http://www.w3.org/2000/svg}circle")]
    assert circles == ["recommended", "tested"]
    words = [node.text for node in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "lora -> <soft>" in words
    assert "80.0 %" in words
    assert "full" not in words


def test_svg_places_dots_inside_and_in_order():
    from xml.etree import ElementTree

    rows = tuple(standing(f"arm{at}", mean) for at, mean in enumerate([0.9, 0.55, 0.2]))
    root = ElementTree.fromstring(standings_svg(verdict(standings=rows)))
    at = [float(node.get("cx")) for node in root.iter("{http://www.w3.org/2000/svg}circle")]
    assert 760 > at[0] > at[1] > at[2] > 0


def test_svg_of_a_loss_and_of_nothing():
    facts_ = {**verdict().facts, "up": False}
    loss = standings_svg(verdict(standings=(standing("lora", 0.41),), metric="nll", facts=facts_))
    assert "0.410 nats" in loss
    assert standings_svg(verdict(standings=())).startswith("<svg")


def test_front_is_drawn_on_the_chosen_cost_alone(tmp_path):
    rows = (standing("lora", 0.812), standing("few_shot", 0.74), standing("majority", 0.4, cost={"prompt_tokens": 0.0}))
    judged = verdict(standings=rows, facts={**verdict().facts, "front": ["majority", "lora"]}, contrasts=())
    finished(tmp_path, judged)
    made = facts(read_verdict(tmp_path), open_ledger(tmp_path), folder=tmp_path)
    first, *others = [view["figure"]["data"] for view in plots.quality(made)]
    steps = next(trace for trace in first if trace["mode"] == "lines")
    zero = min(plots.quality(made)[0]["figure"]["layout"]["xaxis"]["tickvals"])
    assert (steps["x"], steps["line"]["shape"]) == ([zero, 31.0], "hv")
    assert steps["y"] == [pytest.approx(40.0), pytest.approx(81.2)]
    assert all(trace["mode"] != "lines" for view in others for trace in view)
    go.Figure(coloured(plots.quality(made)[0]["figure"]))
