"""Ordinary English words, so that linking never takes one for a misspelt name.

The list holds base forms of four letters and more: frequent lower-case words of written English (the frequent part of
BERT's uncased vocabulary, Apache-2.0, kept where the word is also common in lower case in technical prose), and the
general words of clinical prose. Shorter function words stand apart.
"""

from __future__ import annotations

from functools import lru_cache

__all__ = ["FUNCTION_WORDS", "ending_share", "is_ordinary"]

_FUNCTION_TEXT = """
a about after all also am an and any are as at be been before being both but by can cannot could did do does during
each either else for from had has have he her here him his how i if in into is it its just may me might mr mrs ms dr
must my neither no nor not now of off on once one only or other our out over own per same shall she should since so
some such than that the their them then there these they this those though to too two under until up upon us use
very was we were what when where which while who whom whose why will with within without would yes yet you your
"""

_ORDINARY_TEXT = """
abbreviated ability able about above absence absent absolute absorb absorption abstract accept acceptable access
accessible accidentally accommodate according account accumulate accuracy accurate achieve acquire across acting
action activated activation active activity acts actual acute adapted added adding addition additional address adds
adequate adjacent adjusted administer administered administration adopt adult adults advance advantage adverse advice
advisable advised aerosol affect after afterward again against agent aggravate aggregate aggressive agonist agree
agreement ahead aims airline albeit alcohol alert algebra algorithm aligned alignment alive allergic allergy alleviate
allocated allow almost alone along alongside alpha alphabet already also alter alternate alternative although
altogether always among amongst amount analog analysis ancestor anchor ancient angle anonymous another answer
antagonist anticipate anymore anyone anything anyway anywhere apart apparent appear appearance applicable application
apply approach appropriate approximately april arch architectural architecture archive area argument arise around
arrangement array arrive arrow article artifacts artificial aside asked asking asks aspect assembled assembly asserted
assigned assignment assist assistant associate association assume assumption atom atomic attached attack attempt
attend attention attributed attributes audio august author authority auto automated automatic automatically auxiliary
availability available average avoid aware away awkward axis back background backup backward badly balance band bank
bare barrier bars base baseline basic basically basis beam bear became because become been before began begin behalf
behavior behaviour behind being believe belong below beneficial benefit beside besides best beta better between beyond
bias bigger biggest binary binding bits black blame blank bleed bleeding block blocker blog blood blow blown blue body
bold bone book boost border borrowed both bottom bound boundary boxes boxing brain branch break breastfeeding bride
bridge brief bring broad broadcast broke broken brought bucket budget bugs build built bulk bunch business button
bypass caffeine calculate calculated calendar call came canceled cancelled candidate cannot canvas capability capable
capacity capital capped caps capsule capture card cardiac care careful carol carry case cast catch category cats
caught cause caution ceiling celebrate cell center central certain certificate chain chance change channel character
characteristic charge chat cheap check child children chocolate choice choose chose chosen chronic circle circuit
circular circumstances citation claim clash class classic classical classification classified clause clean clear
clearance clever click client climate clinic clip clock close closest closure cloud cluster coadministration code
coincide collapse collect collection collective collector collision color colour column combination combine come
command comment commentary commit common communicate communication community compact companion company comparable
compare comparison compatible competing compilation compiled complement complete completion complex complexity
compliance complicated component composed composite composition compound comprehensive compression comprised
comprising compromise computer computing concentrate concentration concept concern concomitant concomitantly concrete
concurrent concurrently condition cone confidence confident configuration confine confirm confirmation conflict
confused confusion conjunction connect connection conscious consecutive consequence conservative consider considerably
consideration consist consistent console consolidated constant constituent constitute construct construction consumed
consumer consumption contact contain content context continuation continue continuity continuous contract
contraindicate contraindicated contraindication contrary contrast contribute contribution contributor control
controller convention conventional conversation conversion convert cool coordinate cope copy copyright core corner
corporate corpus correct correspondence corresponding corrupt corruption cost cough could count counterpart couple
course cover coverage crash create creation criteria critical crop cross crucial crude cubic cure current curve custom
cute cuts cycle daemon daily dance dangerous dark dash data database date days dead deadline deal dealt debate decay
december decide decision declaration declare decline decorated decoration decrease dedicate dedicated deemed deep
default defensive define definitely definition degree delay delegate delegation deliberately delicate delivered delta
demand demonstrate dense density depend dependent depth derivative derived derives descendant descent describe
description design designated desired desperate despite destination destroy detached detail detect detection
determination determine develop development device diagnosed dialect diarrhoea dictionary died dies differ difference
different differential difficult dimension dimensional diminish dine direct direction dirty disabled discipline
discover discovery discuss discussion disease disk disorder display dissolve distance distinct distinction distinguish
distributed distribution diversity divide divine division dizziness doctor doctrine document documentation does doing
domain dominate done dosage dose double down download downstream draft drain dramatically draw drawn drift drive
driven drone drop drove drowsiness drug drugs dual dumb duplicate duration during dynamic each eager earlier earliest
early ease easier easily easy echo edge edit edition editor effect effective efficiency efficient effort either
elaborate elderly element elementary eligible eliminate elimination else elsewhere email embedded employed empty
enable enclosed encoded encounter encourage ended ending ends energy engine enhance enough ensemble ensure enter
entire entity entry environment enzyme equal equality equation equivalent error escape especially essential establish
estimate evaluation even event eventual ever every everyone everything everywhere evidence exact examine example
exceed except exception excess excessive exchange excluded excluding exclusive excrete excretion executed execution
exercise exhausted exhibits exist existence exit expand expansion expect expectations expense expensive experience
experiment experimental expert expired explain explanation explicit explore export exposed exposure express expression
extend extension extensive extent external extra extreme face facilitate facility fact factor factory fail failure
fairly fake fall false familiar family fancy fashion fast fastest fatal fatigue fault favor favorite favour feat
feature february feed feedback feel fell feminine fever fewer field figure file fill filter final find fine finish
finite fire first fish fitted fitting five fixed flag flash flat flexible flight flip floating floor flow flush focus
fold folks follow fool forbidden force foreign forest forever forget forgot fork form formal format formula forth
forward found four fourth fraction fragile fragments frame framework free freedom freeze frequency frequent fresh
friday friendly friends from front frozen fulfill full fully function functional fundamental funny further furthermore
fusion future gain gamma garbage gate gather gave general generate generation generator generic genuine geometry gets
getting give given gives global goal goes going gold gone good gotten governing grab gradually graduate gram grammar
grant graph gray great greatest green grid ground group grow growth guarantee guard guess guidance guide guideline
guidelines half halt hand handful handle hang happen happy hard hardware harm harmful hatch have head headache
headline heal heart heavily heavy height held hello help hence hepatic here hidden hide hierarchy high highest
highlight hint historical history hits hitting hold hole home honestly honor hood hook hope hopefully horizontal
hospital host hostile hour however http huge human hundreds hurt hybrid hypothesis idea ideal identical identification
identify identity idol ignore illegal illustrate illustrated image imagine immediate impact impairment implement
implementation implications implied implies import importance important imposed impossible improve improvement
inappropriate incident include inclusion incomplete incorporate increase indeed independence independent index
indicate indicated indication individual induce induced inducer infant infants infect infection infinite influence
inform information infrastructure infusion inheritance inherited inhibit inhibitor initial initiated injection inner
input insane inserted inside inspection inspector inspired installation installed instance instant instead instruction
insufficient intact integral integrated integration integrity intend intensive intent intention inter interact
interaction interactive interchange interest interface interior intermediate internal interpretation interpreted
interrupted intersection interval intestine intimate into intravenous intravenously introduce introduction investigate
invisible involve isolated isolation issue item itself january jobs join joint july jump june just keep kept keys
kidney kill kind know knowledge known label lack laid land lang language large largest last late latest latter launch
layer layout lazy lead leaf leap learn least leave left legacy legal legend legitimate length less lets letter letting
level levels library license licensed lies life lifetime lift light lightweight like likewise limit limitations line
linear link list listen literally literature little live liver load local locate location lock logic logical lone long
longest look loop loose lose loss lost lots lower lowest lung machine machinery made magazine magic magnitude mail
main maintain maintenance major majority make manage management mandatory manner manual many mapping maps march margin
marine mark masculine mask mass master match material math mathematical matrix matter maximum maybe mean meant
meantime meanwhile measure measurement mechanics mechanism media median medicated medication medicinal medicine
medicines medium meet member membership memory mention merely merge mess message metabolise metabolize meter method
metric micro middle might migration mild milestone mind minimal minimum minor minute mirror miss missus mistake
mistaken mister mixed mixing mixture mock mode model moderate modern modifications modified module moment momentum
monday monitor monkey monotherapy month more moreover most motion mount move much multi multiple muscle must mutual
name narrow nationwide native natural nature nausea near nearest necessarily necessary neck need negative negotiate
neighbor neighborhood neither nerve nest network neutral never nevertheless newer newly next nice nine nobody node
noise none nonetheless norm normal notable notably note nothing notice notion november number numerous nurse object
objective observation observe obtain obvious occasionally occupied occur october odds offer official offs often okay
older oldest once ones ongoing online only onto onwards open operate operation operator opinion opportunity opposed
opposite option optional orally order ordinary organization organized orientation oriented origin original other
otherwise ought ourselves outcome outer outline output outside outstanding over overall overhead override owned owner
ownership owns pack package page pain pair panel paper parallel parameters parent part partial participate particular
partition party pass past patch path pathway patient patients patrol pattern pause peak peer penalty people percent
percentage perfect perform performance perhaps period permanent permission permit person personal perspective
pharmacist phase phone photo phrase physical physician physics pick piece pinned pipe pipeline pirate place placement
plain plan plane plasma platform play please plot plural plus point polar pole policy pool poor popped popular
populated population port portable portion position positive possibility possible possibly post postpone potential
potentiate power powerful practical practice preceded preceding precipitate precise precision predecessor predicted
prefer preference pregnancy pregnant preparation prepare prescribe prescribed prescriber prescription presence present
preservation preserve pressure presumably pretend pretty prevent previous pride primarily primary prime primitive
principal principle print prior priority private probability probably problem procedure proceed process processor
produce product production professor profile program progress prohibited project projection prolong prolongation
promise promote promotion prone proof proper property proportion proposal proposed protect protection protocol
prototype prove proven provide provoke public publication publish pull pure purpose push puts putting qualified
qualifier quality quantity quantum quarter question quick quiet quite quoted race radical radius raise random range
rank rapidly rare rash rate rather ratio rational reach reaction read readily ready real reality realize reason
reasonable rebuilt recall receive recent receptor recognition recognize recommend recommendation recommended
reconstruction record recover recovery rectangular reduce reduction refer reference refine reflect reflection refuse
regard regardless region register registration regular regulate rejected rejection related relating relation
relationship relative relax release relevant reliable relieve rely remain remainder remember remote removal remove
renal renamed rendered repeat replace replacement reply report represent representation representative request require
requirement research resemble reserve reside resolution resolve resort resource respect respective respond response
responsibility responsible rest restore restricted restrictions result resume retain retrieve return reverse review
revised revision rich ride right ring risk risks role roll room root rope rotating rotation rough round route routine
rows rule runner running runs sadly safe safely safety said sake saline same sample satisfy saturday save saying says
scale scan scattered scenario schedule scheme school scientific scope score scratch screen script search second
secondary secret section secure security seed seeing seek seem seemingly seen sees segment select selection selective
self sell send sense sensitive sent sentence separate separation september sequence serial series serious serum serve
service session sets setting several severe shadow shall shallow shape share sheet shell shift ship short shot should
show shown side sigh sigma sign signal signature significance significant silence silent similar similarities simple
simplified simply simulation simultaneously since single singular sink site sits situation size skin skip sleep slide
sliding slight slope slot slow small smallest smart smoke smooth soft software sole solid solution solve some somehow
someone something sometimes somewhat somewhere soon sort sought sound source space span spatial speaker speaking
special specialized specific specifically specification specified spectrum speech speed spell spend spent sphere spin
spine split spot spread square squeeze stability stable stack stage stamp stand standard star start state statement
static statistical statistics status stay stem step stereo stick still stimulate stomach stone stop storage store
straight strange strategy stream strength strict string strip strong structural structure stuck study stuff style
subject submit subsequent substantial substitute substrate subtle succeed success successful successive successor such
suffer sufficient sugar suggest suggestion suicide suitable suite summary sunday sunny super superior supervised
supply support suppose suppressed sure surface surgery surgical surprising surrounded surrounding survive suspect
swallow switch symbol symbolic symptom symptoms syndrome synonym synthetic system table tablet tail take taken takes
taking talk target task taught teacher team technical technique telephone tell temperature temporarily temporary tend
term terminal terminate terminated test text than thanks that their them theme themselves then theorem theoretical
theory therapist therapy there thereby therefore these thesis they thin thing think third this those though thought
thousands thread three threshold throne through throughout throw thrown thursday thus ticket tide tied ties tight
tightened tiles till time tiny tips title today together told tolerance tolerate tone took tool topic total touch
toward tower toxic toxicity trace track traditional traffic trailer trailing train transaction transfer transform
transformation transition translate translated translation transmission transparent transport treat treatment tree
trial triangle trick tried tries trigger trim trip triple trouble true truly trust truth trying tuesday tune turn
twice type typical ugly ultimate ultimately unable uncertainty unclear uncommon under underlying underneath understand
understood unexpected unfortunately unified uniform union unique unit unity universal unknown unless unlike unnamed
unsafe unsuccessful unsuitable until unusual upcoming update upgrade upon upper upstream urine usage used useful
useless user uses using usual utility utilized vaccine valid value variable variant variation variety various vary
vector velocity verb version versus vertical very vice video view violation virtual visible vision visit visitor
visual voice void volume vomit vomiting wait walk wall want ward warm warn waste watch wave ways weak weather website
wednesday week weekly weight weird welcome well went were what whatever wheel when whenever where whereas wherever
whether which while whilst white whole whom whose wide width wild will window wine wins wire wise wish with within
without woman women word work world worldwide worry worse worsen worst worth would wrap write written wrong wrote year
yellow yield your yourself zero zone
"""

