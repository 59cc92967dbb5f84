// What options, states and lengths of time are called in the view of fine-tuning.

/** State of a run -> its word and the kind of its badge. */
export const STATES = {
  starting: { title: "Starting", kind: "live" },
  preparing: { title: "Preparing", kind: "live" },
  running: { title: "Running", kind: "live" },
  stopping: { title: "Stopping", kind: "live" },
  done: { title: "Done", kind: "good" },
  stopped: { title: "Stopped", kind: "rest" },
  interrupted: { title: "Interrupted", kind: "doubt" },
  failed: { title: "Failed", kind: "bad" },
};

export const GROUPS = {
  adapter: "LoRA adapter",
  training: "Training",
  frames: "Frames",
  data: "Media, validation and limits",
  watching: "Checkpoints",
};

const LABELS = {
  rank: "r (rank)",
  fps: "Frames per second",
  steps: "Steps",
  quantize: "4-bit weights",
  no_gradient_checkpointing: "No gradient checkpointing",
  val_share: "Validation share",
  max_grad_norm: "Gradient norm",
  time_interval: "Frame interval (s)",
  max_pixels: "Pixels of a frame",
  max_frames: "Frames of a video",
  batch_size: "Batch size",
  effective_batch: "Effective batch",
};

/** What the command line says in a word is said in a sentence here. */
const HINTS = {
  rank: "Size of the matrices that are learned: larger ones learn more, and learn by heart sooner.",
  alpha: "What was learned counts alpha / r times.",
  dropout: "Share of the adapter's inputs left out at random, against learning by heart.",
  time_interval: "Seconds between frames: 0.5, unless frames per second are given.",
};

export function hintOf(option) {
  const text = HINTS[option.name] ?? `${option.help}.`;
  return text[0].toUpperCase() + text.slice(1);
}

export function stateOf(run) {
  return STATES[run.state] ?? { title: run.state, kind: "rest" };
}

export function isLive(run) {
  return stateOf(run).kind === "live";
}

export function labelOf(name) {
  const words = name.replaceAll("_", " ");
  return LABELS[name] ?? words[0].toUpperCase() + words.slice(1);
}

/** 90 -> "2 min", 5400 -> "1 h 30 min". */
export function length(seconds) {
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** A loss or a rate with as many digits as say something. */
export function figure(value) {
  if (!Number.isFinite(value)) return "–";
  if (value !== 0 && Math.abs(value) < 0.001) return value.toExponential(1);
  return Math.abs(value) < 10
    ? value.toFixed(3)
    : Math.abs(value) < 1000
      ? value.toFixed(1)
      : Math.round(value).toLocaleString("en");
}
