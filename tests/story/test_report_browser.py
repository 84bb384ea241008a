"""report.html in a real browser: plotly draws, nothing complains, and a record's script does not run."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from made_run import TEXTS, finished
from tuneoff.report.html import write_report

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium on the PATH"),
]


def opened(page: Path, home: Path) -> tuple[str, list[str]]:
    """(the page's DOM after its scripts have run, what stands in the console)."""
    flags = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={home}", "--enable-logging=stderr"]
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
