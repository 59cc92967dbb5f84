// Where videos come from: an upload, an address, an entry of the dataset; each a promise with its progress.

import { del, get, post, upload } from "./api.js";

const POLL_MS = 500;
/** So long an upload waits for the copy itself; how far a longer one is, its job says. */
const WAIT_SECONDS = 1;
const VIDEOS = "/api/chat/videos";

/** Sends a file. `onProgress({done, total, words})` tells how far it is; `signal` stops it. Returns the video. */
export async function uploadVideo(file, { signal, onProgress }) {
  const told = (done, total) =>
    onProgress({ done, total, words: done < total ? "Uploading" : "Making it safe to play (it is encoded anew)" });
  const answer = await upload(VIDEOS, file, { query: { name: file.name, wait: WAIT_SECONDS }, signal, onProgress: told });
  return answer.video ?? followJob(answer.job, { signal, onProgress });
}

/** Lets the server take a video: `{url}`, or `{number, index}` of the dataset. */
export async function takeVideo(source, { signal, onProgress }) {
  onProgress({ done: 0, total: null, words: source.url ? "Fetching" : "Opening" });
  const asked = post(VIDEOS, source);
  // What is cancelled before it has a name is cancelled as soon as it has one.
  asked.then(({ job }) => job && signal.aborted && cancelJob(job)).catch(() => {});
  const answer = await unlessAborted(asked, signal);
  return answer.video ?? followJob(answer.job, { signal, onProgress });
}

async function followJob(job, { signal, onProgress }) {
  const stop = () => cancelJob(job);
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  try {
    for (;;) {
      const told = await get(jobPath(job), { signal });
      if (told.state === "done") return told.video;
      if (told.state === "failed" || told.state === "cancelled")
        throw new Error(told.error || "The video could not be had.");
      onProgress({ done: told.done ?? 0, total: told.total ?? null, words: told.message || "Fetching" });
      await unlessAborted(new Promise((resolve) => setTimeout(resolve, POLL_MS)), signal);
    }
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

function jobPath(job) {
  return `${VIDEOS}/jobs/${encodeURIComponent(job)}`;
}

function cancelJob(job) {
  return del(jobPath(job)).catch(() => {});
}

/** The promise, or an AbortError as soon as the signal is aborted. */
function unlessAborted(promise, signal) {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    promise.then(resolve, reject);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
