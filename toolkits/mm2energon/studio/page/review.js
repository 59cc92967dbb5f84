// The review view: the list, the sample, what is known of it.
import { emptyState } from "./empty.js";

export function mount(root) {
  root.append(emptyState({ icon: "review", title: "Review" }));
}
