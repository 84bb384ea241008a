"""report.html: whole in one file, and safe whatever a record says."""

import re
from html.parser import HTMLParser

import pytest

from made_run import NASTY, TEXTS, finished, standing, unfinished, verdict
from tuneoff.core.errors import StudyError
from tuneoff.report.html import write_report


class Page(HTMLParser):
    """What a browser would load or run, and the headings."""

    def __init__(self, text: str):
        super().__init__()
        self.loads, self.handlers, self.scripts, self.headings, self.policy, self._in, self._class = (
            [],
            [],
            0,
            [],
            "",
            "",
            "",
        )
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name in ("src", "srcset", "action", "data") or (tag == "link" and name == "href"):
                self.loads.append(value)
            if name.startswith("on"):
                self.handlers.append((tag, name))
        table = dict(attrs)
        self.scripts += tag == "script"
        if table.get("http-equiv") == "Content-Security-Policy":
            self.policy = table["content"]
        self._in, self._class = tag, table.get("class")

    def handle_data(self, data):
        if (self._in in ("h1", "h2") or (self._in, self._class) == ("span", "arm")) and data.strip():
            self.headings.append(data.strip())


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    return write_report(finished(tmp_path_factory.mktemp("run")), TEXTS).read_text(encoding="utf-8")


def test_nothing_is_loaded_from_anywhere(text):
    page = Page(text)
    assert page.loads == []
    assert page.handlers == []
    own = text.replace(_plotly(text), "")
    assert "http://" not in own
    assert "https://" not in own


def _plotly(text):
    return max(re.findall(r"<script>(.*?)</script>", text, flags=re.S), key=len)


def test_plotly_is_in_it_once(text):
    assert text.count("* plotly.js v") == 1


def test_record_text_is_shown_and_not_run(text):
    assert NASTY not in text
    assert "&lt;script&gt;alert(&#39;owned&#39;)&lt;/script&gt;" in text
    assert Page(text).scripts == 3  # the figures' data, plotly, our own


def test_policy_allows_only_the_two_scripts_by_their_hashes(text):
    page = Page(text)
    assert page.policy.startswith("default-src 'none'; script-src 'sha256-")
    scripts = page.policy.split(";")[1]
    assert scripts.count("sha256-") == 2
    assert "unsafe" not in scripts


def test_figures_cannot_close_their_script(tmp_path):
    rows = (standing("</script><script>alert(1)</script>", 0.8),)
    text = write_report(finished(tmp_path, verdict(standings=rows))).read_text(encoding="utf-8")
    assert "<script>alert(1)" not in text
    assert Page(text).scripts == 3


def test_verdict_comes_first_and_all_sections_follow(text):
    assert Page(text).headings == [
        "Use",
        "lora",
        "Why",
        "Keep in mind",
        "Results",
        "Quality against cost",
        "Differences between arms",
        "Learning curves",
        "What would change this",
        "Errors of lora",
        "Where the arms disagree",
        "Data, machine and settings",
        "Run it again",
        "How to read this page",
    ]
    parts = ("tweets &lt;b&gt;", "lora wins: accuracy", 'id="plot-standings"', "<li>Tuning pays.</li>", "<h2>Results")
    places = [text.index(part) for part in parts]
    assert places == sorted(places), "the answer, the picture, the reasons, the evidence"


def test_each_arm_stands_in_a_row_of_its_own(text):
    for arm in ("lora", "few_shot", "zero_shot", "full"):
        assert re.search(rf'<th scope="row">{arm}\b', text)
    assert "failed: out of memory at the first step" in text


def test_unknown_is_not_zero(text):
    assert re.search(r'<th scope="row">gpu</th><td>not measured</td>', text)
    costs = text.partition("<summary>All costs")[2].partition("</details>")[0]
    assert re.search(r"few_shot</th>\s*(<td[^>]*><span>[^<]*</span></td>){4}<td[^>]*><span>-</span></td>", costs)


def test_without_texts_the_ids_stand_alone(tmp_path):
    text = write_report(finished(tmp_path)).read_text(encoding="utf-8")
    assert "record <code>record1</code>" in text
    assert "<blockquote>" not in text


def test_another_place_than_the_run_folder(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    path = write_report(finished(folder), out=tmp_path / "elsewhere.html")
    assert path == tmp_path / "elsewhere.html"
    assert path.is_file()
    assert not (folder / "report.html").exists()


def test_no_verdict_no_page(tmp_path):
    with pytest.raises(StudyError, match="no verdict yet"):
        write_report(unfinished(tmp_path))
    assert not (tmp_path / "report.html").exists()


def test_front_trials_and_changes_are_told(text):
    assert '<th scope="row">lora <span class="chip">Pareto front</span></th>' in text
    assert "no arm is better for fewer prompt tokens per request than lora" in text
    assert "Settings tried, each judged on validation records: peft 1 (lora 1); prompting 3 (few_shot 2, zero" in text
    assert "<li>A larger budget would have room for more: the second and third seed of full.</li>" in text
    assert "as good for less: fewest prompt tokens per request, then the smallest artifact" in text
    assert 'colspan="6">failed: out of memory' in text


def test_scores_and_ruled_out_arms(tmp_path):
    rows = (
        standing("lora", 0.8, score=79.5),
        standing("full", None, status="ruled out", why="9 MB to keep, the limit is 5", validation=0.9),
    )
    decision = {
        "cost": "serving",
        "prefer": "cheapest",
        "limits": {"max_artifact_mb": 5.0},
        "weights": {"serving": 0.01},
    }
    judged = verdict(standings=rows, contrasts=(), facts={**verdict().facts, "decision": decision})
    text = write_report(finished(tmp_path, judged)).read_text(encoding="utf-8")
    assert 'colspan="7">over a limit: 9 MB to keep, the limit is 5 (on validation: 90.0 %)' in text
    assert '<th scope="col" class=num>score</th>' in text
    assert 'data-head="score"><span>79.50</span>' in text
    assert "the highest score of those that may be the best: quality minus its costs" in text
    assert re.search(r"limits: max_artifact_mb</th><td>5</td>", text)


def test_an_unfinished_arm_has_a_badge_and_the_heading_is_one_so_far(tmp_path):
    rows = verdict().standings
    soft = standing("soft_prompt", 0.7, training="unknown")
    judged = verdict(standings=(rows[0], soft, *rows[1:]), facts={**verdict().facts, "unfinished": ["soft_prompt"]})
    text = write_report(finished(tmp_path, judged)).read_text(encoding="utf-8")
    assert '<h1>So far <span class="arm">lora</span></h1>' in text
    assert '<span class="chip">recommended so far</span>' in text
    assert '<span class="chip">unfinished</span>' in text
    assert "ruled out as the best so far" in text


def test_all_right_answers_of_a_record_are_shown():
    from tuneoff.data.record import Record
    from tuneoff.report.folder import texts_of

    one = Record(fields={"q": "Who?"}, target="Ann")
    several = Record(fields={"q": "When?"}, target="in 1969", alternatives=("1969",))
    assert texts_of([one, several]) == {one.id: ("Who?", "Ann"), several.id: ("When?", "in 1969 | 1969")}
