"""Countries and their parts by the names that people write: facts, no behaviour beyond looking them up.

Codes are ISO 3166-1 alpha-2; English names follow that standard's short names and everyday use, German names
the list of states of the German Foreign Office. Parts of countries are the states of the United States and
Australia, the provinces and territories of Canada, the nations of the United Kingdom, the Länder of Germany
and Austria, and the cantons of Switzerland, with their official abbreviations.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Final

__all__: Final = [
    "AREAS",
    "COUNTRIES",
    "COUNTRY_CODES",
    "REGIONS",
    "REGION_CODES",
    "country_code",
    "fold_name",
]

_COUNTRIES: Final = """
AD Andorra
AE United Arab Emirates|Vereinigte Arabische Emirate|UAE|VAE
AF Afghanistan
AG Antigua and Barbuda|Antigua und Barbuda
AI Anguilla
AL Albania|Albanien
AM Armenia|Armenien
AO Angola
AQ Antarctica|Antarktis
AR Argentina|Argentinien
AS American Samoa|Amerikanisch-Samoa
AT Austria|Österreich|Oesterreich|Republic of Austria|österreichweit
AU Australia|Australien
AW Aruba
AX Åland Islands|Åland
AZ Azerbaijan|Aserbaidschan
BA Bosnia and Herzegovina|Bosnien und Herzegowina|Bosnia|Bosnien
BB Barbados
BD Bangladesh|Bangladesch
BE Belgium|Belgien|Belgique|België
BF Burkina Faso
BG Bulgaria|Bulgarien
BH Bahrain
BI Burundi
BJ Benin
BL Saint Barthélemy
BM Bermuda
BN Brunei|Brunei Darussalam
BO Bolivia|Bolivien
BQ Bonaire, Sint Eustatius and Saba
BR Brazil|Brasilien|Brasil
BS Bahamas
BT Bhutan
BV Bouvet Island
BW Botswana|Botsuana
BY Belarus
BZ Belize
CA Canada|Kanada
CC Cocos (Keeling) Islands|Kokosinseln
CD Democratic Republic of the Congo|Demokratische Republik Kongo|DR Congo|DR Kongo
CF Central African Republic|Zentralafrikanische Republik
CG Republic of the Congo|Republik Kongo
CH Switzerland|Schweiz|Suisse|Svizzera|Swiss|schweizweit
CI Côte d'Ivoire|Ivory Coast|Elfenbeinküste
CK Cook Islands|Cookinseln
CL Chile
CM Cameroon|Kamerun
CN China|People's Republic of China|Volksrepublik China|Mainland China|PRC
CO Colombia|Kolumbien
CR Costa Rica
CU Cuba|Kuba
CV Cabo Verde|Cape Verde|Kap Verde
CW Curaçao
CX Christmas Island|Weihnachtsinsel
CY Cyprus|Zypern
CZ Czechia|Czech Republic|Tschechien|Tschechische Republik|Česko
DE Germany|Deutschland|Federal Republic of Germany|Bundesrepublik Deutschland|BRD|deutschlandweit
DJ Djibouti|Dschibuti
DK Denmark|Dänemark|Danmark
DM Dominica
DO Dominican Republic|Dominikanische Republik
DZ Algeria|Algerien
EC Ecuador
EE Estonia|Estland
EG Egypt|Ägypten
EH Western Sahara|Westsahara
ER Eritrea
ES Spain|Spanien|España
ET Ethiopia|Äthiopien
FI Finland|Finnland|Suomi
FJ Fiji|Fidschi
FK Falkland Islands|Falklandinseln
FM Micronesia|Mikronesien
FO Faroe Islands|Färöer
FR France|Frankreich
GA Gabon|Gabun
GB United Kingdom|Great Britain|Vereinigtes Königreich|Großbritannien|Britain|UK|GBR
GD Grenada
GE Georgien|Republic of Georgia
GF French Guiana|Französisch-Guayana
GG Guernsey
GH Ghana
GI Gibraltar
GL Greenland|Grönland
GM Gambia|The Gambia
GN Guinea
GP Guadeloupe
GQ Equatorial Guinea|Äquatorialguinea
GR Greece|Griechenland|Hellas
GS South Georgia and the South Sandwich Islands
GT Guatemala
GU Guam
GW Guinea-Bissau
GY Guyana
HK Hong Kong|Hongkong|Hong Kong SAR
HM Heard Island and McDonald Islands
HN Honduras
HR Croatia|Kroatien|Hrvatska
HT Haiti
HU Hungary|Ungarn
ID Indonesia|Indonesien
IE Ireland|Irland|Republic of Ireland|Republik Irland|Éire
IL Israel
IM Isle of Man
IN India|Indien
IO British Indian Ocean Territory
IQ Iraq|Irak
IR Iran
IS Iceland|Island
IT Italy|Italien|Italia
JE Jersey
JM Jamaica|Jamaika
JO Jordan|Jordanien
JP Japan
KE Kenya|Kenia
KG Kyrgyzstan|Kirgisistan
KH Cambodia|Kambodscha
KI Kiribati
KM Comoros|Komoren
KN Saint Kitts and Nevis|St. Kitts und Nevis
KP North Korea|Nordkorea
KR South Korea|Südkorea|Republic of Korea|Korea
KW Kuwait
KY Cayman Islands|Kaimaninseln
KZ Kazakhstan|Kasachstan
LA Laos
LB Lebanon|Libanon
LC Saint Lucia|St. Lucia
LI Liechtenstein
LK Sri Lanka
LR Liberia
LS Lesotho
LT Lithuania|Litauen
LU Luxembourg|Luxemburg
LV Latvia|Lettland
LY Libya|Libyen
MA Morocco|Marokko
MC Monaco
MD Moldova|Moldau|Republik Moldau
ME Montenegro
MF Saint Martin
MG Madagascar|Madagaskar
MH Marshall Islands|Marshallinseln
MK North Macedonia|Nordmazedonien
ML Mali
MM Myanmar|Burma
MN Mongolia|Mongolei
MO Macao|Macau
MP Northern Mariana Islands
MQ Martinique
MR Mauritania|Mauretanien
MS Montserrat
MT Malta
MU Mauritius
MV Maldives|Malediven
MW Malawi
MX Mexico|Mexiko|México
MY Malaysia
MZ Mozambique|Mosambik
NA Namibia
NC New Caledonia|Neukaledonien
NE Niger
NF Norfolk Island
NG Nigeria
NI Nicaragua
NL Netherlands|Niederlande|Holland|Nederland
NO Norway|Norwegen|Norge
NP Nepal
NR Nauru
NU Niue
NZ New Zealand|Neuseeland
OM Oman
PA Panama
PE Peru
PF French Polynesia|Französisch-Polynesien
PG Papua New Guinea|Papua-Neuguinea
PH Philippines|Philippinen
PK Pakistan
PL Poland|Polen|Polska
PM Saint Pierre and Miquelon
PN Pitcairn
PR Puerto Rico
PS Palestine|Palästina
PT Portugal
PW Palau
PY Paraguay
QA Qatar|Katar
RE Réunion
RO Romania|Rumänien|România
RS Serbia|Serbien
RU Russia|Russland|Russian Federation
RW Rwanda|Ruanda
SA Saudi Arabia|Saudi-Arabien|KSA
SB Solomon Islands|Salomonen
SC Seychelles|Seychellen
SD Sudan
SE Sweden|Schweden|Sverige
SG Singapore|Singapur
SH Saint Helena
SI Slovenia|Slowenien
SJ Svalbard and Jan Mayen
SK Slovakia|Slowakei|Slovak Republic
SL Sierra Leone
SM San Marino
SN Senegal
SO Somalia
SR Suriname
SS South Sudan|Südsudan
ST São Tomé and Príncipe
SV El Salvador
SX Sint Maarten
SY Syria|Syrien
SZ Eswatini|Swaziland
TC Turks and Caicos Islands
TD Chad|Tschad
TF French Southern Territories
TG Togo
TH Thailand
TJ Tajikistan|Tadschikistan
TK Tokelau
TL Timor-Leste|East Timor|Osttimor
TM Turkmenistan
TN Tunisia|Tunesien
TO Tonga
TR Turkey|Türkei|Türkiye
TT Trinidad and Tobago|Trinidad und Tobago
TV Tuvalu
TW Taiwan
TZ Tanzania|Tansania
UA Ukraine
UG Uganda
UM United States Minor Outlying Islands
US United States|United States of America|Vereinigte Staaten|Vereinigte Staaten von Amerika|USA|America
UY Uruguay
UZ Uzbekistan|Usbekistan
VA Holy See|Vatican City|Vatikanstadt
VC Saint Vincent and the Grenadines
VE Venezuela
VG British Virgin Islands
VI U.S. Virgin Islands
VN Vietnam|Viet Nam
VU Vanuatu
WF Wallis and Futuna
WS Samoa
YE Yemen|Jemen
YT Mayotte
ZA South Africa|Südafrika
ZM Zambia|Sambia
ZW Zimbabwe|Simbabwe
"""

_REGIONS: Final = {
    "US": """AL Alabama;AK Alaska;AZ Arizona;AR Arkansas;CA California|Kalifornien;CO Colorado;CT Connecticut
        DE Delaware;DC District of Columbia|Washington DC;FL Florida;GA;HI Hawaii;ID Idaho;IL Illinois
        IN Indiana;IA Iowa;KS Kansas;KY Kentucky;LA Louisiana;ME Maine;MD Maryland;MA Massachusetts
        MI Michigan;MN Minnesota;MS Mississippi;MO Missouri;MT Montana;NE Nebraska;NV Nevada
        NH New Hampshire;NJ New Jersey;NM New Mexico;NY New York;NC North Carolina;ND North Dakota
        OH Ohio;OK Oklahoma;OR Oregon;PA Pennsylvania;RI Rhode Island;SC South Carolina;SD South Dakota
        TN Tennessee;TX Texas;UT Utah;VT Vermont;VA Virginia;WA Washington|Washington State
        WV West Virginia;WI Wisconsin;WY Wyoming""",
    "CA": """AB Alberta;BC British Columbia;MB Manitoba;NB New Brunswick
        NL Newfoundland and Labrador|Newfoundland;NS Nova Scotia;NT Northwest Territories;NU Nunavut
        ON Ontario;PE Prince Edward Island;QC Québec;SK Saskatchewan;YT Yukon""",
    "AU": """ACT Australian Capital Territory;NSW New South Wales;NT Northern Territory;QLD Queensland
        SA South Australia;TAS Tasmania;VIC;WA Western Australia""",
    "GB": """ENG England;SCT Scotland|Schottland;WLS Wales|Cymru;NIR Northern Ireland|Nordirland""",
    "DE": """BW Baden-Württemberg;BY Bayern|Bavaria;BE Berlin;BB Brandenburg;HB Bremen;HH Hamburg
        HE Hessen|Hesse;MV Mecklenburg-Vorpommern;NI Niedersachsen|Lower Saxony
        NW Nordrhein-Westfalen|North Rhine-Westphalia|NRW;RP Rheinland-Pfalz|Rhineland-Palatinate
        SL Saarland;SN Sachsen|Saxony;ST Sachsen-Anhalt|Saxony-Anhalt;SH Schleswig-Holstein
        TH Thüringen|Thuringia""",
    "AT": """BGL Burgenland;KTN Kärnten|Carinthia;NOE Niederösterreich|Lower Austria;SBG Salzburg
        OOE Oberösterreich|Upper Austria;STMK Steiermark|Styria;TIR Tirol|Tyrol;VBG Vorarlberg
        W Wien|Vienna""",
    "CH": """AG Aargau;AI Appenzell Innerrhoden;AR Appenzell Ausserrhoden;BE Bern
        BL Basel-Landschaft|Baselland;BS Basel-Stadt;FR Fribourg|Freiburg;GE Genève|Genf|Geneva
        GL Glarus;GR Graubünden|Grisons;JU Jura;LU Luzern|Lucerne;NE Neuchâtel|Neuenburg;NW Nidwalden
        OW Obwalden;SG St. Gallen;SH Schaffhausen;SO Solothurn;SZ Schwyz;TG Thurgau;TI Ticino|Tessin
        UR Uri;VD Vaud|Waadt;VS Valais|Wallis;ZG Zug;ZH Zürich""",
}


def fold_name(name: str) -> str:
    """Return a name as it is looked up: no case, accents, dots or hyphens.

    Examples
    --------
    >>> fold_name("Baden-Württemberg"), fold_name("The U.S.A. ")
    ('baden wurttemberg', 'usa')
    """
    if not name.isascii():
        name = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    plain = "".join(c if c.isalnum() else "" if c == "." else " " for c in name.casefold())
    return " ".join(plain.split()).removeprefix("the ")


def _read_countries() -> dict[str, str]:
    lines = [line.split(" ", 1) for line in _COUNTRIES.strip().split("\n")]
    return {fold_name(name): code for code, names in lines for name in names.split("|")}


def _read_regions() -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    names: dict[str, tuple[str, ...]] = {}
    codes: dict[str, tuple[str, ...]] = {}
    for country, table in _REGIONS.items():
        for entry in table.replace("\n", ";").split(";"):
            code, _, written = entry.strip().partition(" ")
            codes[code] = (*codes.get(code, ()), country)
            for name in filter(None, map(fold_name, written.split("|"))):
                names[name] = (*names.get(name, ()), country)
    return names | dict.fromkeys(_INDIAN_STATES, ("IN",)), codes


_INDIAN_STATES: Final = tuple(
    "andhra pradesh|arunachal pradesh|assam|bihar|chhattisgarh|goa|gujarat|haryana|himachal pradesh|jharkhand"
    "|karnataka|kerala|madhya pradesh|maharashtra|manipur|meghalaya|mizoram|nagaland|odisha|rajasthan|sikkim"
    "|tamil nadu|telangana|tripura|uttar pradesh|uttarakhand|west bengal".split("|")
)
"""By their names alone: their abbreviations are those of states of the United States (TN, AR, GA)."""


COUNTRIES: Final[Mapping[str, str]] = _read_countries()
"""Folded name -> code. "Georgia" is not in it: it is a country and a state of the United States."""

COUNTRY_CODES: Final = frozenset(COUNTRIES.values())
"""Every ISO 3166-1 alpha-2 code."""

_REGION_TABLES: Final = _read_regions()

REGIONS: Final[Mapping[str, tuple[str, ...]]] = _REGION_TABLES[0]
"""Folded name of a part of a country -> the countries that have one."""

REGION_CODES: Final[Mapping[str, tuple[str, ...]]] = _REGION_TABLES[1]
"""Abbreviation of a part of a country, in capitals -> the countries that have one."""

AREAS: Final = frozenset(
    "eu|europe|europa|european union|emea|dach|eea|ewr|apac|latam|americas|asia|africa|worldwide|weltweit"
    "|global|north america|south america|latin america|nordics|nordic countries|middle east|georgia".split(
        "|"
    )
)
"""Names of places that are larger than a country, or could be one; folded."""


def country_code(name: str) -> str:
    """Return the code of a country given by its name or code, in any case, or an empty text.

    Examples
    --------
    >>> [country_code(name) for name in ("Deutschland", "germany", "de", "UK", "U.S.", "Atlantis")]
    ['DE', 'DE', 'DE', 'GB', 'US', '']
    """
    folded = fold_name(name)
    upper = folded.upper()
    return COUNTRIES.get(folded) or (upper if upper in COUNTRY_CODES else "")
