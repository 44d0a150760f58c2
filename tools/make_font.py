"""Make helpers/show/fonts/LingxiSans.otf, the Chinese font of figures ｜ 生成图用的中文字体。

    python tools/make_font.py /usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc

The source is Noto Sans CJK (SIL Open Font License 1.1, no reserved font name), for instance from
the Debian package fonts-noto-cjk. The result is one face, Simplified Chinese: the printable ASCII
characters, Chinese punctuation, full-width forms, and the 3,755 characters of GB2312 level 1.
The same source gives the same bytes each time. Needs fonttools (`pip install fonttools`).
"""

import argparse
from pathlib import Path

FAMILY = "Lingxi Sans"
FACE = "Noto Sans CJK SC"
TARGET = Path(__file__).resolve().parents[1] / "helpers" / "fonts" / "LingxiSans.otf"
EXTRA = "熵阈噪溪璐碚垚飙"  # words of the course that level 1 lacks: 熵 entropy, 阈 threshold
MARKS = "·—‘’“”…‰′″℃→←↑↓×÷±≤≥≈≠∞√■□▲△●○★☆①②③④⑤⑥⑦⑧⑨⑩"


def wanted() -> str:
    """Return every character that the subset holds, in code point order."""
    level1 = (
        bytes((high, low)).decode("gb2312", "ignore")
        for high in range(0xB0, 0xD8)
        for low in range(0xA1, 0xFF)
    )
    ascii_chars = map(chr, range(0x20, 0x7F))
    punctuation = map(chr, range(0x3000, 0x3020))
    fullwidth = map(chr, [*range(0xFF01, 0xFF5F), 0xFFE5])
    return "".join(
        sorted({*"".join(level1), *ascii_chars, *punctuation, *fullwidth, *EXTRA, *MARKS})
    )


def load_face(source: Path):
    """Return the face FACE of a .ttc, or the only face of an .otf, as a fontTools TTFont."""
    from fontTools.ttLib import TTCollection, TTFont

    if source.suffix.lower() != ".ttc":
        return TTFont(source, recalcTimestamp=False)
    for font in TTCollection(source).fonts:
        if font["name"].getDebugName(4) == FACE:
            font.recalcTimestamp = False
            return font
    raise SystemExit(f"{source}: no face named {FACE!r} ｜ 没有名为 {FACE} 的字体")


def shrink(font) -> None:
    """Keep the wanted characters alone, without hints, kerning or vertical metrics."""
    from fontTools import subset

    options = subset.Options()
    options.hinting = False  # matplotlib hints by itself
    options.layout_features = []
    options.drop_tables += ["BASE", "GDEF", "GPOS", "GSUB", "VORG", "vhea", "vmtx"]
    options.name_IDs = ["*"]
    options.recalc_timestamp = False
    options.notdef_outline = True
    subsetter = subset.Subsetter(options)
    subsetter.populate(text=wanted())
    subsetter.subset(font)


def rename(font) -> None:
    """Give the family its own name everywhere; copyright and licence entries stay."""
    postscript = FAMILY.replace(" ", "") + "-Regular"
    name = font["name"]
    version = name.getDebugName(5).split(";")[0]
    name.names = [n for n in name.names if n.langID == 0x409 and n.nameID not in (7, 16, 17)]
    texts = {1: FAMILY, 2: "Regular", 3: f"{version};{postscript}", 4: FAMILY, 6: postscript}
    texts[10] = f"Subset of {FACE}, made by tools/make_font.py"
    for name_id, text in texts.items():
        name.setName(text, name_id, 3, 1, 0x409)
    cff = font["CFF "].cff
    cff.fontNames = [postscript]
    top = cff.topDictIndex[0]
    top.FullName, top.FamilyName = FAMILY, FAMILY
    for key in ("Notice", "Copyright"):
        if hasattr(top, key):
            setattr(top, key, name.getDebugName(0).replace("©", "(c)"))


def main() -> None:
    """Read the arguments, write the font, print its size."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("source", type=Path, help="NotoSansCJK-Regular.ttc")
    parser.add_argument("--out", type=Path, default=TARGET)
    args = parser.parse_args()
    if not args.source.is_file():
        raise SystemExit(
            f"{args.source}: no such file; install fonts-noto-cjk ｜ "
            "没有这个文件，请安装 fonts-noto-cjk"
        )
    font = load_face(args.source)
    shrink(font)
    rename(font)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    font.save(args.out)
    characters = len(font.getBestCmap())
    size = f"{args.out.name}, {args.out.stat().st_size / 1e3:.0f} kB"
    print(f"{size}: {characters} characters ｜ {characters} 个字符")


if __name__ == "__main__":
    main()
