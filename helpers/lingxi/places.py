"""The places where offences happen, and the other lay words of a report."""

from functools import cache
from typing import NamedTuple

from helpers.lingxi.acts import ACTS, Act


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