FUNCTION_WORDS = frozenset(_FUNCTION_TEXT.split())
_ORDINARY = frozenset(_ORDINARY_TEXT.split())

# Suffix, and what may stand in its place in the base form.
_SUFFIXES = (
    ("ies", ("y",)),
    ("ied", ("y",)),
    ("ing", ("", "e")),
    ("es", ("", "e")),
    ("ed", ("", "e")),
    ("ers", ("", "e", "er")),
    ("er", ("", "e")),
    ("ly", ("",)),
    ("s", ("",)),
)


@lru_cache(maxsize=65_536)
def is_ordinary(word: str) -> bool:
    """Whether a lower-case word, or the base form it is inflected from, is ordinary English."""
    if word in FUNCTION_WORDS or word in _ORDINARY:
        return True
    for suffix, endings in _SUFFIXES:
        if not word.endswith(suffix):
            continue
        stem = word[: -len(suffix)]
        if any(stem + ending in _ORDINARY for ending in endings):
            return True
        if len(stem) > 3 and stem[-1] == stem[-2] and stem[:-1] in _ORDINARY:
            return True
    return False


def ending_share(ending: str) -> float:
    """The share of ordinary words with an ending, in [0, 1]."""
    return sum(word.endswith(ending) for word in _ORDINARY) / len(_ORDINARY)
