"use strict";

// The server's page: sends files, asks how far they are, shows what became of them.

const POLL_MS = 400, IDLE_POLL_MS = 5000;
const byId = (id) => document.getElementById(id);
const viewer = new Viewer(byId("viewer"));
const AGAIN = [0, 408, 429, 503, 507];  // what may pass: no connection, too slow, too many, no space
const sending = new Map();  // what is under way, by a number of its own
const shown = new Map();    // lines of the list, by job
let choices = [], limits = {}, jobs = [], looking = null, timer = null, count = 0;

// What can be chosen ---------------------------------------------------------------------------------------------

const WEIGHTS = {standard: "clean", photo: "noisy, sharpened or compressed"};

function offer(select, values, words) {
  const before = select.value;
  select.replaceChildren(...values.map((value) => element("option", {value, textContent: words(value)})));
  if (values.map(String).includes(before)) select.value = before;
}

function distinct(list) {
  return [...new Set(list)];
}

function offerChoices() {
  const {upscale, network, weights} = {upscale: byId("upscale"), network: byId("network"), weights: byId("weights")};
  const first = choices[0];
  if (!upscale.value) {
    offer(upscale, distinct(choices.map((choice) => choice.upscale)).sort(), (value) => `x${value}`);
    upscale.value = first.upscale;
  }
  offer(network, distinct(choices.filter((choice) => String(choice.upscale) === upscale.value).map((choice) => choice.network)), (value) => value);
  offer(weights, choices.filter((choice) => String(choice.upscale) === upscale.value && choice.network === network.value)
    .map((choice) => choice.weights), (value) => WEIGHTS[value] || value);
}

// Sending --------------------------------------------------------------------------------------------------------

function say(sentence, again) {
  const note = element("div", {textContent: sentence});
  const retry = () => {
    note.remove();
    again();
  };
  if (again) note.append(element("button", {type: "button", textContent: "Try again", onclick: retry}));
  byId("message").append(note);
}

// Files are sent one after the other, so that many at once are no reason to refuse some of them.
function send(file) {
  if (file.size > limits.upload_mb * 1e6) {
    say(`${file.name} has ${(file.size / 1e6).toFixed(1)} MB, this server takes ${limits.upload_mb}; cut it into parts`);
    return;
  }
  const asked = new URLSearchParams({name: file.name, upscale: byId("upscale").value, network: byId("network").value, weights: byId("weights").value});
  const request = new XMLHttpRequest(), number = count++;
  const under = {name: file.name, share: 0, request, begun: false};
  const end = () => {
    sending.delete(number);
    if (request.status !== 201 && !under.cancelled) {
      const error = errorOf(request) || "the server does not answer";
      say(error.includes(file.name) ? error : `${file.name}: ${error}`, AGAIN.includes(request.status) ? () => send(file) : null);
    }
    sendNext();
    poll();
  };
  request.upload.onprogress = (event) => {
    under.share = event.total ? event.loaded / event.total : 0;
    draw();
  };
  request.onloadend = end;
  under.begin = () => {
    under.begun = true;
    request.open("POST", `/api/jobs?${asked}`);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.send(file);
  };
  under.cancel = () => {
    under.cancelled = true;
    if (under.begun) request.abort();
    else end();
  };
  sending.set(number, under);
  sendNext();
  draw();
}

function sendNext() {
  const all = [...sending.values()];
  const next = all.find((under) => !under.begun);
  if (next && all.every((under) => !under.begun)) next.begin();
}

function errorOf(request) {
  try {
    return JSON.parse(request.responseText).error;
  } catch {
    return request.responseText.trim();
  }
}

// The list -------------------------------------------------------------------------------------------------------

async function poll() {
  clearTimeout(timer);
  let wait = POLL_MS, wrong = "";
  try {
    const answer = await fetch("/api/jobs");
    if (answer.ok) jobs = (await answer.json()).jobs;
    else wrong = (await answer.text()).trim();
    if (!jobs.some((job) => job.state === "queued" || job.state === "running")) wait = IDLE_POLL_MS;
  } catch {
    wrong = "The server does not answer. What it has is not lost; this page goes on when it is back.";
  }
  byId("offline").textContent = wrong;
  byId("offline").hidden = !wrong;
  draw();
  clearTimeout(timer);  // another poll may have set one meanwhile
  timer = setTimeout(poll, wrong ? POLL_MS : wait);
}

function draw() {
  const list = byId("jobs"), lines = [];
  for (const [number, under] of [...sending].reverse()) {
    const state = under.begun ? "sending" : "waiting to be sent";
    lines.push(line(`sending ${number}`, under.name, state, {value: under.share}, "", [["Cancel", under.cancel]]));
  }
  for (const job of [...jobs].reverse()) lines.push(jobLine(job));
  for (const [key, known] of shown) if (!lines.some((made) => made.key === key)) shown.delete(key), known.item.remove();
  lines.forEach((made, i) => {
    if (list.children[i] !== made.item) list.insertBefore(made.item, list.children[i] || null);
  });
}

