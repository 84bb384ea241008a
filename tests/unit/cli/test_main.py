"""The command line's frame: help, version, and how mistakes leave."""

import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from tuneoff import __version__
from tuneoff.cli import main
from tuneoff.core.errors import ConfigError, DataError

RUN = CliRunner()


def app_with(action) -> typer.Typer:
    app = typer.Typer(cls=main.Verbs, pretty_exceptions_enable=False)
    app.callback()(lambda: None)
    app.command("act")(action)
    return app


def raises(error):
    def act() -> None:
        raise error

    return app_with(act)


def test_mistake_is_printed_without_traceback_and_leaves_with_2():
    error = DataError("broken line", where="tickets.jsonl:17", fix="fix that line")
    result = RUN.invoke(raises(error), ["act"])
    assert result.exit_code == 2
    assert result.stderr == "error: broken line\n  where:   tickets.jsonl:17\n  fix:     fix that line\n"
    assert result.stdout == ""


def test_text_of_a_mistake_is_no_markup():
    result = RUN.invoke(raises(ConfigError("unknown key '[bold]'")), ["act"])
    assert "unknown key '[bold]'" in result.stderr


def test_interrupt_says_that_nothing_is_lost():
    result = RUN.invoke(raises(KeyboardInterrupt()), ["act"])
    assert result.exit_code == 130
    assert "interrupted; nothing finished is lost; type the same command to go on" in result.stderr


def test_a_bug_keeps_its_traceback():
    result = RUN.invoke(raises(ZeroDivisionError("ours")), ["act"])
    assert isinstance(result.exception, ZeroDivisionError)


def test_version():
    result = RUN.invoke(main.app, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"tuneoff {__version__}\n")


def test_no_arguments_show_the_help():
    result = RUN.invoke(main.app, [])
    assert "Usage" in result.output
    assert "explain" in result.output


def test_mistyped_verb_names_the_nearest():
    result = RUN.invoke(main.app, ["shwo"])
    assert result.exit_code == 2
    assert "Did you mean 'show'?" in result.output


@pytest.mark.parametrize("verb", ["show", "report", "explain"])
def test_each_verb_has_help(verb):
    result = RUN.invoke(main.app, [verb, "--help"])
    assert result.exit_code == 0
    assert "Usage" in result.stdout


def test_help_imports_nothing_heavy():
    heavy = ("torch", "transformers", "pandas", "scipy", "sklearn", "statsmodels", "plotly", "pyarrow", "datasets")
    code = f"import sys, tuneoff.cli.main; print([name for name in {heavy} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
