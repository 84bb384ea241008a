"""One place makes ids and the mask of trained tokens; here against templates in the manner of several families.

The tokenizer takes one token a byte, so ids can be read back as text.
"""

import pytest
from tokenizers import AddedToken, Tokenizer, models, normalizers, processors
from transformers import PreTrainedTokenizerFast

from tuneoff.core.errors import ModelError
from tuneoff.data.record import Message
from tuneoff.models.chat import Chat, Encoded
from tuneoff.models.tiny import tiny_tokenizer

ASK = (Message("user", "Feel?"),)
TALK = (Message("user", "one"), Message("assistant", "two"), Message("user", "three"))
WITH_SYSTEM = (Message("system", "Be brief."), Message("user", "Feel?"))

HEADERS = (  # in the manner of Llama 3: BOS first, a header per turn, contents trimmed, an end-of-turn of its own
    "{{ bos_token }}{% for m in messages %}<|im_start|>{{ m['role'] }}\n\n{{ m['content'] | trim }}<|eot|>{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n\n{% endif %}"
)
CHATML = (  # no BOS, a line end behind each turn
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
NO_SYSTEM = (  # in the manner of Gemma: BOS, `model` for the assistant, and no system role
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    "{% for m in messages %}<|im_start|>{{ 'model' if m['role'] == 'assistant' else m['role'] }}\n"
    "{{ m['content'] | trim }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>model\n{% endif %}"
)
BRACKETS = (  # in the manner of Mistral: BOS, brackets, end-of-text behind an answer, no generation header
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}[INST] {{ m['content'] }} [/INST]"
    "{% elif m['role'] == 'assistant' %}{{ m['content'] }}{{ eos_token }}"
    "{% else %}{{ raise_exception('only user and assistant') }}{% endif %}{% endfor %}"
)
PLAIN_WORDS = (  # ends a turn with words, not with a token
    "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)
THINKING = CHATML.replace(
    "<|im_start|>assistant\n{% endif %}",
    "<|im_start|>assistant\n{% if enable_thinking is false %}(no thought)\n{% endif %}{% endif %}",
)
TEMPLATES = {
    "headers": (HEADERS, "<|eot|>"),
    "chatml": (CHATML, "<|im_end|>"),
    "no_system": (NO_SYSTEM, "<|im_end|>"),
    "brackets": (BRACKETS, "<eos>"),
    "plain_words": (PLAIN_WORDS, "<eos>"),
}


def made(template, *, adds_bos=True, pad=None):
    """A tokenizer with this template. `<|eot|>` is a special token that no list of special tokens names."""
    tokenizer = tiny_tokenizer()
    tokenizer.add_tokens([AddedToken("<|eot|>", special=True)])
    tokenizer.chat_template = template
    if not adds_bos:
        tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(single="$A")
    if pad:
        tokenizer.pad_token = pad
    return tokenizer


def text_of(chat, ids):
    return chat.tokenizer.decode(list(ids))


def test_the_trained_tokens_are_the_answer_and_its_end():
    encoded = Chat(made(CHATML)).encode(TALK, "joy")
    assert encoded.ids == [*encoded.prompt, *encoded.answer]
    assert sum(encoded.trained) == len(encoded.answer) == len("joy") + 1
    assert encoded.trained.index(True) == len(encoded.prompt)
    assert all(encoded.trained[len(encoded.prompt) :])
    assert Encoded((1, 2), (3,)).trained == [False, False, True]


@pytest.mark.parametrize("name", TEMPLATES)
def test_end_of_turn_is_what_the_template_writes(name):
    template, end = TEMPLATES[name]
    chat = Chat(made(template))
    assert text_of(chat, [chat.end_of_turn]) == end
    assert text_of(chat, chat.answer_ids("joy")) == f"joy{end}"
    assert chat.stops == {chat.end_of_turn, chat.tokenizer.eos_token_id}


@pytest.mark.parametrize("adds_bos", [True, False])
@pytest.mark.parametrize("name", TEMPLATES)
def test_bos_stands_once_where_template_or_tokenizer_puts_it(name, adds_bos):
    template, _ = TEMPLATES[name]
    chat = Chat(made(template, adds_bos=adds_bos))
    bos = chat.tokenizer.bos_token_id
    ids = chat.encode(TALK, "joy").ids
    wanted = adds_bos or "bos_token" in template
    assert ids.count(bos) == wanted
    assert (ids[0] == bos) == wanted


def test_control_the_tokenizer_alone_would_double_it():
    tokenizer = made(HEADERS)
    text = tokenizer.apply_chat_template([{"role": "user", "content": "x"}], tokenize=False)
    assert tokenizer(text).input_ids.count(tokenizer.bos_token_id) == 2


@pytest.mark.parametrize("name", ["headers", "chatml", "no_system", "brackets"])
def test_prompt_and_answer_are_how_the_template_writes_the_whole(name):
    template, end = TEMPLATES[name]
    chat = Chat(made(template))
    turns = [{"role": m.role, "content": m.content} for m in (*TALK, Message("assistant", "joy"))]
    whole = chat.tokenizer.apply_chat_template(turns, tokenize=False).rstrip("\n")
    written = text_of(chat, chat.encode(TALK, "joy").ids).removeprefix("<bos>")
    assert written == whole.removeprefix("<bos>")
    assert written.endswith(f"joy{end}")


def test_generation_header_belongs_to_the_prompt():
    chat = Chat(made(CHATML, adds_bos=False))
    assert text_of(chat, chat.prompt_ids(ASK)) == "<|im_start|>user\nFeel?<|im_end|>\n<|im_start|>assistant\n"


def test_templates_that_may_think_are_told_not_to():
    chat = Chat(made(THINKING))
    assert text_of(chat, chat.prompt_ids(ASK)).endswith("assistant\n(no thought)\n")


@pytest.mark.parametrize("name", ["no_system", "brackets"])
def test_without_a_system_role_its_words_open_the_first_turn(name):
    chat = Chat(made(TEMPLATES[name][0]))
    text = text_of(chat, chat.prompt_ids(WITH_SYSTEM))
    assert "Be brief.\n\nFeel?" in text
    assert text_of(chat, chat.prompt_ids(ASK)) == text.replace("Be brief.\n\n", "")


def test_with_a_system_role_it_is_a_turn():
    chat = Chat(made(CHATML))
    assert "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nFeel?" in text_of(
        chat, chat.prompt_ids(WITH_SYSTEM)
    )


def test_several_turns_keep_their_order_and_only_the_last_answer_is_trained():
    chat = Chat(made(HEADERS))
    encoded = chat.encode(TALK, "four")
    prompt = text_of(chat, encoded.prompt)
    assert [prompt.index(word) for word in ("one", "two", "three")] == sorted(
        prompt.index(word) for word in ("one", "two", "three")
    )
    assert "two<|eot|>" in prompt
    assert text_of(chat, encoded.answer) == "four<|eot|>"


@pytest.mark.parametrize("template", [CHATML, None])
def test_end_of_text_that_doubles_as_padding_is_trained_and_stops(template):
    tokenizer = made(template, pad="<eos>")
    tokenizer.eos_token = "<eos>"
    chat = Chat(tokenizer)
    assert tokenizer.pad_token_id == tokenizer.eos_token_id
    assert chat.encode(ASK, "joy").answer[-1] == chat.end_of_turn
    assert chat.encode(ASK, "joy").trained[-1]
    assert tokenizer.eos_token_id in chat.stops


def test_a_base_model_is_asked_in_plain_text():
    chat = Chat(made(None))
    encoded = chat.encode(TALK, "four")
    assert not chat.templated
    assert text_of(chat, encoded.prompt) == "<bos>one\nAnswer: two\n\nthree\nAnswer:"
    assert text_of(chat, encoded.answer) == " four<eos>"


def test_plain_without_bos_where_the_tokenizer_adds_none():
    chat = Chat(made(None, adds_bos=False))
    assert text_of(chat, chat.prompt_ids(ASK)) == "Feel?\nAnswer:"


def test_plain_can_be_asked_for_and_chat_too():
    assert not Chat(made(CHATML), "plain").templated
    assert Chat(made(CHATML), "chat").templated
    assert Chat(made(CHATML), "auto").templated
    with pytest.raises(ModelError, match="this model has no chat template") as caught:
        Chat(made(None), "chat")
    assert 'write template = "plain"' in str(caught.value)


def test_plain_without_an_end_of_text_token_is_refused():
    tokenizer = made(None)
    tokenizer.eos_token = None
    with pytest.raises(ModelError, match="this model's tokenizer has no end-of-text token"):
        Chat(tokenizer)


def test_decoding_leaves_out_special_tokens_and_outer_space():
    chat = Chat(made(None))
    assert chat.decode(chat.answer_ids("joy, 🙂")) == "joy, 🙂"
    templated = Chat(made(HEADERS))
    assert templated.decode(templated.answer_ids("joy")) == "joy"


@pytest.mark.parametrize("answer", ["", "joy", "two\nlines", "Grüße 你好"])
def test_every_answer_ends_its_turn(answer):
    for template, _ in TEMPLATES.values():
        chat = Chat(made(template))
        ids = chat.answer_ids(answer)
        assert ids[-1] == chat.end_of_turn
        assert ids.count(chat.end_of_turn) == 1
        assert chat.decode(ids) == answer.strip()


def prepending(template):
    """In the manner of Llama 2: a space is put before whatever is tokenized, also before a piece of a text."""
    words = ["<unk>", "<s>", "</s>", "\u2581", "\u2581joy", "joy", "\u2581a", "Answer", ":", "\n"]
    core = Tokenizer(models.Unigram([(word, -float(at)) for at, word in enumerate(words)], unk_id=0))
    core.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, bos_token="<s>", eos_token="</s>", unk_token="<unk>")
    tokenizer.chat_template = template
    return tokenizer


@pytest.mark.parametrize("template", [None, "{% for m in messages %}{{ m['content'] }}\n{% endfor %}"])
def test_answers_are_cut_from_the_whole_text(template):
    tokenizer = prepending(template)
    encoded = Chat(tokenizer).encode((Message("user", "a"),), "joy")
    whole = "a\njoy" if template else "a\nAnswer: joy"
    assert encoded.ids == [*tokenizer(whole).input_ids, tokenizer.eos_token_id]