// A line stays the same element while its text does: the pointer and the keyboard are not taken from under the user.
function line(key, name, state, progress, below, acts, failed) {
  const described = JSON.stringify([name, state, below, failed, acts.map(([text]) => text), progress !== null]);
  let made = shown.get(key);
  if (!made || made.described !== described) {
    const buttons = acts.map(([text, act]) => typeof act === "string"
      ? element("a", {href: act, textContent: text, download: ""})
      : element("button", {type: "button", textContent: text, "aria-label": `${text} ${name}`, onclick: act}));
    const item = element("li", {}, element("div", {className: "line"}, element("span", {className: "name", textContent: name}),
      element("span", {className: failed ? "failed" : "state", textContent: state}), ...buttons));
    const bar = element("progress", {max: 1, hidden: progress === null, "aria-label": `${name}: ${state}`});
    item.append(bar, element("p", {className: "steps", textContent: below}));
    if (made) made.item.replaceWith(item);
    made = {key, item, bar, described};
    shown.set(key, made);
  }
  if (progress && progress.value != null) made.bar.value = progress.value;
  else if (progress) made.bar.removeAttribute("value");
  return made;
}

const STEPS = {read: "reading", compute: "computing", write: "writing", compare: "making the comparison"};

function jobLine(job) {
  const forget = ["Delete", () => remove(job)];
  const how = `${job.network} x${job.upscale}${job.weights === "standard" ? "" : `, ${job.weights}`}`;
  if (job.state === "queued") return line(job.id, job.name, job.ahead ? `waiting behind ${job.ahead}` : "waiting", {}, how, [forget]);
  if (job.state === "running") {
    const {step, done, total} = job.progress || {};
    const value = step === "compute" && total ? done / total : null;
    return line(job.id, job.name, STEPS[step] || "starting", {value}, how, [forget]);
  }
  if (job.state === "failed") return line(job.id, job.name, job.error, null, how, job.again ? [["Try again", () => again(job)], forget] : [forget], true);
  const seconds = Object.entries(job.seconds).map(([step, time]) => `${step} ${time < 1 ? `${(time * 1000).toFixed(1)} ms` : `${time.toFixed(2)} s`}`);
  const frames = job.frames ? `, ${job.frames} frames` : "";
  const below = `${how} by ${job.backend}: ${job.size.join("x")}${frames} in ${job.took.toFixed(2)} s; ${seconds.join(", ")}` +
    job.notes.map((note) => `; note: ${note}`).join("");
  const acts = [["Compare", () => look(job)], [`Download ${job.file}`, `/api/jobs/${job.id}/${job.result}?download`], forget];
  return line(job.id, job.name, "done", null, below, job.views.length ? acts : acts.slice(1));
}

async function again(job) {
  await fetch(`/api/jobs/${job.id}/again`, {method: "POST"}).catch(() => say(`${job.name}: the server does not answer`));
  poll();
}

async function remove(job) {
  if (looking === job.id) byId("look").hidden = true;
  await fetch(`/api/jobs/${job.id}`, {method: "DELETE"}).catch(() => say(`${job.name} could not be deleted: the server does not answer`));
  poll();
}

// The comparison -------------------------------------------------------------------------------------------------

function look(job) {
  looking = job.id;
  byId("look").hidden = false;
  byId("look-name").textContent = job.name;
  const open = (index) => {
    const view = job.views[index];
    const panels = view.panels.map(({name, file}) => ({name, caption: name, src: `/api/jobs/${job.id}/${file}`}));
    [...byId("frames").children].forEach((button, i) => button.setAttribute("aria-current", String(i === index)));
    viewer.show({name: job.name, width: view.width, height: view.height, panels});
  };
  const buttons = job.views.map((view, i) => element("button", {type: "button", textContent: view.name, onclick: () => open(i)}));
  byId("frames").replaceChildren(...(buttons.length > 1 ? buttons : []));
  open(0);
  byId("look").scrollIntoView({block: "nearest"});
}

// Dropping -------------------------------------------------------------------------------------------------------

function take(files, folders = []) {
  byId("message").replaceChildren();
  for (const name of folders) say(`${name} is a folder; drop the files in it`);
  for (const file of files) send(file);
}

for (const kind of ["dragover", "drop", "dragleave"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();  // or the browser would open the file in place of this page
    byId("drop").classList.toggle("over", kind === "dragover");
    if (kind !== "drop") return;
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry && item.webkitGetAsEntry());
    const folders = entries.filter((entry) => entry && entry.isDirectory).map((entry) => entry.name);
    take([...event.dataTransfer.files].filter((file) => !folders.includes(file.name)), folders);
  });
}
byId("files").addEventListener("change", (event) => {
  take(event.target.files);
  event.target.value = "";
});
for (const id of ["upscale", "network"]) byId(id).addEventListener("change", offerChoices);

async function start() {
  try {
    ({choices, limits} = await (await fetch("/api/choices")).json());
  } catch {
    say("the server does not answer", start);
    return;
  }
  byId("limits").textContent = `up to ${limits.upload_mb} MB and ${limits.mpixel} Mpixel of result; deleted after ${limits.keep_hours} hours`;
  offerChoices();
  poll();
}

start();
