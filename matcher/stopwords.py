"""Words that say nothing about a job, in English and German: a short, reviewed list.

Function words, pronouns, numbers in words, and what dates are made of (a CV is full of them). Words that
can be content stay out: *it*, *us*, *system*, *bill*, *computer*, *work*, *test* are missing on purpose.
Document frequency does the rest: a word that most postings hold weighs little.
"""

from __future__ import annotations

from typing import Final

__all__: Final = ["STOPWORDS"]

_ENGLISH: Final = """
a about above across after all along also although am among an and any are around as at away be because been
before being below between both but by can cannot could did do does doing done down during each either else
etc even ever every few for from further get gets given had has have having here how however i if in into is
its itself just least less let like ll many may me might mine more most much must my myself near neither no
nor not now of off often on once one only onto or other others ought our ours ourselves out over own per
rather re same shall should since so some such than that the their theirs them themselves then there these
they this those though through thus to too toward towards under until unless up upon ve very via was we were
what when where whether which while who whom whose why will with within without would yet you your yours
yourself he him his himself she her hers herself mr mrs ms mx don doesn didn isn aren wasn weren won wouldn
hasn haven
""".split()

_GERMAN: Final = """
ab aber alle allem allen aller alles als also am an andere anderem anderen anderer anderes auch auf aus
außer bei beim bereits bis bist bzw da dabei dadurch dafür damit danach daneben dann daran darauf daraus
darf darin darum darunter das dass davon dazu dein deine deinem deinen deiner dem den denen denn der deren
des dessen dich die dies diese diesem diesen dieser dieses dir doch dort du durch eigene eigenen ein eine
einem einen einer eines einige einigen einmal er erst es etwa etwas euch euer eure eurem euren eurer für
gegen gern gerne gibt haben habe hat hatte hatten herr frau hier hin hinter ich ihm ihn ihnen ihr ihre ihrem
ihren ihrer ihres im immer in ins ist ja je jede jedem jeden jeder jedes jedoch kann kannst kein keine
keinem keinen keiner können könnte könnten machen macht man mehr mein meine meinem meinen meiner mich mir
mit mitunter muss müssen nach neben nicht nichts noch nun nur ob oder ohne pro schon sehr sein seine seinem
seinen seiner seit seitdem sich sie sind so sobald sofern solche sollen sollte sondern sonst soweit sowie
sowohl über um und uns unser unsere unserem unseren unserer unter usw viel viele vielen vom von vor während
war waren wäre warum was wegen weil weiter welche welchem welchen welcher welches wenn wer werde werden wie
wieder will wir wird wirst wo wobei wollen worden wurde wurden würde würden zb zu zum zur zwar zwischen
""".split()

_FILLERS: Final = """
two three four five six seven eight nine ten first last day days week weeks month months year years time
times zwei drei vier fünf sechs sieben acht neun zehn erste ersten erster letzte letzten tag tage tagen
woche wochen monat monate monaten jahr jahre jahren uhr bin trotzdem dazu hierzu ca inkl
""".split()

_MONTHS: Final = """
january february march april june july august september october november december januar jänner februar märz
mai juni juli oktober dezember jan feb mar mär apr jun jul aug sep sept oct okt nov dec dez
""".split()

STOPWORDS: Final = frozenset(_ENGLISH + _GERMAN + _FILLERS + _MONTHS)
"""The reviewed list: lower case, as `matcher.analyzer.tokenize` writes tokens."""
