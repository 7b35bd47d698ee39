"use strict";
// Draws the page from the rows and counts in it. What they hold came from a network: it is only ever set as text.

const NUMBER = 0, AT = 1, CONNECTION = 2, BY_CLIENT = 3, TYPE = 4, OPERATION = 5, TARGET = 6, ENDING = 7, KIND = 8, SIZE = 9,
  ID = 10, REQUEST = 11, LATENCY = 12, EXPECTED = 13, SAYS = 14, DETAILS = 15, REQUEST_DETAILS = 16;
const LANES = 5;        // lanes of each side; the others share one
const OPTIONS = 200;    // operations in the filter
const HEAD = 28;        // height of what stands above the list, as in the style

const find = (id) => document.getElementById(id);
const read = (id) => JSON.parse(find(id).textContent);
const rows = read("rows"), about = read("about"), words = about.words;
const whole = new Intl.NumberFormat("en");
const several = (count, what) => `${whole.format(count)} ${what}${count === 1 ? "" : "s"}`;
const narrow = matchMedia("(max-width: 700px)");

function make(name, attributes = {}, ...children) {
  const made = ["svg", "line", "path", "text"].includes(name)
    ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function duration(microseconds) {
  if (microseconds === null || microseconds === undefined) return "";
  if (microseconds < 1e3) return `${Number(microseconds.toPrecision(3))} µs`;
  return microseconds < 1e6 ? `${Number((microseconds / 1e3).toPrecision(3))} ms` : `${Number((microseconds / 1e6).toPrecision(3))} s`;
}
const seconds = (value) => value === null ? "-" : duration(value * 1e6);

function moment(microseconds) {
  const date = new Date(Math.floor(microseconds / 1000));
  return Number.isNaN(date.getTime()) ? `${microseconds / 1e6} s` : date.toISOString().slice(0, 23).replace("T", " ") + String(microseconds % 1000).padStart(3, "0");
}
const clock = (row) => moment(about.first + row[AT]).slice(-15);

// --- what belongs together --------------------------------------------------------------------------------------------

const index = new Map(), answers = new Map(), details = new Map();
rows.forEach((row, at) => {
  index.set(row[NUMBER], at);
  if (row[REQUEST] !== null) answers.set(row[REQUEST], row[NUMBER]);
  if (row[DETAILS]) details.set(row[NUMBER], row[DETAILS]);
  if (row[REQUEST_DETAILS]) details.set(row[REQUEST], row[REQUEST_DETAILS]);
});
const isRequest = (row) => words[row[TYPE]] === "Request" || words[row[TYPE]] === "LocateRequest";
const isOpen = (row) => isRequest(row) && row[EXPECTED] && !answers.has(row[NUMBER]);

const lanes = [];
const laneOf = (() => {
  const counts = [new Map(), new Map()];
  const ends = (number) => {
    const [client, server] = about.connections[number];
    return [client.replace(/:\d+$/, ""), server];
  };
  for (const row of rows) ends(row[CONNECTION]).forEach((end, side) => counts[side].set(end, (counts[side].get(end) ?? 0) + 1));
  const numbers = counts.map((ofSide, side) => {
    const role = ["client", "server"][side], most = [...ofSide].sort((a, b) => b[1] - a[1]), found = new Map();
    const own = most.slice(0, most.length > LANES + 1 ? LANES : LANES + 1).map(([end]) => end).sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
    for (const end of own) found.set(end, lanes.push(`${end} (${role})`) - 1);
    const rest = most.slice(own.length);
    if (rest.length) {
      const lane = lanes.push(`${rest.length} other ${role}s`) - 1;
      for (const [end] of rest) found.set(end, lane);
    }
    return found;
  });
  const found = {};
  for (const number of Object.keys(about.connections)) found[number] = ends(number).map((end, side) => numbers[side].get(end));
  return found;
})();
const letter = (lane) => String.fromCharCode(65 + lane);
const place = (lane) => (lane + 0.5) / lanes.length * 100;

// --- filter -----------------------------------------------------------------------------------------------------------

const field = { query: find("query"), operation: find("operation"), outcome: find("outcome"), connection: find("connection"), latency: find("latency") };
let shown = rows, chosen = 0;

function filtered() {
  const tests = [];
  const lower = filtered.words ??= words.map((word) => word.toLowerCase());
  for (const term of field.query.value.toLowerCase().split(/\s+/).filter(Boolean)) {
    const hit = lower.map((word) => word.includes(term));
    const met = {};
    for (const [number, ends] of Object.entries(about.connections)) met[number] = ends.some((end) => end.toLowerCase().includes(term));
    const number = Number(term.replace(/^#/, ""));
    tests.push((row) => hit[row[OPERATION]] || hit[row[TARGET]] || hit[row[ENDING]] || hit[row[SAYS]] || hit[row[TYPE]]
      || met[row[CONNECTION]] || row[NUMBER] === number);
  }
  if (field.operation.value) tests.push((row) => row[OPERATION] === Number(field.operation.value));
  const [what, value] = field.outcome.value.split(" ");
  if (what === "kind") tests.push((row) => row[KIND] >= Number(value));
  else if (what === "open") tests.push(isOpen);
  else if (what === "ending") tests.push((row) => row[ENDING] === Number(value));
  if (field.connection.value) tests.push((row) => row[CONNECTION] === Number(field.connection.value));
  if (field.latency.value) tests.push((row) => row[LATENCY] !== null && row[LATENCY] >= Number(field.latency.value) * 1000);
  return tests.length ? rows.filter((row) => tests.every((test) => test(row))) : rows;
}

function apply() {
  const before = shown[chosen];
  shown = filtered();
  chosen = Math.max(0, shown.indexOf(before));
  find("found").textContent = shown === rows ? several(rows.length, "message")
    : `${whole.format(shown.length)} of ${several(rows.length, "message")}`;
  draw();
  reveal();
  drawLatencies();
}

function choose(values) {
  for (const [name, control] of Object.entries(field)) control.value = values[name] ?? "";
  apply();
  list.focus();
  list.scrollIntoView({ block: "nearest" });
}

// --- list and diagram: only the rows in sight are there -----------------------------------------------------------------

const list = find("list"), space = make("div", { role: "presentation" });
const height = () => narrow.matches ? 51 : 32;

function heads() {
  const diagram = make("span", { class: "diagram" });
  lanes.forEach((_, lane) => {
    const shown = make("span", {}, letter(lane));
    shown.style.left = `${place(lane)}%`;
    diagram.append(shown);
  });
  const cell = (name, text) => make("span", { class: name }, text);
  return make("div", { class: "heads", "aria-hidden": "true" }, cell("number", "No."), cell("time", "Time (UTC)"), cell("what", "What"),
    diagram, cell("latency", "Latency"), cell("says", "Says"));
}

function diagram(row) {
  const drawn = make("svg", { class: "diagram", "aria-hidden": "true" }), middle = narrow.matches ? 13 : 16;
  lanes.forEach((_, lane) => drawn.append(make("line", { class: "lane", x1: `${place(lane)}%`, x2: `${place(lane)}%`, y1: 0, y2: "100%" })));
  const [client, server] = laneOf[row[CONNECTION]], [from, to] = row[BY_CLIENT] ? [client, server] : [server, client];
  const answer = words[row[TYPE]] === "Reply" || words[row[TYPE]] === "LocateReply";
  drawn.append(make("line", { class: answer ? "arrow answer" : "arrow", x1: `${place(from)}%`, x2: `${place(to)}%`, y1: middle, y2: middle }));
  const tip = make("svg", { x: `${place(to)}%`, y: middle, overflow: "visible" });
  tip.append(make("path", { class: "head", d: to > from ? "M0 0l-9 -5v10z" : "M0 0l9 -5v10z" }));
  drawn.append(tip);
  return drawn;
}

function title(row) {
  const [operation, ending, type] = [words[row[OPERATION]], words[row[ENDING]], words[row[TYPE]]];
  return [operation || type, ending || (operation ? (row[EXPECTED] ? "" : "oneway") : "")];
}

function item(row, at) {
  const [what, ending] = title(row), name = make("span", { class: "what" }, make("b", {}, what));
  if (ending) name.append(" ", make("span", { class: "ending" }, ending));
  if (row[KIND] === 3) name.append(" ", make("span", { class: "ending" }, "broken"));
  if (isOpen(row)) name.append(" ", make("span", { class: "open" }, "no answer"));
  const made = make("div", { class: `row kind-${row[KIND]}`, role: "option", id: `row-${at}`, "aria-selected": at === chosen,
    "aria-posinset": at + 1, "aria-setsize": shown.length },
    make("span", { class: "number" }, `#${row[NUMBER]}`), make("span", { class: "time" }, clock(row)), name, diagram(row),
    make("span", { class: "latency" }, duration(row[LATENCY])), make("span", { class: "says" }, words[row[SAYS]]));
  made.style.top = `${HEAD + at * height()}px`;
  made.style.height = `${height()}px`;
  return made;
}

function draw() {
  const tall = height(), first = Math.max(0, Math.floor(list.scrollTop / tall) - 5);
  const last = Math.min(shown.length, first + Math.ceil(list.clientHeight / tall) + 10);
  const made = [];
  for (let at = first; at < last; at++) made.push(item(shown[at], at));
  if (!shown.length) made.push(make("p", { class: "none" }, "No message is like that."));
  space.style.height = `${shown.length * tall}px`;
  space.replaceChildren(...made);
  if (chosen >= first && chosen < last) list.setAttribute("aria-activedescendant", `row-${chosen}`);
  else list.removeAttribute("aria-activedescendant");
}

function reveal() {
  const tall = height(), top = chosen * tall;
  if (top < list.scrollTop) list.scrollTop = top;
  else if (top + tall + HEAD > list.scrollTop + list.clientHeight) list.scrollTop = top + tall + HEAD - list.clientHeight;
}

function select(at) {
  if (!shown.length) return;
  chosen = Math.min(Math.max(at, 0), shown.length - 1);
  reveal();
  draw();
}

list.addEventListener("scroll", () => requestAnimationFrame(draw));
list.addEventListener("click", (event) => {
  const row = event.target.closest(".row");
  if (row) {
    select(Number(row.id.slice(4)));
    open(shown[chosen][NUMBER]);
  }
});
list.addEventListener("keydown", (event) => {
  const page = Math.max(1, Math.floor(list.clientHeight / height()) - 2);
  const to = { ArrowDown: chosen + 1, ArrowUp: chosen - 1, PageDown: chosen + page, PageUp: chosen - page, Home: 0, End: shown.length - 1 }[event.key];
  if (to !== undefined) select(to);
  else if ((event.key === "Enter" || event.key === " ") && shown.length) open(shown[chosen][NUMBER]);
  else return;
  event.preventDefault();
});

// --- one message ------------------------------------------------------------------------------------------------------

const dialog = find("message");
let counterpart = null;

function brief(row) {
  const [client, server] = about.connections[row[CONNECTION]];
  const found = [["time", `${moment(about.first + row[AT])} UTC`], ["connection", String(row[CONNECTION])],
    ["from", row[BY_CLIENT] ? client : server], ["to", row[BY_CLIENT] ? server : client], ["type", words[row[TYPE]]], ["id", row[ID]],
    ["operation", words[row[OPERATION]]], ["target", words[row[TARGET]]], ["status", words[row[ENDING]]], ["size", `${row[SIZE]} octets`],
    ["latency", duration(row[LATENCY])], ["says", words[row[SAYS]]]];
  return found.filter(([, value]) => value !== null && value !== "").map(([name, value]) => ["Message", name, String(value)]);
}

function open(number) {
  const row = rows[index.get(number)], told = details.get(number);
  const [what, ending] = row ? title(row) : ["", ""];
  find("message-title").textContent = [`#${number}`, row ? words[row[TYPE]] : "", row && what !== words[row[TYPE]] ? what : "", ending].filter(Boolean).join(" ");
  const sections = new Map();
  for (const [section, name, text] of told ?? brief(row)) {
    if (!sections.has(section)) sections.set(section, []);
    sections.get(section).push([name, text]);
  }
  const made = [];
  if (!told) made.push(make("p", { class: "note" }, "Arguments and octets of this message are not in this page; giopdump -x shows them."));
  for (const [section, entries] of sections) {
    made.push(make("h3", { class: section === "Problem" || section === "Exception" ? "bad" : "" }, section));
    if (section === "Octets") made.push(make("pre", { tabindex: 0, role: "region", "aria-label": "Octets, annotated" }, entries[0][1]));
    else made.push(make("dl", section === "Message" ? { class: "facts" } : {}, ...entries.flatMap(([name, text]) => [make("dt", {}, name), make("dd", {}, text)])));
  }
  find("details").replaceChildren(...made);
  counterpart = row ? row[REQUEST] ?? answers.get(number) ?? null : null;
  if (!index.has(counterpart) && !details.has(counterpart)) counterpart = null;
  find("counterpart").hidden = counterpart === null;
  find("counterpart").textContent = row?.[REQUEST] === counterpart ? `Request #${counterpart}` : `Answer #${counterpart}`;
  find("previous").disabled = chosen <= 0;
  find("next").disabled = chosen >= shown.length - 1;
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
}

function step(by) {
  select(chosen + by);
  open(shown[chosen][NUMBER]);
}
find("previous").addEventListener("click", () => step(-1));
find("next").addEventListener("click", () => step(1));
find("close").addEventListener("click", () => dialog.close());
find("counterpart").addEventListener("click", () => {
  const at = shown.indexOf(rows[index.get(counterpart)]);
  if (at >= 0) select(at);
  open(counterpart);
});
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

// --- latencies --------------------------------------------------------------------------------------------------------

const LEFT = 58, RIGHT = 10, TOP = 8, BOTTOM = 24, FEW = 500;

function drawLatencies() {
  const taken = shown.filter((row) => row[LATENCY] !== null), sorted = Float64Array.from(taken, (row) => Math.max(1, row[LATENCY])).sort();
  const percentile = (percent) => duration(sorted[Math.max(0, Math.ceil(sorted.length * percent / 100) - 1)]);
  find("latencies").textContent = sorted.length
    ? `Of ${several(sorted.length, "answer")} in the list above: 50 % within ${percentile(50)}, 90 % within ${percentile(90)}, 99 % within ${percentile(99)}; the longest took ${percentile(100)}.`
    : "No answers in the list above.";
  const low = sorted.length ? Math.floor(Math.log10(sorted[0])) : 0;
  const high = sorted.length ? Math.max(low + 1, Math.ceil(Math.log10(sorted[sorted.length - 1]))) : 1;
  drawOverTime(taken, low, high);
  drawDistribution(taken, low, high);
}

function canvas(id) {
  const drawn = find(id), box = drawn.getBoundingClientRect();
  drawn.replaceChildren();
  return [drawn, Math.max(160, box.width), box.height || 230];
}
const share = (latency, low, high) => (Math.log10(Math.max(1, latency)) - low) / (high - low);
const kindOf = (row) => Math.min(2, row[KIND]);

function drawOverTime(taken, low, high) {
  const [drawn, width, tall] = canvas("over-time"), wide = width - LEFT - RIGHT, deep = tall - TOP - BOTTOM;
  for (let power = low; power <= high; power++) {
    const y = TOP + deep * (1 - (power - low) / (high - low));
    drawn.append(make("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y, y2: y }),
      make("text", { x: LEFT - 6, y: y + 4, "text-anchor": "end" }, duration(10 ** power)));
  }
  if (!taken.length) return;
  let first = Infinity, last = -Infinity;
  for (const row of taken) {
    first = Math.min(first, row[AT]);
    last = Math.max(last, row[AT]);
  }
  const span = Math.max(1, last - first), ticks = width < 420 ? 1 : 3;
  for (let tick = 0; tick <= ticks; tick++) {
    const at = about.first + first + span * tick / ticks, text = moment(Math.round(at));
    drawn.append(make("text", { x: LEFT + wide * tick / ticks, y: tall - 6, "text-anchor": tick === 0 ? "start" : tick === ticks ? "end" : "middle" },
      span > 6e7 ? text.slice(11, 19) : text.slice(11, 23)));
  }
  const few = taken.length < FEW, size = few ? 7 : 4, cells = [new Map(), new Map(), new Map()];
  for (const row of taken) {
    const x = Math.floor(wide * (row[AT] - first) / span / size), y = Math.floor(deep * (1 - share(row[LATENCY], low, high)) / size);
    const key = x * 1000 + y, kind = cells[kindOf(row)];
    kind.set(key, (kind.get(key) ?? 0) + 1);
  }
  cells.forEach((found, kind) => {
    const bands = new Map();
    for (const [key, count] of found) {
      const band = kind || few ? 1 : Math.min(1, 0.45 + 0.18 * Math.floor(Math.log2(count))), path = bands.get(band) ?? [];
      path.push(`M${LEFT + Math.floor(key / 1000) * size - size / 2} ${TOP + key % 1000 * size - size / 2}h${size}v${size}h-${size}z`);
      bands.set(band, path);
    }
    for (const [band, path] of bands) drawn.append(make("path", { class: `kind-${kind}`, "fill-opacity": band, d: path.join("") }));
  });
}

function drawDistribution(taken, low, high) {
  const [drawn, width, tall] = canvas("distribution"), wide = width - LEFT - RIGHT, deep = tall - TOP - BOTTOM;
  const bins = Math.min((high - low) * 10, Math.floor(wide / 5)), counts = [0, 1, 2].map(() => new Array(bins).fill(0));
  for (const row of taken) counts[kindOf(row)][Math.min(bins - 1, Math.floor(share(row[LATENCY], low, high) * bins))]++;
  const most = counts[0].reduce((found, _, bin) => Math.max(found, counts[0][bin] + counts[1][bin] + counts[2][bin]), 1);
  for (let power = low; power <= high; power += Math.ceil(72 * (high - low) / wide)) {
    const x = LEFT + wide * (power - low) / (high - low);
    drawn.append(make("line", { class: "grid", x1: x, x2: x, y1: TOP, y2: TOP + deep }),
      make("text", { x, y: tall - 6, "text-anchor": power === high ? "end" : "middle" }, duration(10 ** power)));
  }
  drawn.append(make("text", { x: LEFT - 6, y: TOP + 8, "text-anchor": "end" }, whole.format(most)), make("text", { x: LEFT - 6, y: TOP + deep, "text-anchor": "end" }, "0"));
  const one = wide / bins, base = new Array(bins).fill(TOP + deep);
  counts.forEach((found, kind) => {
    const path = [];
    found.forEach((count, bin) => {
      if (!count) return;
      const part = Math.max(1.5, deep * count / most);
      base[bin] -= part;
      path.push(`M${LEFT + bin * one + 0.5} ${base[bin]}h${one - 1}v${part}h${1 - one}z`);
    });
    drawn.append(make("path", { class: `kind-${kind}`, d: path.join("") }));
  });
}

// --- what was counted -------------------------------------------------------------------------------------------------

function part(share) {
  const made = make("span", { class: "part" });
  made.style.width = `${Math.max(0.5, share * 100)}%`;
  return made;
}

function drawCounts() {
  const total = about.total, words_ = new Map(words.map((word, at) => [word, at]));
  find("period").textContent = rows.length ? `${moment(about.first)} to ${moment(about.last)} UTC, ${several(Object.keys(about.connections).length, "connection")}` : "No messages.";
  const tiles = [["Messages", about.messages], ["Calls", total.calls], ["Exceptions", total.errors, total.errors], ["Without answer", total.unanswered, total.unanswered],
    ["Broken or lost", about.problems, about.problems], ["50 % within", seconds(total.latency.p50)], ["90 % within", seconds(total.latency.p90)], ["99 % within", seconds(total.latency.p99)]];
  find("totals").append(...tiles.map(([name, value, bad]) => make("div", { class: bad ? "bad" : "" }, make("dt", {}, name), make("dd", {}, typeof value === "number" ? whole.format(value) : value))));
  const out = [], behind = (errors, more = "") => errors ? ` and of the first ${several(errors, "error")} behind them${more}` : "";
  if (about.messages > rows.length) out.push(`The list and the charts are of the first ${whole.format(about.listed)} of ${whole.format(about.messages)} messages${behind(about.errors_listed)}; the counts have all.`);
  if (rows.length > details.size) out.push(`Arguments and octets are here of the first ${whole.format(about.detailed)} messages${behind(about.errors_detailed, ", with what they answer")}.`);
  find("left-out").textContent = out.join(" ");
  find("left-out").hidden = !out.length;
  const most = Math.max(1, ...about.operations.map((each) => each.calls));
  find("operations").tBodies[0].append(...about.operations.map((each) => {
    const at = words_.get(each.operation), name = make("td");
    if (at === undefined) name.append(each.operation);
    else {
      const button = make("button", { type: "button" }, each.operation || "(locate)");
      button.addEventListener("click", () => choose({ operation: String(at), query: each.target.endsWith(")") ? "" : each.target }));
      name.append(button);
    }
    name.append(part(each.calls / most));
    const cell = (text, bad) => make("td", bad ? { class: "bad" } : {}, text);
    return make("tr", {}, name, cell(whole.format(each.calls)), cell(whole.format(each.errors), each.errors), cell(whole.format(each.unanswered)),
      cell(seconds(each.latency.p50)), cell(seconds(each.latency.p90)), cell(seconds(each.latency.p99)), cell(each.target));
  }));
  if (about.more_operations) find("more-operations").textContent = `${whole.format(about.more_operations)} more are left out; giopdump --summary has them.`;
  const ending = find("endings"), largest = Math.max(1, ...about.endings.map((each) => each[1]));
  const kinds = new Map(), group = make("optgroup", { label: "answers" });
  for (const row of rows) if (row[KIND] < 3) kinds.set(row[ENDING], row[KIND]);
  for (const [name, count] of about.endings) {
    const at = words_.get(name), button = make("button", { type: "button" }, name);
    button.disabled = at === undefined;
    if (at !== undefined) group.append(make("option", { value: `ending ${at}` }, name));
    button.addEventListener("click", () => choose({ outcome: `ending ${at}` }));
    ending.append(make("li", { class: `kind-${kinds.get(at) ?? 0}` }, button, part(count / largest), make("span", { class: "count" }, whole.format(count))));
  }
  field.outcome.append(group);
  if (about.more_endings) find("more-endings").textContent = `${whole.format(about.more_endings)} more are left out.`;
  const calls = new Map();
  for (const row of rows) if (words[row[OPERATION]]) calls.set(row[OPERATION], (calls.get(row[OPERATION]) ?? 0) + 1);
  const known = [...calls].sort((a, b) => b[1] - a[1]).slice(0, OPTIONS);
  field.operation.append(...known.map(([at]) => make("option", { value: at }, words[at])));
  find("lanes").append(...lanes.map((lane, at) => make("li", {}, make("b", {}, letter(at)), lane)));
}

drawCounts();
list.append(heads(), space);
find("filter").addEventListener("input", apply);
find("filter").addEventListener("submit", (event) => event.preventDefault());
find("filter").addEventListener("reset", () => setTimeout(apply));
let width = 0;
new ResizeObserver(() => {
  if (width !== list.clientWidth) {
    width = list.clientWidth;
    draw();
    drawLatencies();
  }
}).observe(list);
apply();
document.documentElement.dataset.ready = "";
