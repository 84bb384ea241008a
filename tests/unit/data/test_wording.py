"""The first wording of a task, and whether it names the task."""

import pytest

from tuneoff.data.label_names import name_labels
from tuneoff.data.wording import tells_truth, word


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
        (["text"], "intent", ("a_b", "c_d", "e_f", "g_h"), "Which intent does the text express?"),
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
        (["text"], "label", tuple("abcd"), "clinc150", "Which of these labels fits the text?"),
        (["text"], "label", ("alarm", "apr", "card arrival"), "x", "Is the text alarm, apr or card arrival?"),
        (["text"], "label", ("alarm", "apr", "top up", "pin"), "x", "Which of these is the text about?"),
        (["text"], "label", ("alarm", "apr", "top up", "pin"), "our bank", "Which intent does the text express?"),
        (["text"], "label", ("a1", "b2", "cars news", "home"), "ag_news", "Which topic is the text about?"),
        (["text"], "label", ("against", "favor", "none"), "stance_tax", "Which stance does the text take on tax?"),
        (["text"], "label", ("true", "false"), "wic", "Is what the text says true?"),
        (["text"], "label", ("0", "1"), "irony", "Is the text ironic?"),
        (["text"], "risk", ("low", "high"), "x", "Which priority does the text have?"),
        (["text"], "shade", tuple("abcd"), "x", "Which shade does the text have?"),
    ],
)
def test_a_guess_is_marked_as_one(input, answer, labels, title, instruction):
    assert word(input, answer, labels, title=title, several=answer == "refs") == (instruction, False)


@pytest.mark.parametrize(
    ("labels", "instruction"),
    [
        ("anger joy optimism sadness", "Which emotion does the text express?"),
        ("positive negative neutral", "What is the sentiment of the text?"),
        ("background method objective other result", "Which part of a scientific abstract is the text?"),
        ("Business Sci/Tech Sports World", "Which topic is the text about?"),
        ("against favor none", "Which stance does the text take?"),
        ("abbreviation description entity human location number", "What kind of answer does the text ask for?"),
        ("add_to_playlist book_restaurant get_weather rate_book", "Which intent does the text express?"),
        ("cancel_order change_order complaint get_invoice track_refund", "Which intent does the text express?"),
        ("not_well-formed well-formed", "Is the text well-formed or not well-formed?"),
        ("irony non_irony", "Is the text ironic?"),
        ("entailment not_entailment contradiction", "Does the second sentence follow from the first?"),
        ("english french german", "In which language is the text written?"),
    ],
)
def test_labels_tell_the_task(labels, instruction):
    assert word(["text"], "label", labels.split(), title="x") == (instruction, True)


@pytest.mark.parametrize(
    ("answer", "instruction"),
    [
        ("is_spam", "Is the mail spam?"),
        ("toxic", "Is the mail toxic?"),
        ("isLate", "Is the mail late?"),
        ("has_price", "Does the mail have price?"),
    ],
)
def test_a_column_that_is_true_or_false_is_a_question(answer, instruction):
    assert word(["mail"], answer, ("0", "1")) == (instruction, True)
    assert tells_truth(answer)
    assert not tells_truth("label")


def test_two_inputs_agree_with_the_verb():
    asked = word(["question1", "question2"], "is_duplicate", ("0", "1"))
    assert asked == ("Do the question1 and the question2 ask the same?", True)
    labels = ("entailment", "contradiction", "neutral")
    assert word(["first", "second"], "label", labels) == ("Does the second follow from the first?", True)


def test_braces_in_a_name_stay():
    assert word(["text"], "label", ("{ab}", "{input}")).instruction == "Is the text {ab} or {input}?"


# Columns, labels (some of them, where they are many) and names of public data sets
REAL = [
    ("text", "label", "Business,Sci/Tech,Sports,World", "ag_news", "Which topic is the text about?", True),
    ("text", "label", "age_limit,card_arrival,card_swallowed,pin_blocked", "banking77",
     "Which intent does the text express?", False),
    ("text", "label", "cancel_order,change_order,check_invoice,complaint,delete_account,get_refund,payment_issue",
     "bitext_customer_support", "Which intent does the text express?", True),
    ("text", "category", "ACCOUNT,CANCELLATION_FEE,CONTACT,ORDER", "bitext_customer_support",
     "Which category does the text belong to?", True),
    ("text", "label", "alarm,apr,are_you_a_bot,balance,oos,w2", "clinc150", "Which of these is the text about?", False),
    ("text", "domain", "banking,credit_cards,home,work", "clinc150", "Which domain does the text belong to?", True),
    ("text", "label", "background,method,objective,other,result", "csabstruct",
     "Which part of a scientific abstract is the text?", True),
    ("text", "label", "AddToPlaylist,BookRestaurant,GetWeather,PlayMusic,RateBook,SearchCreativeWork", "snips",
     "Which intent does the text express?", True),
    ("text", "label", "ham,spam", "sms_spam", "Is the text ham or spam?", True),
    ("text", "label", "anti-stereotype,stereotype,unrelated", "stereoset",
     "Is the text anti-stereotype, stereotype or unrelated?", False),
    ("text", "label", "not well-formed,well-formed", "query_wellformedness",
     "Is the text well-formed or not well-formed?", True),
    ("text", "label", "anger,joy,optimism,sadness", "emotion", "Which emotion does the text express?", True),
    ("text", "label", "irony,non_irony", "irony", "Is the text ironic?", True),
    ("text", "label", "against,favor,none", "stance_abortion", "Which stance does the text take on abortion?", False),
    ("passage question", "label", "False,True", "boolq", "Read the passage and answer the question.", True),
    ("text", "label", "False,True", "wic", "Is what the text says true?", False),
    ("turns", "category", "coding,math,reasoning,writing", "mt_bench", "Which category do the turns belong to?", True),
    ("text", "label", "ABBR,DESC,ENTY,HUM,LOC,NUM", "questions", "What kind of answer does the text ask for?", True),
]  # fmt: skip


@pytest.mark.parametrize("case", REAL, ids=[f"{title}-{answer}" for _, answer, _, title, *_ in REAL])
def test_public_data_sets(case):
    input, answer, labels, title, instruction, sure = case
    names = name_labels(labels.split(","))
    called = tuple(names.words.values()) if names.renamed else tuple(labels.split(","))
    assert word(input.split(), answer, called, title=title) == (instruction, sure)
