// What has been told of an ask so far: the events of its stream, one after another, become the state that the page shows.

/** The events after which nothing comes. */
export const LAST_EVENTS = ["done", "failed", "cancelled"];

/** What is known of an ask of these adapters (null is the base model) before its first event. */
export function nothingTold(adapters) {
  return {
    state: "sent", // sent | queued | loading | answering | done | failed | cancelled
    position: null,
    message: "",
    sides: adapters.map((adapter) => ({ adapter, of: null, rounds: [], answer: null, isDone: false })),
  };
}

/** Takes an event up. What the page does not know is passed over: a server may tell more. */
export function tell(told, name, data) {
  if (name === "queued") Object.assign(told, { state: "queued", position: data.position ?? null });
  else if (name === "loading") Object.assign(told, { state: "loading", message: data.message ?? "" });
  else if (name === "failed") Object.assign(told, { state: "failed", message: data.message ?? "" });
  else if (name === "done" || name === "cancelled") told.state = name;
  else tellSide(told, name, data);
}

/** Takes up what the history has of an ask: its answers, and of each what its rounds looked at and said. */
export function tellAnswers(told, ask) {
  for (const { adapter = null, text, reply, rounds = [] } of ask.answers) {
    const side = sideOf(told, adapter);
    side.of = rounds.length;
    side.rounds = rounds.map((round) => ({ ...round, number: round.round, text: null }));
    const last = side.rounds[side.rounds.length - 1];
    // The last round is not asked for spans.
    if (last && !last.spans?.length) last.spans = null;
    if (side.rounds.length) latestRound(side).text = reply ?? "";
    // Of two that answer one may have been done before the other failed.
    if (text || ask.state === "done") Object.assign(side, { answer: text ?? "", isDone: true });
  }
  Object.assign(told, { state: ask.state, message: ask.message ?? "" });
}

function tellSide(told, name, data) {
  const side = sideOf(told, data.adapter ?? null);
  if (name === "round") {
    side.of = data.of ?? side.of;
    side.rounds.push({
      number: data.round ?? side.rounds.length + 1,
      frames: data.frames ?? [],
      text: "",
      spans: null,
    });
  } else if (name === "token") latestRound(side).text += data.text ?? "";
  else if (name === "spans") Object.assign(latestRound(side), { spans: data.spans ?? [], note: data.message ?? "" });
  else if (name === "answer") Object.assign(side, { answer: data.text ?? "", isDone: true });
  else return;
  told.state = "answering";
}

function sideOf(told, adapter) {
  let side = told.sides.find((one) => one.adapter === adapter);
  if (!side) {
    side = { adapter, of: null, rounds: [], answer: null, isDone: false };
    told.sides.push(side);
  }
  return side;
}

function latestRound(side) {
  if (!side.rounds.length) side.rounds.push({ number: 1, frames: [], text: "", spans: null });
  return side.rounds[side.rounds.length - 1];
}

export function isOver(told) {
  return LAST_EVENTS.includes(told.state);
}
