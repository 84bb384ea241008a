"""Prompt, answer and end are what the model's own template writes for that conversation, or it is said that not.

The tokenizer takes one token a byte, so ids can be read back as text.
"""

import pytest

from tuneoff.core.errors import ModelError
from tuneoff.data.prompt import Prompt
from tuneoff.data.record import Message, Record
from tuneoff.models.chat import Chat
from tuneoff.models.template import Refused
from tuneoff.models.tiny import CHAT_TEMPLATE, tiny_tokenizer

TALK = (Message("user", "one"), Message("assistant", "two"), Message("user", "three"))
TURNS = "{{ bos_token }}{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
HEADER = "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"

NO_HEADER = TURNS
OPEN_THOUGHT = TURNS + HEADER.replace("\n{%", "\n<think>\n{%")
SPACES = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}[INST] {{ m['content'] | trim }} [/INST]"
    "{% else %} {{ m['content'] | trim }} {{ eos_token }}{% endif %}{% endfor %}"
)
LATER_CHANNEL = TURNS.replace(
    "<|im_start|>{{ m['role'] }}\n", "<|im_start|>{{ m['role'] }}{{ '/final' if m['role'] == 'assistant' }}\n"
) + ("{% if add_generation_prompt %}<|im_start|>assistant{% endif %}")
WORDS_AT_THE_END = TURNS.replace("<|im_end|>", "\n### End<|im_end|>") + HEADER
TRIMS = TURNS.replace("m['content']", "m['content'] | trim") + HEADER
SHOUTS = TURNS.replace("m['content']", "m['content'] | trim | upper") + HEADER
ONLY_QUESTIONS = "{% for m in messages %}{% if m['role'] == 'user' %}{{ m['content'] }}{% endif %}{% endfor %}"
ONLY_PARTS = (  # takes a list of parts, and writes nothing of a text
    "{% for m in messages %}{% if m['role'] == 'user' %}{% for part in m['content'] %}{{ part['text'] }}{% endfor %}"
    "{% else %}{{ m['content'] }}{% endif %}{% endfor %}"
)
STRICT = (
    "{{ bos_token }}{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}"
    "<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}" + HEADER
)


def made(template):
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = template
    return tokenizer


def whole(tokenizer, turns, answer):
    """What the template writes for the conversation with its answer, up to the end of the turn."""
    table = [{"role": m.role, "content": m.content} for m in (*turns, Message("assistant", answer))]
    return tokenizer.apply_chat_template(table, tokenize=False, enable_thinking=False).removesuffix("\n")


@pytest.mark.parametrize(
    "template", [CHAT_TEMPLATE, NO_HEADER, OPEN_THOUGHT, SPACES, LATER_CHANNEL, WORDS_AT_THE_END, TRIMS, STRICT]
)
@pytest.mark.parametrize("turns", [TALK[:1], TALK])
def test_prompt_answer_and_end_are_the_templates_own(template, turns):
    tokenizer = made(template)
    chat = Chat(tokenizer)
    encoded = chat.encode(turns, "joy")
    assert chat.show(encoded.ids) == whole(tokenizer, turns, "joy")
    assert encoded.ids == tokenizer(whole(tokenizer, turns, "joy"), add_special_tokens=False).input_ids
    assert encoded.answer[-1] == chat.end_of_turn
    assert chat.decode(encoded.answer) == "joy"


def test_demonstrations_and_what_is_asked_stand_alike():
    shown = Record(fields={"text": "first"}, target="joy")
    prompt = Prompt(demonstrations=(shown,))
    for template in (NO_HEADER, SPACES, LATER_CHANNEL):
        chat = Chat(made(template))
        asked = prompt.render(Record(fields={"text": "second"}, target="joy"))
        text = chat.show(chat.encode(asked, "joy").ids)
        assert text == whole(chat.tokenizer, asked, "joy")
        one, other = text.removeprefix("<bos>").replace("second", "first").split("first")[1:]
        assert one.startswith(other)


def test_a_header_that_only_the_whole_conversation_has_belongs_to_the_prompt():
    chat = Chat(made(NO_HEADER))
    assert chat.show(chat.prompt_ids(TALK)).endswith("three<|im_end|>\n<|im_start|>assistant\n")
    assert Chat(made(LATER_CHANNEL)).show(chat.prompt_ids(TALK)).endswith("<|im_start|>assistant\n")


def test_a_space_before_the_answer_goes_with_it_and_is_not_read_back():
    chat = Chat(made(SPACES))
    assert chat.show(chat.prompt_ids(TALK[:1])) == "<bos>[INST] one [/INST]"
    assert chat.show(chat.answer_ids("joy")) == " joy <eos>"
    assert chat.decode(chat.answer_ids("  joy")) == "  joy"
    assert chat.written("joy") == " joy "


