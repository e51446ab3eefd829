// What all pages share: how they ask the station, and how they hear of news.

const token = document.querySelector('meta[name="token"]').content;

export async function ask(address, sent = {}, more = {}) {
  const answer = await fetch(address, {
    method: "POST",
    headers: { "content-type": "application/json", "x-token": token },
    body: JSON.stringify(sent),
    ...more,
  });
  if (answer.status === 401) location.assign("/login");
  const said = answer.status === 204 ? {} : await answer.json();
  if (!answer.ok) throw Object.assign(new Error(said.problem), { status: answer.status });
  return said;
}

// The browser connects again by itself when the station was away.
export function listen(told) {
  const source = new EventSource("/api/events");
  source.addEventListener("message", (event) => told(JSON.parse(event.data)));
  addEventListener("pagehide", () => source.close());
}
