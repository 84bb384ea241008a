"""The advice on disk, and where the first opinion was right and wrong."""

import pytest

from made_advice import estimate, factors, prompted, uniqueness
from made_run import standing, verdict
from tuneoff.core.errors import StudyError
from tuneoff.study.advice.advice import advise, compare_opinion, read_advice, write_advice

PEFT = "parameter-efficient fine-tuning"


def judged(winners=("lora",), lora=0.73, soft=0.64, few=0.43, **more):
    rows = (
        standing("lora", lora, family=PEFT),
        standing("soft_prompt_after", soft, family="prompt tuning"),
        standing("few_shot", few, family="prompting"),
        standing("majority", 0.39, family="baseline"),
    )
    return verdict(standings=rows, winners=winners, recommended=winners[0], contrasts=(), **more)


def leaning_to_prompts():
    return advise(factors(uniqueness=uniqueness(prompts=(prompted("few_shot", 0.95, over_words=0.2),))))


def held(count, of):
    return f"{count} of {of} votes were right: for a family that ties for best, or against one that is beaten."


def test_it_is_kept_whole(tmp_path):
    advice = advise(factors(), "ground", 12.5)
    write_advice(advice, tmp_path / "advice.json")
    assert read_advice(tmp_path / "advice.json") == advice
    assert read_advice(tmp_path / "none.json") is None


@pytest.mark.parametrize("text", ["{", "{}", '{"factors": 3}'])
def test_what_cannot_be_read_is_said(tmp_path, text):
    (tmp_path / "advice.json").write_text(text)
    with pytest.raises(StudyError, match="the advice cannot be read"):
        read_advice(tmp_path / "advice.json")


def test_a_right_opinion():
    told = compare_opinion(advise(factors()), judged())
    assert told == [
        f"The rules recommended {PEFT}. That was right: lora has 73.0 %.",
        held(1, 1),
        "few_shot had 60 % (95 % interval 55 to 65 %, n 64) before training and 43.0 % on the test set: "
        "the sample misled.",
    ]


def test_a_wrong_opinion_says_by_how_much():
    told = compare_opinion(leaning_to_prompts(), judged())
    assert told[0] == (
        f"The rules recommended prompting. That was wrong: lora ({PEFT}) is 30.0 points ahead of few_shot, "
        "the best of it."
    )
    assert told[1] == held(1, 4)
    towards = [line for line in told if line.startswith("Wrong: for prompting (few_shot already reaches 95 %")]
    assert len(towards) == 1
    assert towards[0].endswith("few_shot, the best of it, is 30.0 points behind lora.")


def test_a_tie_is_no_defeat():
    told = compare_opinion(advise(factors()), judged(("lora", "soft_prompt_after")))
    assert told[0] == (
        f"The rules recommended {PEFT}: lora has the best figure (73.0 %), but "
        "soft_prompt_after (prompt tuning, 64.0 %) may be as good."
    )
    told = compare_opinion(leaning_to_prompts(), judged(("lora", "few_shot")))
    assert told[0] == (
        "The rules recommended prompting. That is open: few_shot (43.0 %) is not shown to be worse than "
        f"lora ({PEFT}), which is 30.0 points ahead."
    )


def test_a_family_that_was_spoken_against_and_did_well():
    against = advise(factors(parameters=135_000_000))
    told = compare_opinion(against, judged(("lora", "soft_prompt_after")))
    (line,) = [line for line in told if line.startswith("Wrong: against prompt tuning (the model has 135 M")]
    assert line.endswith("nothing beats soft_prompt_after (64.0 %).")
    assert held(1, 2) in told
    assert held(2, 2) in compare_opinion(against, judged())


def test_less_is_better_for_a_loss():
    facts = {**verdict().facts, "up": False}
    told = compare_opinion(leaning_to_prompts(), judged(lora=0.4, soft=0.6, few=0.9, facts=facts, metric="nll"))
    assert f"That was wrong: lora ({PEFT}) is 0.500 nats ahead of few_shot" in told[0]
    assert not any("the sample misled" in line for line in told)  # another metric than was sampled


def test_what_was_not_judged_is_said():
    rows = (standing("lora", None, family=PEFT, status="failed"), standing("few_shot", 0.6))
    told = compare_opinion(advise(factors()), verdict(standings=rows, winners=("few_shot",), contrasts=()))
    assert told == [f"The rules recommended {PEFT}; none of its arms was tested."]
    nothing = verdict(standings=(standing("lora", None, family=PEFT),), winners=(), contrasts=())
    assert compare_opinion(advise(factors()), nothing) == []


def test_no_family_of_the_study():
    told = compare_opinion(advise(factors(families={"mine": "trained elsewhere"})), judged())
    assert told[0] == "The rules recommended no family of this study."


def test_a_sample_that_held_is_not_mentioned():
    advice = advise(factors(uniqueness=uniqueness(prompts=(prompted("few_shot", 0.45),))))
    assert not any("misled" in line for line in compare_opinion(advice, judged()))
    assert estimate(0.45).low < 0.43 < estimate(0.45).high
