// The keys of the review view, one for each thing that can be done.

/** Registers them; `review` is the view. */
export function registerKeys(review) {
  const { context, sample } = review;
  const player = () => sample.media?.current;
  const reading = () => sample.item !== null && sample.editing === null;
  const playing = () => Boolean(player());
  const some = () => review.selection.size(review.rows?.count ?? 0) > 0;
  const add = (group, keys, title, run, when) =>
    context.shortcut({ group, keys, title, when, run: () => void run() });

  add("Decide", "a", "Accept", () => review.decide({ do: "accept" }), reading);
  add("Decide", "r", "Reject, with a reason", () => review.reject(), reading);
  add("Decide", "e", "Edit", () => sample.edit(), reading);
  add("Decide", "c", "Edit the category", () => sample.edit({ field: "category" }), reading);
  add("Decide", "u", "Undo on this entry", () => review.decisions.step(sample.item, "undo"), () => reading() && sample.item.can_undo);
  add("Decide", "y", "Redo on this entry", () => review.decisions.step(sample.item, "redo"), () => reading() && sample.item.can_redo);
  add("Decide", "Ctrl+z", "Undo my last decision, wherever it was", () => review.undoLast());
  add("Decide", "o", "Go on after a decision: on or off", () => review.setGoOn(!review.goOn));
  add("Decide", "s", "Settle a disputed entry: accept", () => review.settle("settle-accept"), () => reading() && sample.item.status === "disputed");
  add("Decide", "Shift+S", "Settle a disputed entry: reject", () => review.settle("settle-reject"), () => reading() && sample.item.status === "disputed");

  const editing = () => sample.editing !== null;
  const write = (keys, title, run) => context.shortcut({ group: "While editing", keys, title, typing: true, when: editing, run: () => void run() });
  write(["Ctrl+Enter", "Ctrl+s"], "Save, which accepts", () => review.save());
  write("Escape", "Cancel", () => review.cancelEdit());

  add("Go", ["j", "ArrowDown"], "Next entry", () => review.step(1));
  add("Go", ["k", "ArrowUp"], "Previous entry", () => review.step(-1));
  add("Go", "n", "Next pending entry", () => review.nextPending());
  add("Go", "l", "To the list", () => (review.narrow.matches ? review.back() : review.list.focus()));
  add("Go", "Enter", "To the sample", () => review.enter());
  add("Go", "d", "Entries alike, side by side", () => review.showAlike(), reading);
  add("Go", "i", "To what is known of the sample", () => review.focusDetails(), reading);

  add("Find", "/", "Search", () => review.filters.search.focus());
  add("Find", "f", "Filters", () => review.filters.toggle());
  add("Find", "Shift+L", "Filter again", () => review.ask(review.filter));

  add("Mark", "x", "Mark or unmark the open entry", () => review.list.toggleActive());
  add("Mark", "Ctrl+a", "Mark all of the list", () => review.selection.selectAll(), () => review.rows?.count > 0);
  add("Mark", ["Shift+A"], "Accept the marked", () => review.decideMarked("accept"), some);
  add("Mark", ["Shift+R"], "Reject the marked", () => review.decideMarked("reject"), some);
  add("Mark", ["Shift+X"], "Reset the marked, or the open entry", () => (some() ? review.decideMarked("reset") : review.decide({ do: "reset" }, { stay: true })));
  add("Mark", "Escape", "Unmark all", () => review.selection.clear(), some);

  add("Video", " ", "Play, pause", () => player().toggle(), playing);
  add("Video", "ArrowLeft", "A second back", () => player().by(-1), playing);
  add("Video", "ArrowRight", "A second on", () => player().by(1), playing);
  add("Video", ",", "The trained frame before", () => player().step(-1), playing);
  add("Video", ".", "The next trained frame", () => player().step(1), playing);
  add("Video", "g", "Go to a time", () => player().focusTime(), playing);
  add("Video", "m", "Sound on or off", () => player().mute(), playing);
  add("Video", "z", "Enlarge the images", () => sample.media.enlarge(0), () => (sample.media?.pictures.length ?? 0) > 0);
}
