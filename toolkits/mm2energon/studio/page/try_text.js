// What a model wrote, told apart: what it thought, what it answers, and the spans of time that it names.

const TAG = /<(\/?)(think|answer|glue)>/gi;
const LONGEST_TAG = "</answer>".length;

/**
 * Splits the text of a round. While it still grows, an unfinished tag at its end is held back, so that none flashes up.
 *
 * A chat template may end with `<think>` itself: then the text has the closing tag alone, and what is before it was thought.
 */
export function splitThinking(text, { growing = false } = {}) {
  const parts = { think: "", answer: "", glue: "" };
  const whole = growing ? withoutUnfinishedTag(text) : text;
  let inside = "answer";
  let from = 0;
  for (const tag of whole.matchAll(TAG)) {
    const [all, closing, name] = [tag[0], tag[1] !== "", tag[2].toLowerCase()];
    parts[inside] += whole.slice(from, tag.index);
    from = tag.index + all.length;
    if (closing && name === "think" && inside === "answer" && !parts.think) {
      parts.think = parts.answer;
      parts.answer = "";
    }
    inside = closing || name === "answer" ? "answer" : name;
  }
  parts[inside] += whole.slice(from);
  return { thinking: parts.think.trim(), answer: parts.answer.trim(), isThinking: inside === "think" };
}

function withoutUnfinishedTag(text) {
  const start = text.lastIndexOf("<");
  if (start < 0 || text.length - start > LONGEST_TAG) return text;
  const end = text.slice(start).toLowerCase();
  const tags = ["think", "answer", "glue"].flatMap((name) => [`<${name}>`, `</${name}>`]);
  return tags.some((tag) => tag !== end && tag.startsWith(end)) ? text.slice(0, start) : text;
}
