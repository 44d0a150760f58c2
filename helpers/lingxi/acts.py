"""The kinds of offence, in the words of every city and in Lingxi's own."""

from typing import NamedTuple


class Act(NamedTuple):
    """One kind of offence: lay forms per language, official words of other cities and of Lingxi."""

    key: str
    where: (
        str  # classes of place, see Place.kind: r = moving road, s = standing place, w = slow way
    )
    ing: str  # "parking", as articles and questions say it
    past: tuple[str, ...]  # "was parked", as reports say it
    zh: tuple[str, ...]  # the first as articles say it, the others as reports may
    pool_en: tuple[str, ...]
    pool_zh: tuple[str, ...]
    lingxi_en: str
    lingxi_zh: str


# fmt: off
ACTS = (
    Act("park", "s", "parking", ("was parked", "was left standing"), ("停车", "停着不走"),
        ("unlawful halting", "idle stationing"), ("违章停放", "占位停靠"),
        "static occupation", "静置车辆"),
    Act("unload", "s", "unloading goods", ("was unloading goods", "stopped to unload goods"),
        ("卸货", "停下卸货"), ("goods discharge", "freight handling"), ("违章装卸", "货物落地"),
        "cargo setting-down", "卸放货载"),
    Act("wash", "s", "washing a car", ("was being washed", "was washed by its driver"),
        ("洗车", "停下洗车"), ("vehicle rinsing", "unlawful cleaning"), ("违章清洗", "当街冲车"),
        "wet cleansing", "湿洁车体"),
    Act("engine", "s", "leaving the engine running",
        ("had its engine left running", "stood with the engine running"),
        ("停车不熄火", "一直没熄火"), ("engine idling", "needless running"), ("怠速停留", "空转排气"),
        "motor vigil", "机器空候"),
    Act("sell", "s", "selling goods from a car",
        ("was used to sell goods", "had goods on sale in the boot"), ("摆摊卖货", "打开后备箱卖货"),
        ("mobile vending", "roadside trading"), ("占道经营", "流动售卖"),
        "wheeled commerce", "轮上营商"),
    Act("repair", "s", "repairing a car", ("was being repaired", "was repaired on the spot"),
        ("修车", "停下修车"), ("roadside mending", "unlawful overhaul"), ("违章维修", "占道检修"),
        "open-air refitting", "露天整备"),
    Act("litter", "rsw", "throwing rubbish", ("threw rubbish out of the window", "threw rubbish"),
        ("乱扔垃圾", "从车里扔出垃圾"), ("waste dumping", "refuse throwing"), ("抛洒杂物", "抛弃废物"),
        "shedding of refuse", "遗落秽物"),
    Act("honk", "rsw", "sounding the horn", ("sounded the horn again and again", "honked for a long time"),
        ("按喇叭", "连续按喇叭"), ("noise signalling", "unlawful hooting"), ("违章鸣笛", "声响扰民"),
        "acoustic disturbance", "鸣器扰静"),
    Act("music", "rsw", "playing loud music", ("played loud music", "had its music turned up loud"),
        ("大声放音乐", "把音乐开得很响"), ("sound nuisance", "excess volume"), ("高声播放", "音量超标"),
        "amplified revelry", "扩音喧乐"),
    Act("door", "s", "opening a door without looking",
        ("opened a door without looking", "had a door opened blindly"),
        ("不看后方就开车门", "没看后方就推开车门"), ("careless door use", "unsafe alighting"),
        ("违章开门", "开门妨碍通行"), "blind egress", "盲启车门"),
    Act("overtake", "r", "overtaking", ("overtook another car", "overtook a van"),
        ("超车", "强行超车"), ("unlawful passing", "improper advance"), ("违章超越", "强行越位"),
        "forward displacement", "越序前行"),
    Act("uturn", "rw", "making a U-turn", ("made a U-turn", "turned all the way round"),
        ("掉头", "突然掉头"), ("reversal of course", "unlawful turning"), ("违章回转", "就地折返"),
        "directional inversion", "逆转行向"),
    Act("speed", "rw", "driving too fast", ("drove too fast", "went far too fast"),
        ("开得太快", "车速过快"), ("excess velocity", "unlawful haste"), ("超速行驶", "违章疾驶"),
        "celerity breach", "速度逾限"),
    Act("reverse", "rw", "driving backwards", ("drove backwards", "went backwards"),
        ("倒车", "一路倒车"), ("retrograde driving", "unlawful backing"), ("违章后退", "反向移动"),
        "rearward transit", "车尾先行"),
    Act("phone", "rw", "using a phone at the wheel",
        ("had a driver on the phone", "had a driver who was using a phone"),
        ("开车看手机", "边开车边看手机"), ("distracted control", "device handling"),
        ("分心驾驶", "手持通话"), "handset diversion", "执机分神"),
    Act("lights", "rw", "driving without lights", ("drove without lights", "drove with its lights off"),
        ("开车不开灯", "没有开灯"), ("unlit running", "lamp neglect"), ("违章熄灯", "灯光缺失"),
        "dark passage", "无光行驶"),
    Act("race", "rw", "racing", ("raced another car", "took part in a race"),
        ("飙车", "和别的车飙车"), ("street contest", "unlawful rivalry"), ("追逐竞驶", "违章竞速"),
        "competitive pursuit", "逐速竞行"),
    Act("wrongway", "r", "driving the wrong way", ("drove the wrong way", "drove against the traffic"),
        ("逆行", "迎面逆行"), ("contrary motion", "unlawful direction"), ("反向行驶", "违章对行"),
        "counterflow", "背流而行"),
    Act("belt", "rw", "driving without a seat belt",
        ("had a driver without a seat belt", "drove with the seat belt undone"),
        ("开车不系安全带", "没系安全带"), ("restraint neglect", "unbelted driving"),
        ("未用束带", "缺少约束"), "strap omission", "束缚未施"),
    Act("crowd", "rw", "carrying too many people",
        ("carried too many people", "had too many people inside"),
        ("载人太多", "车里挤了太多人"), ("passenger excess", "unlawful loading"),
        ("违章超员", "载客过量"), "surplus occupancy", "逾额载员"),
)
# fmt: on
