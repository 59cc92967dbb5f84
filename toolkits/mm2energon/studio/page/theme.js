// The theme that was chosen is set before the first paint, so that no page flashes white in the dark.
(function () {
  "use strict";
  try {
    const theme = localStorage.getItem("mm2energon.theme");
    if (theme === '"light"' || theme === '"dark"') document.documentElement.dataset.theme = theme.slice(1, -1);
  } catch {
    // Storage that is switched off leaves the theme to the system.
  }
})();
