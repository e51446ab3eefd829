// A joint after the other, by keys alone. The next ones are loaded before they are asked for.

import { ask, listen } from "./common.js";
import { Look, clear, draw, emptyFigure, forget, load } from "./view.js";

const $ = (id) => document.getElementById(id);
const { query, shortest } = document.querySelector("main").dataset;
const look = new Look();
const HEARTBEAT_MS = 60_000, LOOP_MS = 180, MOST_PENDING = 2;

let joints = [];       // the first one is looked at
let drawn = null;      // the joint whose pictures are on the screen: only on that one can be decided
let shown = 0;         // which of its slices is large
let since = 0;         // when it was first seen
let looping = null;
let saving = Promise.resolve();
let pending = [];      // joints whose decisions are on their way to the station
let halted = false;    // something went wrong that must be read: Enter goes on
let undoing = false;
let filling = null;
let hasty = 0;         // keys that came before anybody can have looked

function problem(text) {
  $("problem").textContent = text;
  $("problem").hidden = !text;
}

// Joints

async function prepared(joint) {
  joint.pictures = await Promise.all(joint.slices.map(load));
  for (const one of joint.good) one.pictures = await Promise.all(one.slices.map(load));
  return joint;
}

function fill() {
  filling ??= claimed().finally(() => { filling = null; });
  return filling;
}

const ids = (some) => some.map((joint) => joint.event_id);

async function claimed() {
  try {
    const said = await ask(`/api/claim?${query}`, { have: ids(joints), saving: ids(pending) });
    count(said);
    const empty = joints.length === 0, known = new Set(ids([...joints, ...pending]));
    const fresh = said.joints.filter((joint) => !known.has(joint.event_id));
    for (const joint of fresh) joint.ready = prepared(joint);
    joints.push(...fresh);
    if (empty) await show();
  } catch (error) {
    problem(`The station does not answer: ${error.message}. It is asked again in a moment.`);
    setTimeout(fill, 3000);
  }
}

function count({ waiting }) {
  $("count").textContent = `${waiting} wait`;
}

function labelled(name, value) {
  const span = document.createElement("span"), bold = document.createElement("b");
  bold.textContent = value;
  span.append(`${name} `, bold);
  return span;
}

async function show() {
  const [joint] = joints;
  stop();
  drawn = null;
  $("joint").hidden = !joint;
  $("nothing").hidden = Boolean(joint);
  $("about").replaceChildren();
  if (!joint) return;
  await joint.ready;
  if (joint !== joints[0]) return;
  const seen = joint.roi && joint.pictures.some(Boolean);
  if (!halted) problem(seen ? "" : `No picture: ${joint.problem || "it cannot be loaded"}. Of this joint say "unsure" (u).`);
  $("about").append(
    labelled("board", joint.serial), labelled("type", joint.board_type || "unknown"), labelled("joint", joint.joint),
    labelled("machine says", joint.machine_call || "nothing"),
  );
  if (joint.second_look) $("about").append(labelled("", "second look"));
  $("slices").replaceChildren(...joint.slices.map((_, index) => {
    const figure = emptyFigure(280);
    figure.addEventListener("click", () => { stop(); shown = index; redraw(); });  // for who has no keys
    return figure;
  }));
  $("good").replaceChildren(...joint.good.filter((one) => one.roi).map(() => emptyFigure(160)));
  $("good-title").hidden = !$("good").children.length;
  shown = Math.floor(joint.slices.length / 2);
  since = performance.now();
  drawn = joint;
  redraw();
  document.body.dataset.shown = String(Number(document.body.dataset.shown ?? 0) + 1);
  forget(new Set(joints.flatMap((one) => [...one.slices, ...one.good.flatMap((good) => good.slices)])));
}

function redraw() {
  const joint = drawn;
  if (!joint?.roi) {
    clear($("large"), "no picture");
    return;
  }
  const figures = [...$("slices").children];
  figures.forEach((figure, index) => {
    draw(figure, joint.pictures[index], joint.roi, look, `slice ${index + 1}`);
    figure.classList.toggle("shown", index === shown);
  });
  const of = `slice ${shown + 1} of ${joint.slices.length}`;
  draw($("large"), joint.pictures[shown], joint.roi, look, joint.pictures[shown] ? of : `${of}: not readable`);
  joint.good.filter((one) => one.roi).forEach((one, place) => {
    const same = Math.min(shown, one.pictures.length - 1);
    draw($("good").children[place], one.pictures[same], one.roi, look, `${one.serial}, slice ${same + 1}`);
  });
}

// Slices, as a loop through depth or one by one

function step(by) {
  const slices = drawn?.slices.length ?? 0;
  if (slices) shown = (shown + by + slices) % slices;
  redraw();
}

function stop() {
  clearInterval(looping);
  looping = null;
}

function loop() {
  if (looping) stop();
  else looping = setInterval(() => step(1), LOOP_MS);
}

// Decisions

