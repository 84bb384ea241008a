"""The first wording of a task, and whether it names the task."""

import pytest

from tuneoff.data.wording import word


@pytest.mark.parametrize(
    ("input", "answer", "labels", "instruction"),
    [
        (["question"], "answer", (), "Answer the question."),
        (["context", "question"], "answer", (), "Read the context and answer the question."),
        (["passage", "question"], "label", ("false", "true"), "Read the passage and answer the question."),
        (["question"], "sql", (), "Write the SQL query that answers the question."),
        (["columns", "question"], "sql", (), "Write the SQL query that answers the question."),
        (["document"], "summary", (), "Summarise the document."),
        (["article"], "headline", (), "Write a headline for the article."),
        (["en"], "deu", (), "Translate the text from English into German."),
        (["mail"], "reply", (), "Write the reply to the mail."),
        (["triples"], "text", (), "Write a text that says what the triples say."),
        (["premise", "hypothesis"], "label", ("entailment", "neutral"), "Does the hypothesis follow from the premise?"),
        (["text"], "label", ("ham", "spam"), "Is the text ham or spam?"),
        (["title", "body"], "label", ("ham", "spam"), "Are the title and the body ham or spam?"),
        (["turns"], "category", tuple("abcd"), "Which category do the turns belong to?"),
        (["class"], "category", tuple("abcd"), "Which category does the class belong to?"),
        (["tweet"], "emotion", ("anger", "joy", "fear", "love"), "Which emotion does the tweet express?"),
        (["text"], "intent", ("a_b", "c_d", "e_f", "g_h"), "Which intent does the text have?"),
        (
            ["subject", "body"],
            "category",
            ("a", "b", "c", "d"),
            "Which category do the subject and the body belong to?",
        ),
    ],
)
def test_tasks_that_the_names_tell(input, answer, labels, instruction):
    assert word(input, answer, labels, title="x") == (instruction, True)


def test_several_right_texts_of_a_table():
    assert (
        word(["mr"], "refs", several=True).instruction == "Write a text that says what the meaning representation says."
    )


@pytest.mark.parametrize(
    ("input", "answer", "labels", "title", "instruction"),
    [
        (["input"], "output", (), "disfl_qa", "Read the input and write the answer, as in disfl_qa."),
        (["input"], "refs", (), "scitldr", "Summarise the input."),
        (["text"], "label", tuple("abcd"), "clinc150", "Which label of clinc150 fits the text?"),
        (["text"], "label", tuple("abcd"), "ag_news", "Which topic is the text about?"),
        (["text"], "label", ("against", "favor", "none"), "stance", "Is the text against, favor or none?"),
        (["text"], "label", ("true", "false"), "wic", "Which label of wic fits the text?"),
        (["text"], "rating", tuple("abcd"), "x", "Which rating does the text have?"),
    ],
)
def test_a_guess_is_marked_as_one(input, answer, labels, title, instruction):
    assert word(input, answer, labels, title=title, several=answer == "refs") == (instruction, False)
