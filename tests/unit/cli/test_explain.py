"""tuneoff explain."""

from typer.testing import CliRunner

from tuneoff.cli.main import app

RUN = CliRunner()


def test_a_word_of_two_parts_needs_no_quotes():
    result = RUN.invoke(app, ["explain", "prompt", "tuning"])
    assert result.exit_code == 0
    assert "arXiv 2104.08691" in " ".join(result.stdout.split())


def test_without_a_word_all_are_listed():
    result = RUN.invoke(app, ["explain"])
    assert result.exit_code == 0
    for word in ("prompting", "prompt tuning", "instruction tuning", "full fine-tuning", "holm"):
        assert word in result.stdout


def test_unknown_word():
    result = RUN.invoke(app, ["explain", "promt", "tuning"])
    assert result.exit_code == 2
    assert "error: no entry for 'promt tuning'" in result.stderr
    assert "did you mean 'prompt tuning'?" in result.stderr
