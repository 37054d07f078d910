// Refreshes the page once a minute while somebody looks at it, and nobody writes or reads something opened on it; says so
// where what it shows is old. Everything works without it.
"use strict";
const EVERY = 60_000;
const WITHIN = 15_000;
let title = document.title;
let shown = Date.now();
let asking = false;

function busy() {
  const at = document.activeElement;
  return (at && at.matches("input, select")) || document.querySelector("details[open]");
}

// Above everything, and in the title: what stands below was true then.
function say(what, more) {
  const then = document.querySelector("footer time").textContent;
  const text = `What stands below is as of ${then}. ${more}`;
  document.title = `${what} · ${title}`;
  document.body.classList.add("lost");
  const old = document.getElementById("lost");
  if (old && old.textContent === what + text) return;
  const [notice, head, body] = ["section", "h2", "p"].map((name) => document.createElement(name));
  [notice.id, notice.className] = ["lost", "verdict critical"];
  notice.setAttribute("role", "alert");
  [head.textContent, body.textContent] = [what, text];
  notice.append(head, body);
  old?.remove();
  document.querySelector("main").prepend(notice);
}

function sayNothing() {
  document.getElementById("lost")?.remove();
  document.body.classList.remove("lost");
  document.title = title;
}

function show(fresh) {
  const at = document.activeElement && document.activeElement.getAttribute("href");
  for (const part of ["main", "footer"]) {
    document.querySelector(part).replaceChildren(...fresh.querySelector(part).childNodes);
  }
  [title, shown] = [fresh.title, Date.now()];
  if (at) document.querySelector(`main a[href="${CSS.escape(at)}"]`)?.focus({ preventScroll: true });
}

async function ask() {
  const patience = new AbortController();
  const bell = setTimeout(() => patience.abort(), WITHIN);
  try {
    const answer = await fetch(location.href, { cache: "no-store", headers: { accept: "text/html" }, signal: patience.signal });
    if (!answer.ok) return `Leafwatch answers with an error (HTTP ${answer.status})`;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (!fresh.querySelector("main") || !fresh.querySelector("footer time")) return "This is not Leafwatch's answer";
    return fresh;
  } catch {
    return "No answer from Leafwatch";
  } finally {
    clearTimeout(bell);
  }
}

async function refresh() {
  if (document.hidden || asking) return;
  asking = true;
  const old = Date.now() - shown > 2 * EVERY;
  if (old && !busy()) say("This page is old", "Leafwatch is being asked anew.");
  const answer = await ask();
  asking = false;
  if (typeof answer === "string") return say(answer, "It is asked again every minute.");
  if (!busy()) {
    show(answer);
  } else if (old) {
    return say("This page is old", "It is refreshed once nothing is open or being written on it.");
  }
  sayNothing();
}

setInterval(refresh, EVERY);
document.addEventListener("visibilitychange", refresh);
