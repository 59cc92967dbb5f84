// The keys of the review view, one for each thing that can be done.

/** Registers them; `review` is the view. */
export function registerKeys(review) {
  const { context, sample, deciding, browse, selection } = review;
  const player = () => sample.media?.current;
  const reading = () => sample.item !== null && sample.editing === null;
  const playing = () => Boolean(player());
  const some = () => selection.size(browse.count) > 0;
  const add = (group, keys, title, run, when) => context.shortcut({ group, keys, title, when, run: () => void run() });

  add("Decide", "a", "Accept", () => deciding.decide({ do: "accept" }), reading);
  add("Decide", "r", "Reject, with a reason", () => deciding.reject(), reading);
  add("Decide", "e", "Edit", () => sample.edit(), reading);
  add("Decide", "c", "Edit the category", () => sample.edit({ field: "category" }), reading);
  add(
    "Decide",
    "u",
    "Undo on this entry",
    () => deciding.step("undo"),
    () => reading() && sample.item.can_undo,
  );
  add(
    "Decide",
    "y",
    "Redo on this entry",
    () => deciding.step("redo"),
    () => reading() && sample.item.can_redo,
  );
  add("Decide", "Ctrl+z", "Undo my last decision, wherever it was", () => deciding.undoLast());
  add("Decide", "o", "Go on after a decision: on or off", () => deciding.setGoOn(!deciding.goOn));
  add(
    "Decide",
    "s",
    "Settle a disputed entry: accept",
    () => deciding.settle("settle-accept"),
    () => reading() && sample.item.status === "disputed",
  );
  add(
    "Decide",
    "Shift+S",
    "Settle a disputed entry: reject",
    () => deciding.settle("settle-reject"),
    () => reading() && sample.item.status === "disputed",
  );

  const editing = () => sample.editing !== null;
  const write = (keys, title, run) =>
    context.shortcut({ group: "While editing", keys, title, typing: true, when: editing, run: () => void run() });
  write(["Ctrl+Enter", "Ctrl+s"], "Save, which accepts", () => deciding.save());
  write("Escape", "Cancel", () => deciding.cancelEdit());

  add("Go", ["j", "ArrowDown"], "Next entry", () => review.step(1));
  add("Go", ["k", "ArrowUp"], "Previous entry", () => review.step(-1));
  add("Go", "n", "Next pending entry", () => browse.nextPending());
  add("Go", "l", "To the list", () => (review.narrow.matches ? review.back() : browse.list.focus()));
  add("Go", "Enter", "To the sample", () => review.enter());
  add("Go", "d", "Entries alike, side by side", () => deciding.alike(), reading);
  add("Go", "i", "To what is known of the sample", () => review.focusDetails(), reading);

  add("Find", "/", "Search", () => browse.filters.search.focus());
  add("Find", "f", "Filters", () => browse.filters.toggle());
  add("Find", "Shift+L", "Filter again", () => browse.ask(browse.filter, sample.number));

  add("Mark", "x", "Mark or unmark the open entry", () => browse.list.toggleActive());
  add(
    "Mark",
    "Ctrl+a",
    "Mark all of the list",
    () => selection.selectAll(),
    () => browse.count > 0,
  );
  add("Mark", ["Shift+A"], "Accept the marked", () => deciding.marked("accept"), some);
  add("Mark", ["Shift+R"], "Reject the marked", () => deciding.marked("reject"), some);
  add("Mark", ["Shift+X"], "Reset the marked, or the open entry", () =>
    some() ? deciding.marked("reset") : deciding.reset(),
  );
  add("Mark", "Escape", "Unmark all", () => selection.clear(), some);

  add("Video", " ", "Play, pause", () => player().toggle(), playing);
  add("Video", "ArrowLeft", "A second back", () => player().by(-1), playing);
  add("Video", "ArrowRight", "A second on", () => player().by(1), playing);
  add("Video", ",", "The trained frame before", () => player().step(-1), playing);
  add("Video", ".", "The next trained frame", () => player().step(1), playing);
  add("Video", "g", "Go to a time", () => player().focusTime(), playing);
  add("Video", "m", "Sound on or off", () => player().mute(), playing);
  add(
    "Video",
    "z",
    "Enlarge the images",
    () => sample.media.enlarge(0),
    () => (sample.media?.pictures.length ?? 0) > 0,
  );
}
