// The export view.
import { emptyState } from "./empty.js";

export function mount(root) {
  root.append(emptyState({ icon: "export", title: "Export" }));
}
