"""The files of the site, typed and checked: bad input is `file:line: what → what to do`."""
