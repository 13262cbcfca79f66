/** The style of the page, its only resource; the page's policy admits exactly these bytes. */
export const STYLE = `
:root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--ink:#1b2330;--soft:#566173;--line:#d9dee6;--band:#f1f4f8;--ok:#0b7a4b;--ok-bg:#e3f5ec;--no:#b3261e;--no-bg:#fdeceb;--secret:#eef1ff;--secret-line:#5b6bd5;--work:#fff6e5;--work-line:#b5781a}
@media (prefers-color-scheme:dark){:root{--bg:#10141b;--card:#181e28;--ink:#e7ebf2;--soft:#a3adbd;--line:#303a49;--band:#1e2531;--ok:#4cc38a;--ok-bg:#133427;--no:#ff8a80;--no-bg:#431d1d;--secret:#232b52;--secret-line:#8b9bff;--work:#3a2d14;--work-line:#e0a94b}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif}
main{max-width:1080px;margin:0 auto;padding:32px 20px 64px}
header{display:flex;flex-wrap:wrap;gap:12px 24px;align-items:center;justify-content:space-between;margin-bottom:8px}
h1{font-size:26px;line-height:1.2;margin:0}
h2{font-size:18px;margin:36px 0 10px}
p{margin:6px 0}
.soft,caption,.legend{color:var(--soft)}
.badge{font-weight:650;font-size:16px;padding:8px 16px;border-radius:999px;border:1.5px solid}
.badge.ok,td.ok{color:var(--ok)}
.badge.no,td.no{color:var(--no)}
.badge.ok{background:var(--ok-bg)}
.badge.no{background:var(--no-bg)}
.card{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:16px 18px;margin:12px 0;overflow-x:auto}
.facts{display:flex;flex-wrap:wrap;gap:6px 8px;margin:0 0 12px;padding:0;list-style:none}
.facts li{border:1px solid var(--line);border-radius:999px;padding:2px 12px;font-size:13px}
.facts li.no{color:var(--no);border-color:var(--no);background:var(--no-bg)}
.facts b{font-weight:600}
table{border-collapse:collapse;width:100%;font-size:14px}
caption{text-align:left;font-size:13px;padding-bottom:6px}
th,td{text-align:left;vertical-align:top;padding:8px 12px 8px 0;border-top:1px solid var(--line)}
thead th{border-top:0;font-weight:600;color:var(--soft);font-size:13px;white-space:nowrap}
tbody th{font-weight:600}
td.ok,td.no{white-space:nowrap}
code,.name{font-family:ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace}
code{font-size:13px;overflow-wrap:anywhere}
summary{cursor:pointer;font-weight:600;padding:4px 0}
.legend{display:flex;flex-wrap:wrap;gap:4px 20px;font-size:13px;margin-top:10px}
.legend svg{width:44px;height:14px;vertical-align:-2px;margin-right:6px}
.lattice{display:block;width:100%;min-width:720px;height:auto}
.band{fill:none}
.band.even{fill:var(--band)}
.lattice text{fill:var(--ink)}
.lattice .column{font-size:13px;font-weight:600;fill:var(--soft)}
.lattice .end{text-anchor:end}
.lattice .level{font-size:24px;font-weight:700}
.lattice .phase,.lattice .note{font-size:12px;fill:var(--soft)}
.lattice .name{font-size:13px;font-weight:600}
.box rect{stroke-width:1.5}
.secret rect{fill:var(--secret);stroke:var(--secret-line)}
.workload rect{fill:var(--work);stroke:var(--work-line)}
.foreign rect{stroke-dasharray:5 4}
.flow path{fill:none;stroke-width:2}
.flow.ok path{stroke:var(--ok)}
.flow.no path{stroke:var(--no);stroke-dasharray:7 5}
marker.ok path{fill:var(--ok)}
marker.no path{fill:var(--no)}
.cross circle{fill:var(--card);stroke:var(--no);stroke-width:1.5}
.cross path{stroke:var(--no);stroke-width:2.2;stroke-linecap:round}
@media print{body{background:#fff}.card{break-inside:avoid}}
`;
