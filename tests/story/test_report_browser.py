"""report.html in a real browser: plotly draws, a record's script does not run, nothing is cut off at the edge."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from made_run import TEXTS, finished, standing, verdict
from tuneoff.report.html import write_report

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium on the PATH"),
]


def opened(page: Path, home: Path) -> tuple[str, list[str]]:
    """(the page's DOM after its scripts have run, what stands in the console)."""
    flags = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={home}", "--enable-logging=stderr"]
    flags += ["--window-size=1600,1000", "--allow-file-access-from-files"]
    command = [BROWSER, *flags, "--virtual-time-budget=5000", "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def outside_scripts(dom: str) -> str:
    return re.sub(r"<script.*?</script>", "", dom, flags=re.S)


@pytest.fixture
def page(tmp_path):
    return write_report(finished(tmp_path), TEXTS)


def test_all_figures_are_drawn_and_the_console_is_empty(page, tmp_path):
    dom, console = opened(page, tmp_path / "home")
    assert console == []
    drawn = outside_scripts(dom)
    for name in ("standings", "quality", "curves"):
        place = drawn[drawn.index(f'id="plot-{name}"') :]
        assert 'class="main-svg"' in place[: place.index("</figure>")]
    assert "@accent" not in drawn


def test_an_injected_script_is_stopped_by_the_policy(page, tmp_path):
    text = page.read_text(encoding="utf-8")
    page.write_text(text.replace("</main>", "<script>document.body.id = 'owned'</script></main>"), encoding="utf-8")
    dom, console = opened(page, tmp_path / "home")
    assert '<body id="owned"' not in dom
    assert any("Content Security Policy" in line for line in console)


FRAME = """<!doctype html><iframe id="page" src="{name}" style="width:{width}px;height:900px;border:0"></iframe>
<script>
const out = (root) => [...root.querySelectorAll("body *")].filter((one) =>
  one.getBoundingClientRect().right > root.clientWidth + 1 && !one.closest(".scroll, pre, .plot"));
addEventListener("load", () => setTimeout(() => {{
  const root = document.getElementById("page").contentDocument.documentElement;
  const found = out(root).map((one) => one.outerHTML.slice(0, 80));
  document.title = `${{root.scrollWidth - root.clientWidth}} pixels: ${{found}}`;
}}, 2000));
</script>"""
LONG = "instruction_tuning -> lora + soft_prompt_after"


def beyond_the_edge(page, width):
    """What a frame of that width cuts off. (A frame, as a window is at least 500 pixels wide.)"""
    frame = page.with_name("frame.html")
    frame.write_text(FRAME.format(name=page.name, width=width), encoding="utf-8")
    dom, _ = opened(frame, page.with_name("home"))
    return re.search("<title>(.*?)</title>", dom, flags=re.S).group(1)


@pytest.mark.parametrize("width", [1300, 400])
def test_nothing_is_wider_than_the_screen(tmp_path, width):
    rows = tuple(
        standing(f"{name} {number}", 0.8 - number / 50, others={"macro_f1": 0.7, "nll": 1.2}, family="combination")
        for number, name in enumerate([LONG, "x" * 60, "few_shot (calibrated)"])
    )
    judged = verdict(standings=(*rows, *verdict().standings), contrasts=verdict().contrasts)
    assert beyond_the_edge(write_report(finished(tmp_path, judged), TEXTS), width) == "0 pixels: "


def test_what_is_wider_is_seen(page):
    text = page.read_text(encoding="utf-8")
    page.write_text(text.replace("</main>", '<div style="width: 2000px">wide</div></main>'), encoding="utf-8")
    assert "2000px" in beyond_the_edge(page, 400)
