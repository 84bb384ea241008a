"""What labels and columns are often called: by these words a task is named, and codes are read."""

__all__ = [
    "ABBREVIATIONS",
    "ALONE",
    "EMOTIONS",
    "FOLLOWS",
    "LANGUAGES",
    "LEVELS",
    "PARTS",
    "QUESTION_TYPES",
    "SENTIMENTS",
    "SHORT_WORDS",
    "STANCES",
    "TOPICS",
    "VERBS",
]


def words_in(text: str) -> frozenset[str]:
    return frozenset(text.split())


LANGUAGES = {
    "ar": "Arabic", "ara": "Arabic", "cs": "Czech", "ces": "Czech", "da": "Danish", "dan": "Danish", "de": "German",
    "deu": "German", "ger": "German", "el": "Greek", "ell": "Greek", "en": "English", "eng": "English", "es": "Spanish",
    "spa": "Spanish", "fi": "Finnish", "fin": "Finnish", "fr": "French", "fra": "French", "fre": "French",
    "he": "Hebrew", "heb": "Hebrew", "hi": "Hindi", "hin": "Hindi", "hu": "Hungarian", "hun": "Hungarian",
    "id": "Indonesian", "ind": "Indonesian", "it": "Italian", "ita": "Italian", "ja": "Japanese", "jpn": "Japanese",
    "ko": "Korean", "kor": "Korean", "nl": "Dutch", "nld": "Dutch", "no": "Norwegian", "nor": "Norwegian",
    "pl": "Polish", "pol": "Polish", "pt": "Portuguese", "por": "Portuguese", "ro": "Romanian", "ron": "Romanian",
    "ru": "Russian", "rus": "Russian", "sv": "Swedish", "swe": "Swedish", "th": "Thai", "tha": "Thai",
    "tr": "Turkish", "tur": "Turkish", "uk": "Ukrainian", "ukr": "Ukrainian", "vi": "Vietnamese", "vie": "Vietnamese",
    "zh": "Chinese", "zho": "Chinese", "cmn": "Chinese",
}  # fmt: skip
FOLLOWS = {"entailment", "contradiction", "neutral", "not entailment", "no entailment", "entails", "contradicts",
           "entailed", "not entailed", "contradictory"}  # fmt: skip
SENTIMENTS = {"positive", "negative", "neutral", "mixed", "very positive", "very negative", "extremely positive",
              "extremely negative", "somewhat positive", "somewhat negative", "conflict", "objective"}  # fmt: skip
EMOTIONS = words_in(
    "admiration amusement anger angry annoyance anticipation anxiety approval astonishment boredom calm caring "
    "confusion contempt curiosity depression desire disappointment disapproval disgust disgusted embarrassment empathy "
    "enthusiasm envy excited excitement fear fearful fun gratitude grief guilt happiness happy hate hope jealousy joy "
    "loneliness love nervousness neutral optimism other others pain pessimism pride realization regret relief remorse "
    "sad sadness scared shame surprise surprised trust worry"
) | {"no emotion", "none"}
STANCES = {"against", "favor", "favour", "in favor", "in favour", "for", "none", "neutral", "support", "oppose", "pro",
           "contra", "con", "neither"}  # fmt: skip
PARTS = words_in(
    "abstract aim aims approach background conclusion conclusions context contribution discussion evaluation finding "
    "findings goal introduction limitation limitations method methods motivation objective objectives other purpose "
    "result results technique"
) | {"future work", "related work"}
QUESTION_TYPES = {"abbreviation", "description", "entity", "human", "location", "number", "numeric", "person",
                  "numeric value", "human being", "date", "time", "organisation", "organization", "reason"}  # fmt: skip
TOPICS = words_in(
    "animals art arts beauty books business cars climate comedy cooking crime culture economics economy education "
    "energy entertainment environment family fashion film finance fitness food football gaming gardening geography "
    "government health history home housing international jobs law lifestyle literature local mathematics maths media "
    "medicine movies music nature parenting pets philosophy politics psychology religion sci science sci-fi shopping "
    "society sport sports tech technology television travel tv us weather weddings wellness women world"
)
LEVELS = {"low", "medium", "high", "urgent", "critical", "normal", "minor", "major", "severe", "moderate"}
VERBS = words_in(
    "accept activate add answer apply approve ask assign block book buy call cancel change check choose clear close "
    "compare complain complete confirm contact convert create deactivate decline decrease delete deposit describe "
    "disable download edit enable end explain extend file find fix follow forward get give help identify improve "
    "increase install join leave list listen load locate lock log lower make mark merge modify move mute open order "
    "pause pay place play post print query raise rate read receive recommend recover redeem refund register reject "
    "remind remove renew reopen repeat replace reply report request reschedule reserve reset resolve resume return "
    "review save schedule search select sell send set share show skip snooze sort speak start stop submit subscribe "
    "switch take talk tell track transfer translate turn undo unlock unsubscribe update upgrade upload use verify view "
    "watch withdraw write"
)
ABBREVIATIONS = (
    {"ABBR": "abbreviation", "DESC": "description", "ENTY": "entity", "ENTITY": "entity", "HUM": "human",
     "LOC": "location", "NUM": "number"},
    {"POS": "positive", "NEG": "negative", "NEU": "neutral", "NEUT": "neutral", "MIX": "mixed"},
    {"PER": "person", "PERS": "person", "ORG": "organisation", "LOC": "location", "GPE": "country or city",
     "MISC": "miscellaneous", "DATE": "date", "NUM": "number", "PROD": "product"},
    {"ENT": "entailment", "CON": "contradiction", "CONTR": "contradiction", "NEU": "neutral", "NEUT": "neutral"},
    {"BG": "background", "BACK": "background", "OBJ": "objective", "METH": "method", "RES": "result",
     "CONC": "conclusion", "INTRO": "introduction", "DISC": "discussion", "OTH": "other"},
    {"ANG": "anger", "DISG": "disgust", "FEAR": "fear", "HAP": "happiness", "JOY": "joy", "SAD": "sadness",
     "SUR": "surprise", "SURP": "surprise", "NEU": "neutral", "NEUT": "neutral", "OPT": "optimism"},
    {"FAV": "in favour", "AGN": "against", "AG": "against", "NON": "neither"},
)  # fmt: skip
ALONE = {"OOS": "out of scope", "MISC": "miscellaneous"}
SHORT_WORDS = words_in(
    "add and ask bad bid big bug buy call case chat cost data day end fee few fix fun get good ham high home info item "
    "job joy kids law lead long low loss main mix neo new news nil no none note ok old open out pay pet play poor rate "
    "read real safe sale sell send show sick sad spam stop sub sum task tax team test text tip top true unit user "
    "very void web work yes yet zone fake fear hate hope hot host left love neat next past plan plus pro con sport "
    "auto food tech bank card cash loan mail meta"
)
