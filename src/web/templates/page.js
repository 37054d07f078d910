// Refreshes the page once a minute while somebody looks at it, and nobody writes or reads something opened on it.
// Everything works without it.
"use strict";
const EVERY = 60_000;

function busy() {
  const at = document.activeElement;
  return document.hidden || (at && at.matches("input, select")) || document.querySelector("details[open]");
}

async function refresh() {
  if (busy()) return;
  const answer = await fetch(location.href, { cache: "no-store", headers: { accept: "text/html" } });
  if (!answer.ok || busy()) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const at = document.activeElement && document.activeElement.getAttribute("href");
  for (const part of ["main", "footer"]) {
    document.querySelector(part).replaceChildren(...fresh.querySelector(part).childNodes);
  }
  if (at) document.querySelector(`main a[href="${CSS.escape(at)}"]`)?.focus({ preventScroll: true });
}

setInterval(() => refresh().catch(() => {}), EVERY);
document.addEventListener("visibilitychange", () => refresh().catch(() => {}));
