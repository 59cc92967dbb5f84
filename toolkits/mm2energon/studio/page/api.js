// The page's way to its server: JSON requests, uploads with progress; errors as one kind.

/** What the server (or the way to it) said: `message` for people, `code` for the page, `status` of HTTP. */
export class StudioError extends Error {
  constructor(message, { code = "failed", status = 0 } = {}) {
    super(message);
    this.name = "StudioError";
    this.code = code;
    this.status = status;
  }

  /** Whether the server was not reached, so that the same request may work later. */
  get isOffline() {
    return this.code === "offline";
  }
}

/** Tells "offline", "online" and "login" (a token is asked for) to who listens. */
export const connection = new EventTarget();

const GATEWAYS = new Set([502, 503, 504]);
let isOnline = true;

export function online() {
  return isOnline;
}

export const get = (path, options) => request("GET", path, options);
export const post = (path, body = {}, options) => request("POST", path, { ...options, body });
export const del = (path, options) => request("DELETE", path, options);

/**
 * A JSON request. Options: `query` (object), `body` (JSON), `signal` (AbortSignal).
 *
 * Throws StudioError; an aborted request throws the AbortError of fetch.
 */
export async function request(method, path, { query, body, signal } = {}) {
  const headers = { Accept: "application/json", "X-Studio": "1" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const content = body === undefined ? undefined : JSON.stringify(body);
  let response;
  try {
    response = await fetch(address(path, query), {
      method,
      headers,
      body: content,
      signal,
      credentials: "same-origin",
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    setOnline(false);
    throw new StudioError("The studio's server does not answer.", { code: "offline" });
  }
  return readAnswer(response);
}

/** Sends a file's bytes with `onProgress(sent, total)`; `signal` stops it. */
export function upload(path, file, { query, signal, onProgress, method = "PUT" } = {}) {
  return new Promise((resolve, reject) => {
    const call = new XMLHttpRequest();
    call.open(method, address(path, query));
    call.setRequestHeader("X-Studio", "1");
    call.setRequestHeader("Content-Type", "application/octet-stream");
    call.upload.onprogress = (event) => onProgress?.(event.loaded, event.lengthComputable ? event.total : file.size);
    call.onload = () => readAnswer(new Response(call.response, { status: call.status })).then(resolve, reject);
    call.onerror = () =>
      reject(new StudioError("The upload was cut off: the server does not answer.", { code: "offline" }));
    call.onabort = () => reject(new DOMException("stopped", "AbortError"));
    signal?.addEventListener("abort", () => call.abort(), { once: true });
    call.send(file);
  });
}

/** The address of a path below the server, wherever the page is served from. */
export function address(path, query) {
  const url = new URL(path.replace(/^\//, ""), document.baseURI);
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== null) url.searchParams.set(name, value);
  }
  return url.href;
}

async function readAnswer(response) {
  setOnline(!GATEWAYS.has(response.status));
  const content = parse(await response.text());
  if (response.ok) return content;
  if (response.status === 401) connection.dispatchEvent(new Event("login"));
  const said = content?.error ?? {};
  throw new StudioError(said.message || `The server answered with an error (${response.status}).`, {
    code: GATEWAYS.has(response.status) ? "offline" : said.code || "failed",
    status: response.status,
  });
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function setOnline(now) {
  if (now === isOnline) return;
  isOnline = now;
  connection.dispatchEvent(new Event(now ? "online" : "offline"));
}