function decide(decision, defect_class) {
  const joint = drawn;
  if (!joint || halted || undoing || pending.length >= MOST_PENDING) return;
  if (decision !== "unsure" && !(joint.roi && joint.pictures.some(Boolean))) return;
  const pressed = performance.now();
  if (pressed - since < Number(shortest)) { hasty += 1; return; }  // nobody has looked yet
  const said = {
    event_id: joint.event_id, decision, defect_class: defect_class ?? null, seconds: (pressed - since) / 1000, hasty: Math.min(hasty, 1000),
  };
  hasty = 0;
  $("last").textContent = `${joint.serial} ${joint.joint}: ${defect_class ?? decision.replaceAll("_", " ")}. z takes it back.`;
  joints.shift();
  pending.push(joint);
  saving = saving.then(() => save(joint, said)).then(() => { pending = pending.filter((one) => one !== joint); });
  show().then(() => { document.body.dataset.ms = String(Math.round(performance.now() - pressed)); });
  fill();
}

async function save(joint, said) {
  try {
    tell(await ask("/api/decide", said));
    document.body.dataset.saved = String(Number(document.body.dataset.saved ?? 0) + 1);
  } catch (error) {
    if (error.status === 409) {
      halt(`${joint.serial} ${joint.joint}: ${error.message}`);
      return;
    }
    joints.unshift(joint);
    halt(`Not saved: ${joint.serial} ${joint.joint} (${error.message}). It is shown again: decide on it once more.`);
    await show();
  }
}

// What the network said is told of decisions that stand.
function tell({ standing }) {
  $("before").textContent = standing.map((known) => `${known.serial} ${known.joint}: ${network(known)}.`).join(" ");
}

function network({ verdict, reason, p_defect, kind, others }) {
  const score = p_defect === null ? "" : `, p(defect) ${p_defect.toFixed(3)}`;
  const said = others.map(([name, word]) => `; ${name} said ${word.replaceAll("_", " ")}`).join("");
  const why = reason ? `came to you as ${reason.replaceAll("_", " ")}` : `the network called it ${verdict}`;
  return `${why}${kind ? `, ${kind}` : ""}${score}${said}`;
}

function halt(text) {
  halted = true;
  problem(`${text} Press Enter to go on.`);
}

function goOn() {
  if (!halted) return;
  halted = false;
  problem("");
  show();
}

function undo() {
  if (undoing || halted) return;
  undoing = true;
  problem("");
  saving = saving.then(takeBack).finally(() => { undoing = false; });
}

async function takeBack() {
  try {
    const { joint } = await ask("/api/undo");
    joint.ready = prepared(joint);
    joints.unshift(joint);
    $("last").textContent = `${joint.serial} ${joint.joint}: taken back.`;
    await show();
  } catch (error) {
    problem(error.message);
  }
}

// Keys

const keys = {
  ArrowLeft: () => { stop(); step(-1); },
  ArrowRight: () => { stop(); step(1); },
  l: loop,
  "+": () => look.wider(1 / 1.25),
  "-": () => look.wider(1.25),
  "[": () => look.harder(1 / 1.2),
  "]": () => look.harder(1.2),
  ",": () => look.brighter(1 / 1.12),
  ".": () => look.brighter(1.12),
  i: () => { look.inverted = !look.inverted; },
  0: () => look.reset(),
  z: undo,
  Backspace: undo,
  Escape: () => location.assign("/"),
  Enter: () => (halted || joints.length || !query ? goOn() : location.assign("/review")),
};

for (const button of document.querySelectorAll("[data-decision]")) {
  const { key, decision } = button.dataset;
  keys[key] = () => decide(decision, button.dataset.class);
  button.addEventListener("click", () => { keys[key](); button.blur(); });
}
$("undo").addEventListener("click", () => { undo(); $("undo").blur(); });

addEventListener("keydown", (event) => {
  // Digits are where they are, also where they need Shift (AZERTY); brackets may need AltGr; Caps Lock is no other key.
  const digit = event.shiftKey ? undefined : /^(?:Digit|Numpad)(\d)$/.exec(event.code)?.[1];
  const action = keys[digit] ?? keys[event.key] ?? keys[event.key.toLowerCase()];
  const commands = event.metaKey || (!event.getModifierState("AltGraph") && (event.ctrlKey || event.altKey));
  if (!action || commands) return;
  if ([" ", "Enter"].includes(event.key) && event.target.closest("button, a")) return;  // its own key
  event.preventDefault();
  if (event.repeat && !event.key.startsWith("Arrow")) return;  // a key that is held down decides once
  action();
  if (!["z", "Backspace", " "].includes(event.key)) redraw();
});

addEventListener("beforeunload", (event) => { if (pending.length) event.preventDefault(); });
addEventListener("pagehide", () => { ask("/api/release").catch(() => {}); });
listen((said) => { count(said); if (joints.length < 2) fill(); });
setInterval(fill, HEARTBEAT_MS);
fill();
