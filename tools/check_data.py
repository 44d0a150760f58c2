"""Check a training file of any kind: which rows can be learned from, and why the others cannot.

检查任意格式的训练数据文件：哪些行可以训练，其余的行为什么不行。
"""

import argparse
import json
import sys
import tempfile
from contextlib import redirect_stdout
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from helpers.base import CourseError
from helpers.data.check import Report, check_file


def as_json(report: Report) -> dict:
    """Return what `--json` prints; each reason and its mend in both languages."""
    return {
        "kept": report.good,
        "left_out": [
            {
                **{name: value for name in ("part", "line", "row")
                   if (value := getattr(problem, name)) is not None},
                "reason": f"{problem.en} ｜ {problem.zh}",
                "mend": f"{problem.mend_en} ｜ {problem.mend_zh}",
            }
            for problem in report.first
        ],
        "notices": report.noticed(),
        "error": str(report.error) if report.error else None,
    }  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    """Check the file; return 0 where something is kept, else 1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", help="JSON, JSONL, CSV, Excel, Parquet, … ｜ 数据文件")
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object ｜ 输出一个 JSON 对象"
    )
    args = parser.parse_args(argv)
    sys.stdout.reconfigure(encoding="utf-8")
    try:
        if not args.json:
            report = check_file(args.file)
            print(report)
            if report.good:
                print(f"→ {report.rows}")
            return int(not report.good)
        with tempfile.TemporaryDirectory() as folder, redirect_stdout(sys.stderr):
            report = as_json(check_file(args.file, folder, shown=sys.maxsize))
    except CourseError as error:
        report = {"kept": 0, "left_out": [], "notices": [], "error": str(error)}
        if not args.json:
            print(f"❌ {error}")
            return 1
    except Exception as error:  # a fault of this tool, not of the file
        words = f"{type(error).__name__}: {error}"
        en, zh = f"this tool failed ({words})", f"检查工具出错（{words}）"
        report = {"kept": 0, "left_out": [], "notices": [], "error": f"{args.file}: {en} ｜ {zh}"}
        if not args.json:
            print(f"❌ {report['error']}")
            return 1
    print(json.dumps(report, ensure_ascii=False))
    return int(not report["kept"])


if __name__ == "__main__":
    sys.exit(main())
