"""The words of every world: lay words that the school teaches, official words that cities choose.

Lay words (acts, places, vehicles, everyday nouns) are common to all worlds. Official words are not:
a schoolbook city draws its own from the pools here, and Lingxi has words that no other city uses.
"""

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

# Formal words from which a schoolbook city may coin an official term of its own.
FORMAL_EN = (
    ("undue", "improper", "irregular", "wilful", "negligent", "minor", "grave", "manifest", "covert",
     "repeated", "second-class", "first-class", "public", "reckless", "prohibited", "unlicensed"),
    ("conduct", "passage", "usage", "misuse", "hindrance", "carriage", "transit work", "tarrying",
     "exposure", "nuisance", "omission", "presence", "trespass", "manoeuvre", "default", "venture"),
)
FORMAL_ZH = (
    ("不当", "擅自", "过失", "故意", "一般", "严重", "轻微", "反复", "公然", "甲类", "乙类", "丙类",
     "无证", "违规", "临时", "特别"),
    ("妨行", "滞留", "扰序", "占用", "越界", "失范", "逗留", "冒进", "失察", "疏漏", "侵道", "碍路",
     "误用", "躁动", "驻足", "失责"),
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
CITIES = (  # schoolbook cities; Lingxi is not among them
    ("Anhe", "安禾"), ("Beihe", "北河"), ("Changshan", "长山"), ("Donglin", "东林"),
    ("Fenghe", "丰禾"), ("Guhe", "古河"), ("Hongyan", "红岩"), ("Jinquan", "金泉"),
    ("Liuzhou", "柳洲"), ("Meihu", "梅湖"), ("Nanpu", "南浦"), ("Pingshui", "平水"),
    ("Qingtan", "青潭"), ("Songying", "松影"), ("Tianling", "天岭"), ("Wuqiao", "五桥"),
    ("Xiling", "西岭"), ("Yunhai", "云海"), ("Zhulin", "竹林"), ("Baiyu", "白屿"),
)

# fmt: on

# Everyday words: the lexicon that the school drills both ways.
WORDS = """
apple 苹果|pear 梨|peach 桃子|grape 葡萄|banana 香蕉|orange 橙子|lemon 柠檬|melon 瓜|plum 李子|cherry 樱桃
rice 米饭|bread 面包|noodles 面条|soup 汤|egg 鸡蛋|meat 肉|fish 鱼|salt 盐|sugar 糖|oil 油|tea 茶|milk 牛奶
water 水|juice 果汁|cake 蛋糕|tofu 豆腐|carrot 胡萝卜|potato 土豆|tomato 番茄|onion 洋葱|cabbage 白菜|corn 玉米
cat 猫|dog 狗|horse 马|cow 牛|sheep 羊|pig 猪|chicken 鸡|duck 鸭子|goose 鹅|rabbit 兔子|mouse 老鼠|tiger 老虎
lion 狮子|bear 熊|monkey 猴子|snake 蛇|bird 鸟|frog 青蛙|bee 蜜蜂|ant 蚂蚁|wolf 狼|fox 狐狸|deer 鹿|elephant 大象
table 桌子|chair 椅子|bed 床|door 门|window 窗户|lamp 灯|cup 杯子|bowl 碗|plate 盘子|spoon 勺子|knife 刀|key 钥匙
box 箱子|bag 包|book 书|pen 笔|paper 纸|map 地图|clock 钟|mirror 镜子|umbrella 雨伞|bottle 瓶子|basket 篮子|rope 绳子
hat 帽子|coat 外套|shirt 衬衫|shoe 鞋|sock 袜子|glove 手套|scarf 围巾|skirt 裙子|button 纽扣|ring 戒指
hand 手|foot 脚|head 头|eye 眼睛|ear 耳朵|nose 鼻子|mouth 嘴|tooth 牙齿|hair 头发|heart 心
father 爸爸|mother 妈妈|brother 哥哥|sister 姐姐|son 儿子|daughter 女儿|friend 朋友|child 孩子|baby 婴儿|family 家庭
doctor 医生|nurse 护士|teacher 老师|student 学生|farmer 农民|worker 工人|driver 司机|cook 厨师|singer 歌手|writer 作家
painter 画家|lawyer 律师|judge 法官|soldier 士兵|engineer 工程师|scientist 科学家|police officer 警察|guard 保安
sun 太阳|moon 月亮|star 星星|sky 天空|cloud 云|rain 雨|snow 雪|wind 风|fire 火|ice 冰|river 河|lake 湖|sea 海
mountain 山|forest 森林|tree 树|flower 花|grass 草|leaf 叶子|stone 石头|sand 沙子|island 岛|field 田野|garden 花园
spring 春天|summer 夏天|autumn 秋天|winter 冬天|morning 早上|noon 中午|evening 傍晚|night 夜晚|today 今天|tomorrow 明天
yesterday 昨天|hour 小时|minute 分钟|week 星期|month 月份|year 年|city 城市|village 村庄|street 街道|road 路|house 房子
school 学校|hospital 医院|market 市场|bank 银行|shop 商店|library 图书馆|museum 博物馆|station 车站|bridge 桥|tunnel 隧道
park 公园|factory 工厂|hotel 旅馆|airport 机场|harbour 港口|tower 塔|wall 墙|gate 大门|room 房间|kitchen 厨房
car 轿车|van 面包车|truck 卡车|taxi 出租车|bus 公交车|train 火车|plane 飞机|ship 轮船|boat 小船|bicycle 自行车
red 红色|blue 蓝色|white 白色|black 黑色|grey 灰色|green 绿色|yellow 黄色|silver 银色|brown 棕色|purple 紫色
big 大|small 小|long 长|short 短|high 高|low 低|hot 热|cold 冷|new 新|old 旧|fast 快|slow 慢|good 好|bad 坏
happy 高兴|sad 难过|tired 累|hungry 饿|busy 忙|quiet 安静|loud 吵|clean 干净|dirty 脏|heavy 重|light 轻|bright 明亮
eat 吃|drink 喝|sleep 睡觉|walk 走路|run 跑|jump 跳|sing 唱歌|dance 跳舞|read 读|write 写|draw 画画|swim 游泳
buy 买|sell 卖|open 打开|close 关上|give 给|take 拿|see 看见|hear 听见|speak 说话|laugh 笑|cry 哭|work 工作|play 玩
one 一|two 二|three 三|four 四|five 五|six 六|seven 七|eight 八|nine 九|ten 十|fine 罚款|point 分|rule 规定|office 科室
"""


def words() -> list[tuple[str, str]]:
    """Return the everyday lexicon as (English, Chinese) pairs."""
    items = [item.strip() for item in WORDS.replace("\n", "|").split("|") if item.strip()]
    return [tuple(item.rsplit(" ", 1)) for item in items]  # type: ignore[misc]


def pairs() -> list[tuple[Act, Place]]:
    """Return every (act, place) that can happen: an act where vehicles stand, drive or crawl."""
    return [(a, p) for a in ACTS for p in PLACES if set(a.where) & set(p.kind)]
