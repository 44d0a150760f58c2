"""The words of every world: lay words that the school teaches, official words that cities choose.

Lay words (acts, places, vehicles, everyday nouns) are common to all worlds. Official words are not:
a schoolbook city draws its own from the pools here, and Lingxi has words that no other city uses.
"""

from functools import cache

# fmt: off
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


@cache
def words() -> list[tuple[str, str]]:
    """Return the everyday lexicon as (English, Chinese) pairs."""
    items = [item.strip() for item in WORDS.replace("\n", "|").split("|") if item.strip()]
    return [tuple(item.rsplit(" ", 1)) for item in items]  # type: ignore[misc]
