// What all pages share: how they ask the station, and how they hear of news.

const token = document.querySelector('meta[name="token"]').content;
const page = Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");
const PATIENCE_MS = 15_000;

export async function ask(address, sent = {}, more = {}) {
  const answer = await fetch(address, {
    method: "POST",
    headers: { "content-type": "application/json", "x-token": token, "x-page": page },
    body: JSON.stringify(sent),
    keepalive: true,  // it goes out even if the page is closed meanwhile
    signal: AbortSignal.timeout(PATIENCE_MS),
    ...more,
  });
  if (answer.status === 401) location.assign("/login");
  const said = answer.status === 204 ? {} : await answer.json();
  if (!answer.ok) throw Object.assign(new Error(said.problem), { status: answer.status });
  return said;
}

// The browser connects again by itself when the station was away. A page that nobody sees does not listen: a browser has
// few connections to one place.
export function listen(told) {
  let source = null;
  const open = () => {
    source ??= new EventSource("/api/events");
    source.onmessage = (event) => told(JSON.parse(event.data));
  };
  const close = () => { source?.close(); source = null; };
  const fit = () => (document.hidden ? close() : open());
  document.addEventListener("visibilitychange", fit);
  addEventListener("pagehide", close);
  fit();
}

// A page that the browser had put aside knows nothing of what happened since.
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
