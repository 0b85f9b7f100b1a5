// Keeps capture's page up to date: texts, pictures, and live video where it is wanted.
//
// The page fetches itself, so that texts are made in one place. Pictures are replaced once the new one is decoded, so
// that nothing flickers or jumps. A card that shows live video needs no pictures meanwhile.
import {LiveCard} from "./live.js";

const EVERY_MS = 2500;
const TIMEOUT_MS = 20000;
// browsers open six connections to a host at most, and each live camera holds one
const MOST_LIVE = 4;
// with so few cameras, live video starts by itself
const FEW_CAMERAS = 2;

const cards = Array.from(document.querySelectorAll("article"), (article) => new LiveCard(article));
const wanted = [];  // the cards that are to be live, the one that has been for longest first

function want(card, on) {
  const at = wanted.indexOf(card);
  if (at >= 0) wanted.splice(at, 1);
  if (on) wanted.push(card);
  while (wanted.length > MOST_LIVE) wanted.shift();
  update();
}

function update() {
  for (const card of cards) card.set(wanted.includes(card), !document.hidden && card.isInView);
}

const observer = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    const card = cards.find((one) => one.article === entry.target);
    if (card) card.isInView = entry.isIntersecting;
  }
  update();
}, {rootMargin: "25%"});

for (const card of cards) {
  card.button.addEventListener("click", () => want(card, !wanted.includes(card)));
  observer.observe(card.article);
}
if (cards.length <= FEW_CAMERAS) wanted.push(...cards);
document.addEventListener("visibilitychange", update);
update();

async function refreshPicture(card) {
  const answer = await fetch(card.img.dataset.src, {cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS)});
  if (!(answer.headers.get("content-type") || "").startsWith("image/")) return;
  const picture = await answer.blob();
  if (!card.isLive) await card.show(picture);
}

async function refreshTexts() {
  const answer = await fetch("/", {cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS)});
  const news = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of document.querySelectorAll(".news")) {
    const next = news.getElementById(part.id);
    if (next) part.replaceWith(next);
  }
}

async function refresh() {
  if (!document.hidden) {
    const pictures = cards.filter((card) => !card.isLive).map(refreshPicture);
    const results = await Promise.allSettled([refreshTexts(), ...pictures]);
    document.body.classList.toggle("lost", results[0].status === "rejected");
  }
  setTimeout(refresh, EVERY_MS);
}
setTimeout(refresh, EVERY_MS);
