"""Repair never changes clean text of two dozen languages, and turns what was broken back into it."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from matcher.mojibake import is_suspicious, repair

# The same examples on every run: a rare word that is taken for broken is news, not a reason to stop others.
PROPERTY = settings(max_examples=300, deadline=None, derandomize=True)

SENTENCES = {
    "English": "We’re hiring a “head of baking” – naïve façades welcome; £30,000–£35,000 p.a. It’s 9½ hours…",
    "German": "Wir suchen Köch:innen für »Süßes« und „Übergrößen“ – 3.200 € brutto, ÄRZTE, ÖPNV, z. B. Maß!",
    "French": "Nous recherchons un « maître d’hôtel » à Nîmes : 2 400 € ; où ça ? ÉLÈVE, œuvre, « déjà » !",
    "Spanish": "¿Hablas español? ¡Únete! «Señor» y niña, 1.800 € — corazón, pingüino, MAÑANA, 2.ª planta.",
    "Portuguese": "Não há vagas? Há: formação, JOÃO, SÃO PAULO, “coração”, 1.º andar, pão, às 9h — R$ 3.000.",
    "Italian": "Cerchiamo un’infermiera: «perché no?» Città, più, È CAPACITÀ, PERCHÉ, l’“Ospedale” — 1 €.",
    "Dutch": "We zoeken een “coördinator” in ’s-Hertogenbosch: één dag, reünie, ‘zoiets’, €\xa02.900, ruïne.",
    "Polish": "Zatrudnimy „pielęgniarkę” w Łodzi – źródło, ŻÓŁĆ, gęś, 5000 zł, świętość, ŚĆ, »cytat«.",
    "Czech": "Hledáme „řidiče“ – Příbram, ŽIŽKOV, ďábel, tučňák, 30 000 Kč, štěstí, »věta«.",
    "Hungarian": "Keresünk „ápolót” Győrből – ŐRÜLT, űrhajó, fűtés, »idézet«, 300 000 Ft.",
    "Romanian": "Căutăm „bucătar” în Iași – știință, ÎNVĂȚĂM, «țară», âncora, 3.000 lei.",
    "Turkish": "“Şoför” arıyoruz: İSTANBUL, ığdır, Çağrı, ÖĞÜT, kâğıt, 40.000 ₺ — ‘günlük’.",
    "Swedish": "Vi söker ”sjuksköterska” i ÅRE – GÅ PÅ”, TVÅ\xa0dagar, ÄRLIG, 35 000 kr, ”Åsa”.",
    "Norwegian": "Vi søker «kokk» i Ålesund – BLÅ», æøå, ÆØÅ, 450 000 kr, ikke «SÅ».",
    "Danish": "Vi søger »kok« i Århus – ”rødgrød”, ÆBLE, ØL, PÅ”, 30.000 kr.",
    "Finnish": "Haemme ”sairaanhoitajaa” Äänekoskelle – YÖTYÖTÄ”, ÄÄNI, Åbo, 2 800 €.",
    "Icelandic": "Við leitum að „kokki“ – ÞÓRÐUR, Ísafjörður, það, ÁÐUR, æði.",
    "Greek": "Ζητούμε «νοσοκόμα» στην Αθήνα – ΆΡΙΣΤΑ, ευρώ, “ώρα”, 1.200 €· Ϊ, ΰ.",
    "Russian": "Ищем «повара» в Москве — „вёрстка“, РАБОТА, СРОЧНО, № 5, 60 000 ₽, Рим, Сочи…",
    "Ukrainian": "Шукаємо «кухаря» у Києві — їжа, Ґанок, Рік, Сім’я, РІЧ, 20 000 ₴, “єдність”.",
    "Arabic": "نبحث عن «طاهٍ» في القاهرة — ٣٠٠٠ جنيه، مُمَرِّضة؟ “نعم”.",
    "Hebrew": "מחפשים ״טבח״ בתל־אביב – שָׁלוֹם, 40 ₪ לשעה, ‟כן”.",
    "Hindi": "हमें “रसोइया” चाहिए – दिल्ली, ₹ 30,000, क्ष, ज़रूरत।",
    "Chinese": "诚聘“厨师”——北京，月薪 ¥8,000；「经验」优先……《条件》",
    "Japanese": "「看護師」募集——東京、月給¥300,000〜、カフェ・バー…『経験者』",
    "Korean": "“요리사” 모집 — 서울, 월 ₩3,000,000 · 경력 ‘우대’…",
    "Vietnamese": "Tuyển “đầu bếp” tại Hà Nội – Nguyễn, ĐÃ CÓ, lương 10.000.000 ₫, ẤM, Ở ĐÂU? ÂU LẠC, ÃÂ.",
    "Thai": "รับสมัคร “พ่อครัว” กรุงเทพฯ – ฿15,000 น้ำ",
    "signs": "• 👩‍🍳 🇩🇪 ✅ 👍🏽 ❤️ → ½ ± 5 °C © ® ™ § 12 ¶ · × ÷ ≠ ≤ ∞ √2 ∂ µm № ‰ ‹a›",
    "combining": "ƒ(x) e\u0301 A\u030a o\u0308 C\u0327 s\u0323\u0307",
}
OPENING = (
    "",
    "„",
    "“",
    "»",
    "«",
    "‹",
    "›",
    "”",
    "‚",
    "‘",
    "’",
    "「",
    "(",
    "¿",
    "¡",
    "–",
    "« ",
    "«\xa0",
    "€",
    "£",
)
CLOSING = (
    "",
    "“",
    "”",
    "«",
    "»",
    "›",
    "‹",
    "‘",
    "’",
    "」",
    ")",
    "…",
    "–",
    " »",
    "\xa0»",
    "\xa0€",
    "!",
    "?",
    ",",
)
OTHER_SCRIPTS = "Greek Russian Ukrainian Arabic Hebrew Hindi Chinese Japanese Korean Thai".split()
LATIN = [name for name in SENTENCES if name not in (*OTHER_SCRIPTS, "Vietnamese", "combining")]
BROKEN_BY = [
    (name, codec)
    for name in LATIN
    for codec in ("mac_roman", "cp1252", "latin-1")
    if (name, codec) != ("Romanian", "mac_roman")  # ș and ț begin with what is a quotation mark there
]
DOUBTFUL = ("Swedish", "Norwegian", "Danish", "Finnish")
"""A capital Å or Ä and a closing sign are looked at more closely before they are left alone."""


def words_of(languages):
    """Texts of the words of one language: quoted in every style, upper case, in any order."""

    def text(name):
        word = st.sampled_from(SENTENCES[name].split(" "))
        changed = st.builds(lambda w, change: change(w), word, st.sampled_from([str, str.upper, str.title]))
        quoted = st.builds(
            lambda a, w, b: a + w.strip("„“”«»‘’") + b,
            st.sampled_from(OPENING),
            changed,
            st.sampled_from(CLOSING),
        )
        return st.lists(word | quoted, min_size=1, max_size=12).map(" ".join)

    return st.sampled_from(sorted(languages)).flatmap(text)


@pytest.mark.parametrize("language", SENTENCES)
def test_sentences_are_left_alone(language):
    sentence = SENTENCES[language]
    assert repair(sentence) == sentence
    assert repair(sentence.upper()) == sentence.upper()
    assert is_suspicious(sentence) == (language in DOUBTFUL)


@PROPERTY
@given(words_of(SENTENCES))
@example("‚Äänekoski‘ ‚æøå‘ ‚ÆØÅ‘")
@example("à\xa0» è\xa0«")
def test_clean_words_are_left_alone(text):
    assert repair(text) == text


@PROPERTY
@given(st.lists(st.sampled_from(sorted(SENTENCES)), min_size=2, max_size=4, unique=True))
def test_languages_in_one_text_are_left_alone(names):
    text = "\n".join(SENTENCES[name] for name in names)
    assert repair(text) == text


def broken(text, codec, times=1):
    for _ in range(times):
        data = text.encode()
        if codec == "cp1252":  # a byte without a character is read as the control character
            text = "".join(bytes([b]).decode("cp1252", "replace").replace("\ufffd", chr(b)) for b in data)
        else:
            text = data.decode(codec)
    return text


@pytest.mark.parametrize(("language", "codec"), BROKEN_BY)
def test_a_broken_sentence_comes_out_right(language, codec):
    sentence = SENTENCES[language]
    assert repair(broken(sentence, codec)) == sentence


@pytest.mark.parametrize("codec", ["mac_roman", "cp1252", "latin-1"])
@PROPERTY
@given(text=words_of(SENTENCES), other=words_of(LATIN))
def test_a_good_line_stays_good_beside_a_broken_one(codec, text, other):
    assert repair(f"{text}\n{broken(other, codec)}").split("\n")[0] == text
