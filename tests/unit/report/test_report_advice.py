"""The first opinion in words, in the terminal and on the page."""

import io
from dataclasses import replace

from rich.console import Console

from made_advice import estimate, factors, quantity, uniqueness, written
from made_run import NASTY, finished
from tuneoff.report.advice import factor_lines, order_lines, reason_lines
from tuneoff.report.details import paint_details
from tuneoff.report.facts import facts
from tuneoff.report.folder import open_ledger, read_verdict
from tuneoff.report.html import page
from tuneoff.study.advice.advice import ADVICE, advise, write_advice
from tuneoff.study.advice.factors import Control


def lines(made=None):
    return factor_lines(advise(made or factors()))


def gathered(folder, made=None):
    finished(folder)
    if made is not None:
        write_advice(advise(made), folder / ADVICE)
    return facts(read_verdict(folder), open_ledger(folder), folder=folder)


def test_factors_of_a_choice():
    told = lines()
    assert told["data alignment"] == [
        "inputs: 1.30 bits per byte (95 % interval 1.25 to 1.35, n 64); general text in pieces as long: "
        "1.20 bits per byte (95 % interval 1.15 to 1.25, n 64)",
        "answers, given the inputs: 0.90 bits per byte (95 % interval 0.85 to 0.95, n 64); general text in pieces as "
        "long: 1.00 bits per byte (95 % interval 0.95 to 1.05, n 64)",
    ]
    assert told["task uniqueness"][0].startswith("chance 25 %; always saying 'anger' 40 %")
    assert told["task uniqueness"][2] == (
        "few_shot: accuracy 60 % (95 % interval 55 to 65 %, n 64); +20 points (+15 to +25) over always "
        "saying the same; -10 points (-15 to -5) over the classifier"
    )
    assert told["data quantity"][0] == (
        "400 training records, 3 duplicates removed before; 4 classes, 100 records per class, the smallest "
        "'optimism' with 60"
    )
    assert told["data quantity"][2].endswith("not shown to rise any more")
    assert told["compute"][0] == (
        "a model of 2 G parameters; the study takes 8 min 20 s at best, 15 min at worst, peak memory 1 GB"
    )
    assert told["limits"] == ["none set under [decision]"]


def test_factors_of_free_text():
    told = lines(written(compute=None))
    assert told["data quantity"] == ["400 training records"]
    assert told["task uniqueness"][0] == "zero_shot: token F1 50 % (95 % interval 45 to 55 %, n 10)"
    assert told["compute"] == ["a model of 2 G parameters; time is forecast by the run"]


def test_what_is_asked_for():
    asked = Control(ruled_out={"full fine-tuning": "why not"}, later=("max_latency_ms = 100",))
    assert lines(factors(control=asked))["limits"] == [
        "full fine-tuning: left out, no_weights_access is set",
        "max_latency_ms = 100: checked for each arm once it is measured",
    ]
    told = order_lines(advise(factors(control=asked)).opinion)
    assert told[0] == "1. parameter-efficient fine-tuning (+1)"
    assert "6. instruction tuning (+0, not in this study)" in told
    assert told[-1] == "-  full fine-tuning: why not"


def test_reasons_have_their_source_and_stand_once():
    made = factors(quantity=quantity(records=20, classes=4, rise=estimate(0.1)))
    told = reason_lines(advise(made).opinion)
    (few,) = [line for line in told if "few records per class (5)" in line]
    assert few.startswith("parameter-efficient fine-tuning +1, full fine-tuning -1: ")
    assert few.endswith("at 20 to 70 records]")
    assert told[-1].startswith("a classifier of words still gains 10.0 points (95 % interval 5 to 15)")


def test_the_terminal_tells_what_came_of_it(tmp_path):
    out = io.StringIO()
    paint_details(gathered(tmp_path, factors(families={"few_shot": "prompting"})), Console(file=out, width=80))
    text = out.getvalue()
    assert "The recommendation before training" in text
    assert "- The rules recommended prompting. That was wrong" in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_the_page_tells_it_too_and_shows_texts_as_texts(tmp_path):
    nasty = factors(families={"few_shot": "prompting"}, uniqueness=uniqueness(majority_label=NASTY))
    near = replace(nasty.uniqueness.prompts[1], over_majority=estimate(0.01))
    text = page(gathered(tmp_path, replace(nasty, uniqueness=replace(nasty.uniqueness, prompts=(near,)))))
    assert '<section id="opinion">' in text
    assert '<section id="opinion">' in text
    assert "The rules recommended " in text
    assert "always saying" in text
    assert NASTY not in text


def test_without_advice_nothing_is_said(tmp_path):
    made = gathered(tmp_path)
    assert made.advised is None
    assert 'id="opinion"' not in page(made)
