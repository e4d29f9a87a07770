"""The pictures of the docs: screens in a real terminal, the page in a real browser, a run in the lab."""
