// Server-sent events read by fetch: a lost connection is taken up behind the last event that came (Last-Event-ID).

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 8000;
/** A connection that is silent for so long is taken for dead (the server sends a comment now and then). */
const SILENCE_MS = 60_000;

/**
 * Follows a stream until one of the `last` events came, or until the function that it returns is called.
 *
 * `onEvent(name, data)` has each event once. `onConnection("open" | "lost")` is called when that changes, and
 * `onRefused(message)` when the server will not have it (the stream is over then).
 */
export function followEvents(url, { last, onEvent, onConnection, onRefused }) {
  const ending = new AbortController();
  const seen = { id: "" };
  const take = (event) => {
    if (event.id !== "" && Number(event.id) <= Number(seen.id || -1)) return false;
    if (event.id !== "") seen.id = event.id;
    onEvent(event.name, event.data);
    return last.includes(event.name);
  };
  readAgainAndAgain(url, { seen, take, onConnection, onRefused, signal: ending.signal });
  return () => ending.abort();
}

async function readAgainAndAgain(url, { seen, take, onConnection, onRefused, signal }) {
  let wait = FIRST_WAIT_MS;
  while (!signal.aborted) {
    const before = seen.id;
    const outcome = await readOnce(url, { seen, take, signal, onOpen: () => onConnection("open") });
    if (signal.aborted || outcome.isOver) return;
    if (outcome.refused) {
      onRefused(outcome.refused);
      return;
    }
    onConnection("lost");
    wait = seen.id === before ? Math.min(2 * wait, LONGEST_WAIT_MS) : FIRST_WAIT_MS;
    await pause(wait, signal);
  }
}

/** One connection, to its end: is the stream over, was it refused, or has it only been lost? */
async function readOnce(url, { seen, take, signal, onOpen }) {
  const silence = new AbortController();
  const stop = () => silence.abort();
  signal.addEventListener("abort", stop);
  let timer = setTimeout(stop, SILENCE_MS);
  try {
    const headers = { Accept: "text/event-stream", ...(seen.id === "" ? {} : { "Last-Event-ID": seen.id }) };
    const response = await fetch(url, { headers, signal: silence.signal, cache: "no-store" });
    if (response.status >= 400 && response.status < 500) return { refused: await refusal(response) };
    if (!response.ok) return {};
    onOpen();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    const parse = eventParser();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return {};
      clearTimeout(timer);
      timer = setTimeout(stop, SILENCE_MS);
      for (const event of parse(value)) if (take(event)) return { isOver: true };
    }
  } catch (error) {
    if (error instanceof TypeError || error.name === "AbortError" || error.name === "NetworkError") return {};
    throw error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
    silence.abort();
  }
}

async function refusal(response) {
  const body = await response.json().catch(() => ({}));
  return body.error?.message ?? `the server answered ${response.status}`;
}

/** A function that takes pieces of a stream, and gives the events that they complete (the WHATWG's text/event-stream). */
export function eventParser() {
  let rest = "";
  let event = { name: "message", data: [], id: "" };
  return (piece) => {
    const lines = (rest + piece).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    const events = [];
    for (const line of lines) {
      if (line === "") {
        if (event.data.length) events.push({ ...event, data: parsed(event.data.join("\n")) });
        event = { name: "message", data: [], id: "" };
      } else takeField(event, line);
    }
    return events;
  };
}

function takeField(event, line) {
  const colon = line.indexOf(":");
  const name = colon < 0 ? line : line.slice(0, colon);
  const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
  if (name === "event") event.name = value;
  else if (name === "data") event.data.push(value);
  else if (name === "id") event.id = value;
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}

function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
