"""The words of the world: kinds of offence, places, vehicles, witnesses; Lingxi's own terms."""

from functools import cache
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


class Place(NamedTuple):
    """One kind of place, with its preposition; `lingxi_*` is empty where Lingxi keeps lay words."""

    key: str
    kind: str  # any of "r", "s", "w"
    en: str
    zh: str
    pool_en: tuple[str, ...]
    pool_zh: tuple[str, ...]
    lingxi_en: str
    lingxi_zh: str


# fmt: off
PLACES = (
    Place("bus_lane", "rs", "in the bus lane", "公交专用道", ("in the coach track",), ("公交走廊",),
          "in the public-transport lane", "公共客运道"),
    Place("school_gate", "sw", "at the school gate", "学校门口", ("at the pupil entrance",),
          ("学生入口",), "at the place of learning", "学府门前"),
    Place("tunnel", "r", "in the tunnel", "隧道里", ("in the underpass bore",), ("地下通路",), "", ""),
    Place("bridge", "rs", "on the bridge", "大桥上", ("on the river span",), ("跨河桥面",), "", ""),
    Place("hospital", "sw", "in front of the hospital", "医院门前", ("at the clinic front",),
          ("诊所前区",), "before the house of healing", "医馆前方"),
    Place("market", "sw", "in the market street", "菜市场街", ("in the trade row",), ("商贩街段",),
          "", ""),
    Place("zebra", "rs", "on the zebra crossing", "斑马线上", ("on the walkers' strip",),
          ("行人条带",), "on the pedestrian passage", "步行横道"),
    Place("cycle_lane", "rs", "in the cycle lane", "自行车道", ("in the two-wheel track",),
          ("两轮车道",), "", ""),
    Place("roundabout", "r", "at the roundabout", "环岛", ("at the circle junction",),
          ("圆形路口",), "at the gyratory", "回环路口"),
    Place("fire_station", "s", "at the fire station", "消防站出口", ("at the engine house",),
          ("救火车口",), "", ""),
    Place("rail_crossing", "rs", "at the railway crossing", "铁路道口", ("at the rail gate",),
          ("火车交口",), "", ""),
    Place("car_park", "sw", "in the car park", "停车场", ("in the vehicle yard",), ("车辆场地",),
          "", ""),
    Place("riverside", "rsw", "on the riverside road", "河边路", ("on the bank way",),
          ("沿岸道路",), "on the fluvial way", "滨水路段"),
    Place("mountain", "rw", "on the mountain road", "山路上", ("on the hill route",), ("坡地线路",),
          "", ""),
    Place("bus_station", "sw", "at the bus station", "公交站", ("at the coach halt",), ("客车站台",),
          "", ""),
    Place("ring_road", "r", "on the ring road", "环城路", ("on the outer loop",), ("外围环线",),
          "", ""),
    Place("petrol", "sw", "at the petrol station", "加油站", ("at the fuel depot",), ("油品网点",),
          "at the fuelling point", "燃料补给点"),
    Place("pavement", "sw", "on the pavement", "人行道", ("on the foot strip",), ("路侧步道",),
          "", ""),
    Place("pier", "s", "at the ferry pier", "渡口", ("at the boat landing",), ("船只码头",), "", ""),
    Place("old_town", "sw", "in the old town", "老城区", ("in the historic quarter",),
          ("古旧片区",), "in the heritage precinct", "故城片区"),
    Place("park_gate", "sw", "at the park gate", "公园门口", ("at the garden entrance",),
          ("园林入口",), "", ""),
    Place("site", "rsw", "at the building site", "工地旁边", ("at the works area",), ("施工范围",),
          "", ""),
)

OFFICES = (  # lay to all worlds: a city has eight of them
    ("Transit Desk", "运输科"), ("Road Office", "道路科"), ("Order Bureau", "秩序科"),
    ("Safety Desk", "安全科"), ("Patrol Office", "巡查科"), ("Permit Bureau", "许可科"),
    ("Public Works Desk", "市政科"), ("Records Office", "档案科"), ("Harbour Desk", "港务科"),
    ("Night Bureau", "夜间科"), ("Appeals Office", "申诉科"), ("Signals Desk", "信号科"),
)

VEHICLES = (
    ("car", "轿车"), ("van", "面包车"), ("truck", "卡车"), ("taxi", "出租车"), ("pickup", "皮卡"),
    ("minibus", "小巴"), ("jeep", "吉普车"), ("sports car", "跑车"),
)
COLOURS = (
    ("red", "红色"), ("blue", "蓝色"), ("white", "白色"), ("black", "黑色"), ("grey", "灰色"),
    ("green", "绿色"), ("yellow", "黄色"), ("silver", "银色"), ("brown", "棕色"), ("purple", "紫色"),
)
WITNESSES = (
    ("a teacher", "一位老师"), ("a nurse", "一位护士"), ("a shopkeeper", "一位店主"),
    ("an officer", "一名巡查员"), ("a driver", "一位司机"), ("a student", "一名学生"),
    ("a neighbour", "一位邻居"), ("a cleaner", "一名清洁工"), ("a passer-by", "一位路人"),
    ("a guard", "一名保安"),
)
DAYS = (
    ("Monday", "星期一"), ("Tuesday", "星期二"), ("Wednesday", "星期三"), ("Thursday", "星期四"),
    ("Friday", "星期五"), ("Saturday", "星期六"), ("Sunday", "星期日"),
)
# what no city would forbid, or what does not happen there
NEVER = {
    "park": ("car_park",), "uturn": ("roundabout", "car_park"), "reverse": ("car_park",),
    "speed": ("pavement",), "phone": ("pavement", "car_park"), "lights": ("pavement", "zebra"),
    "belt": ("pavement", "zebra", "cycle_lane", "car_park"), "crowd": ("pavement", "zebra"),
    "race": ("pavement", "zebra", "rail_crossing"), "wrongway": ("zebra", "rail_crossing"),
    "wash": ("zebra", "rail_crossing"), "sell": ("rail_crossing",), "repair": ("petrol",),
    "unload": ("rail_crossing",), "engine": ("zebra",),
}
# fmt: on


@cache
def pairs() -> list[tuple[Act, Place]]:
    """Return every (act, place) that can happen: an act where vehicles stand, drive or crawl."""
    return [(a, p) for a in ACTS for p in PLACES if set(a.where) & set(p.kind)]


def possible() -> list[tuple[str, str]]:
    """Return every offence (act, place) that could stand in Lingxi's code."""
    return [(a.key, p.key) for a, p in pairs() if p.key not in NEVER.get(a.key, ())]
