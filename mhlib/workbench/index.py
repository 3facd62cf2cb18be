"""One static page over all published reports, written from their run.json alone."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path

from mhlib.workbench.publish import write_file
from mhlib.workbench.workspace import Workspace

CSS = """
:root{color-scheme:light dark;--ink:#1d2733;--soft:#566373;--line:#d7dde4;--page:#fff;--link:#0b5c8a;--bad:#a3260f}
@media(prefers-color-scheme:dark){:root{--ink:#e6ebf0;--soft:#a8b3bf;--line:#36424e;--page:#14191f;--link:#7cc4ee;
--bad:#ff9b85}}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.65 "PingFang SC","Microsoft YaHei","Noto Sans CJK SC",
"Source Han Sans SC",system-ui,sans-serif}
main{max-width:62rem;margin:0 auto;padding:2.5rem 1.25rem}
h1{font-size:1.7rem;margin:0 0 .4rem}h2{font-size:1.15rem;margin:2rem 0 .5rem}
p{margin:.3rem 0;color:var(--soft)}.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.55rem .8rem .55rem 0;
border-bottom:1px solid var(--line);vertical-align:top}th{font-weight:600;color:var(--soft);font-size:.9rem}
a{color:var(--link)}.bad{color:var(--bad)}code{font-size:.85em}
"""
NAMES = {
    "screening_validity": ("筛查效度", "Screening validity"),
    "intervention_outcomes": ("干预结局评价", "Intervention outcomes"),
    "teacher_training": ("教师培训评价", "Teacher training"),
}


def write_index(workspace: Workspace) -> Path:
    """Write `reports/index.html`."""
    sets = sorted({path.parents[2].name for path in workspace.reports.glob("[!.]*/*/*/run.json")})
    body = (
        "".join(_section(workspace, name) for name in sets)
        or '<p>还没有报告。<span lang="en">No report yet.</span></p>'
    )
    page = (
        '<!doctype html>\n<html lang="zh-CN"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><title>报告目录 · Reports</title>'
        f'<style>{CSS}</style></head><body><main><h1>报告目录 <span lang="en">Reports</span></h1>'
        "<p>每一行是一份参数文件的最新报告。标注“模拟”的报告不代表任何真实地区。</p>"
        '<p lang="en">Each row is the latest report of one parameter file. Those marked as simulated stand for no real '
        f"place.</p>{body}</main></body></html>\n"
    )
    path = workspace.reports / "index.html"
    write_file(path, page)
    return path


def _section(workspace: Workspace, name: str) -> str:
    # A folder that holds only a lock belongs to a first run that has not ended.
    rows = [_row(folder) for folder in sorted((workspace.reports / name).iterdir()) if any(folder.glob("*/run.json"))]
    head = "".join(f'<th scope="col">{zh} <span lang="en">{en}</span></th>' for zh, en in (
        ("报告", "Report"), ("阅读", "Read"), ("截至", "As of"), ("来源", "Source"), ("运行", "Run")))  # fmt: skip
    return (f"<h2>{escape(name)}</h2><div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{escape(name)}\">"
            f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>")  # fmt: skip


def _row(folder: Path) -> str:
    failed = folder / "failed" / "run.json"
    records = [
        json.loads(path.read_text("utf-8")) for path in folder.glob("*/run.json") if path.parent.name != "failed"
    ]
    newest = max(records, key=lambda record: record["started"], default=None)
    broken = json.loads(failed.read_text("utf-8")) if failed.is_file() else None
    record = newest or broken
    zh, en = NAMES.get(record["evaluation"], (record["evaluation"], record["evaluation"]))
    links = [f'<a href="{escape(folder.parent.name)}/{escape(folder.name)}/latest.{code}.html" lang="{code}">{word}</a>'
             for code, word in (("zh", "中文"), ("en", "English")) if (folder / f"latest.{code}.html").is_file()]  # fmt: skip
    source = escape(record["source"]) + (" · 模拟" if record["source"].startswith("synthetic:") else "")
    state = f"<code>{escape(newest['run_id'])}</code>" if newest else ""
    if broken:
        state += (f' <span class="bad">最近一次运行失败（退出码 {broken["exit_code"]}）'
                  f'<span lang="en"> last run failed: {escape(str(broken["error_class"]))}</span></span>')  # fmt: skip
    title = (
        f'<th scope="row">{escape(zh)} <span lang="en">{escape(en)}</span><br><code>{escape(folder.name)}</code></th>'
    )
    return (f"<tr>{title}<td>{' · '.join(links)}</td><td>{escape(str(record['as_of']))}</td><td>{source}</td>"
            f"<td>{state}</td></tr>")  # fmt: skip
