// The statistics view.
import { emptyState } from "./empty.js";

export function mount(root) {
  root.append(emptyState({ icon: "statistics", title: "Statistics" }));
}