def test_words_behind_an_answer_are_trained_and_not_read_back():
    chat = Chat(made(WORDS_AT_THE_END))
    assert chat.show(chat.answer_ids("joy")) == "joy\n### End<|im_end|>"
    assert chat.decode(chat.answer_ids("joy")) == "joy"


def test_an_answer_is_not_trained_inside_an_open_thought():
    chat = Chat(made(OPEN_THOUGHT))
    assert chat.show(chat.prompt_ids(TALK)).endswith("<|im_start|>assistant\n")
    (remark,) = chat.remarks
    assert "asks for an answer with '<think>\\n', and writes none of it into a conversation" in remark


def test_an_opening_that_says_no_thought_stays_and_is_told():
    no_thought = HEADER.replace("\n{%", "\n{% if enable_thinking is false %}<think></think>\n{% endif %}{%")
    chat = Chat(made(TURNS + no_thought))
    assert chat.show(chat.prompt_ids(TALK)).endswith("<|im_start|>assistant\n<think></think>\n")
    assert "trained behind it" in chat.remarks[0]
    assert Chat(made(CHAT_TEMPLATE)).remarks == ()


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        (SHOUTS, "does not write an answer as it is"),
        (ONLY_QUESTIONS, "does not write an answer as it is"),
        (ONLY_PARTS, "does not write what is asked as it is"),
    ],
)
def test_a_template_that_changes_or_drops_texts_is_refused(template, problem):
    with pytest.raises(ModelError, match=f"the chat template {problem}") as caught:
        Chat(made(template))
    assert 'write template = "plain" under [model]' in str(caught.value)


def test_an_answer_keeps_its_indentation_where_the_template_trims():
    chat = Chat(made(TRIMS))
    code = "    y = 1\n    return y"
    turns = (Message("user", " one "), Message("assistant", code), Message("user", "two"))
    text = chat.show(chat.encode(turns, code).ids)
    assert text.count(f"<|im_start|>assistant\n{code}<|im_end|>") == 2
    assert "user\none<|im_end|>" in text
    assert chat.decode(chat.answer_ids(code)) == code


def test_answers_that_the_template_writes_otherwise_are_known():
    chat = Chat(made(TURNS.replace("m['content']", "m['content'].split('</think>')[-1]") + HEADER))
    assert chat.keeps("  joy \n")
    assert not chat.keeps("<think>well</think>joy")
    assert chat.decode(chat.answer_ids("<think>well</think>joy")) == "<think>well</think>joy", "trained as it stands"
    assert Chat(made(TRIMS)).keeps("    y = 1\n    return y")
    assert Chat(made(None)).keeps("<think>well</think>joy")


def test_neighbouring_turns_of_one_role_are_joined_where_the_template_is_strict():
    twice = (Message("user", "one"), Message("user", "two"))
    strict, lenient = Chat(made(STRICT)), Chat(made(CHAT_TEMPLATE))
    assert strict.show(strict.prompt_ids(twice)) == strict.show(strict.prompt_ids((Message("user", "one\n\ntwo"),)))
    assert lenient.show(lenient.prompt_ids(twice)).count("<|im_start|>user") == 2
    with_system = (Message("system", "Be brief."), *twice)
    assert "Be brief.\n\none\n\ntwo<|im_end|>" in strict.show(strict.prompt_ids(with_system))


def test_turns_that_it_refuses_all_the_same_are_named():
    with pytest.raises(Refused, match="the model's chat template refuses a conversation") as caught:
        Chat(made(STRICT)).prompt_ids((Message("assistant", "hello"), Message("user", "one")))
    assert "found:   assistant, user: roles must alternate" in str(caught.value)
    assert 'write template = "plain"' in str(caught.value)


def test_named_templates_are_chosen_by_name():
    several = {"short": TURNS + HEADER, "rag": SPACES}
    with pytest.raises(ModelError, match="several chat templates, and none of them is the default") as caught:
        Chat(made(several))
    assert "found:   short, rag" in str(caught.value)
    assert 'choose one under [model]: template = "short"' in str(caught.value)
    chosen = Chat(made(several), "rag")
    assert (chosen.template, chosen.templated) == ("rag", True)
    assert chosen.show(chosen.prompt_ids(TALK[:1])) == "<bos>[INST] one [/INST]"
    assert Chat(made({**several, "default": SPACES})).template == "chat"
    assert Chat(made(several), "plain").template == "plain"
    with pytest.raises(ModelError, match=r"(?s)no chat template 'rga'.*allowed: auto, chat, plain.*did you mean 'rag'"):
        Chat(made(several), "rga")


def test_a_turn_that_nothing_ends_is_refused_at_once():
    tokenizer = made("{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}")
    assert Chat(tokenizer).end_of_turn == tokenizer.eos_token_id
    tokenizer.eos_token = None
    with pytest.raises(ModelError, match="this model's tokenizer has no end-of-text token"):
        Chat(tokenizer)
