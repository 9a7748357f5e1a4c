//! Plans and runs as tables, HTML, JSON Lines and CSV; a page for every reason.
