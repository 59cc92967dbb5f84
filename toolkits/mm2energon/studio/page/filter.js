// What the list is narrowed to: kept in the page's address, so that it can be shared and survives a reload.

const LISTS = ["status", "category", "medium", "warning", "reasons"];
const TEXTS = ["text", "reviewer", "assigned_to", "left_to"];

export function noFilter() {
  return {
    status: [],
    category: [],
    medium: [],
    warning: [],
    reasons: [],
    text: "",
    reviewer: null,
    assigned_to: null,
    left_to: null,
    edited: null,
    duplicates: false,
    sort: "number",
  };
}

/** The filter of an address's parameters. */
export function readFilter(params) {
  const filter = noFilter();
  for (const name of LISTS) filter[name] = params.getAll(name);
  for (const name of TEXTS) filter[name] = params.get(name) ?? filter[name];
  if (params.has("edited")) filter.edited = params.get("edited") === "yes";
  filter.duplicates = params.get("duplicates") === "yes";
  filter.sort = params.get("sort") ?? "number";
  return filter;
}

/** `?status=pending&text=dog`, or nothing. */
export function writeFilter(filter) {
  const params = new URLSearchParams();
  for (const name of LISTS) filter[name].forEach((value) => params.append(name, value));
  for (const name of TEXTS) if (filter[name]) params.set(name, filter[name]);
  if (filter.edited !== null) params.set("edited", filter.edited ? "yes" : "no");
  if (filter.duplicates) params.set("duplicates", "yes");
  if (filter.sort !== "number") params.set("sort", filter.sort);
  const text = params.toString();
  return text && `?${text}`;
}

/** What is asked for beside search and status, each as {label, without} (the filter without it). */
export function partsOf(filter) {
  const parts = [];
  for (const name of ["category", "medium", "warning", "reasons"]) {
    for (const value of filter[name]) {
      const rest = filter[name].filter((one) => one !== value);
      parts.push({ label: value || "(none)", without: { ...filter, [name]: rest } });
    }
  }
  if (filter.reviewer !== null)
    parts.push({ label: `decided by ${filter.reviewer}`, without: { ...filter, reviewer: null } });
  if (filter.assigned_to !== null)
    parts.push({ label: `assigned to ${filter.assigned_to}`, without: { ...filter, assigned_to: null } });
  if (filter.left_to !== null)
    parts.push({ label: `left to ${filter.left_to}`, without: { ...filter, left_to: null } });
  if (filter.edited !== null)
    parts.push({ label: filter.edited ? "edited" : "not edited", without: { ...filter, edited: null } });
  if (filter.duplicates) parts.push({ label: "duplicates", without: { ...filter, duplicates: false } });
  return parts;
}

export function isNarrowed(filter) {
  return filter.status.length > 0 || filter.text.trim() !== "" || partsOf(filter).length > 0;
}
